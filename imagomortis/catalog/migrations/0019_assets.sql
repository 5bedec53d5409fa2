-- Assets: pictures under a name, which recipes lay over others. A name can get another picture. Recipes refer to the bytes by
-- their SHA-256, so the bytes have a table of their own and outlive their name.

CREATE TABLE asset_pictures (
    sha256     bytea       PRIMARY KEY CHECK (octet_length(sha256) = 32),
    media_type text        NOT NULL,
    width      integer     NOT NULL CHECK (width > 0),
    height     integer     NOT NULL CHECK (height > 0),
    size       integer     NOT NULL CHECK (size > 0),
    stored_at  timestamptz NOT NULL DEFAULT now(),
    bytes      bytea       NOT NULL
);
ALTER TABLE asset_pictures ALTER COLUMN bytes SET STORAGE EXTERNAL;

CREATE TABLE assets (
    name       text        PRIMARY KEY CHECK (name ~ '^[a-z0-9][a-z0-9_-]{0,63}$'),
    sha256     bytea       NOT NULL REFERENCES asset_pictures,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX assets_by_digest ON assets (sha256);
