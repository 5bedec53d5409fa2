-- Images that people marked with a star. The table of images keeps its rows as they are, so the step does not wait for a
-- scan of it. An image's creation is repeated here for the order of lists; it never changes.

CREATE TABLE favourites (
    image_id   uuid        PRIMARY KEY REFERENCES images ON DELETE CASCADE,
    created_at timestamptz NOT NULL
);

CREATE INDEX favourites_newest_first ON favourites (created_at DESC, image_id DESC);
