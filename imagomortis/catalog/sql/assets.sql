-- Assets: the pictures that recipes lay over others, and their names.

-- name: all
SELECT name, sha256, media_type, size, width, height, created_at, updated_at
FROM assets JOIN asset_pictures USING (sha256)
ORDER BY name;

-- name: one
SELECT name, sha256, media_type, size, width, height, created_at, updated_at
FROM assets JOIN asset_pictures USING (sha256)
WHERE name = %(name)s;

-- name: save
WITH picture AS (
    INSERT INTO asset_pictures (sha256, media_type, width, height, size, bytes)
    VALUES (%(sha256)s, %(media_type)s, %(width)s, %(height)s, %(size)s, %(bytes)b)
    ON CONFLICT (sha256) DO UPDATE SET stored_at = now()
    RETURNING sha256, media_type, size, width, height
), asset AS (
    INSERT INTO assets (name, sha256)
    SELECT %(name)s, sha256 FROM picture
    ON CONFLICT (name) DO UPDATE SET sha256 = excluded.sha256, updated_at = now()
    RETURNING name, sha256, created_at, updated_at
)
SELECT name, sha256, media_type, size, width, height, created_at, updated_at FROM asset JOIN picture USING (sha256);

-- name: delete
DELETE FROM assets WHERE name = %(name)s RETURNING name;

-- name: named
SELECT name, sha256 FROM assets WHERE name = ANY(%(names)s);

-- name: stored
SELECT sha256 FROM asset_pictures WHERE sha256 = ANY(%(sha256s)s);

-- name: bytes
SELECT bytes FROM asset_pictures WHERE sha256 = %(sha256)s;

-- name: recipes
SELECT name, recipe FROM recipes ORDER BY name;
