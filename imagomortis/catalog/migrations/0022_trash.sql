-- Deleted images that can still be restored for days. The table of images keeps its columns and indexes. In images.deleted_at
-- an image in the trash has a moment at the end of time, which no purge reaches, so no purge reads over the trash. Its
-- creation is repeated here for the order of lists; it never changes.

CREATE TABLE trash (
    image_id   uuid        PRIMARY KEY REFERENCES images ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    trashed_at timestamptz NOT NULL,
    keep_until timestamptz NOT NULL,
    bytes      bigint      NOT NULL
);

CREATE INDEX trash_newest_first ON trash (created_at DESC, image_id DESC);
CREATE INDEX trash_by_age ON trash (trashed_at);
CREATE INDEX trash_by_end ON trash (keep_until);
