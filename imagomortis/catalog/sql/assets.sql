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
WITH former AS (
    UPDATE asset_pictures AS picture SET stored_at = now()
    FROM assets
    WHERE name = %(name)s AND assets.sha256 = picture.sha256 AND picture.sha256 <> %(sha256)s
), picture AS (
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
WITH deleted AS (
    DELETE FROM assets WHERE name = %(name)s RETURNING name, sha256
)
UPDATE asset_pictures AS picture SET stored_at = now() FROM deleted WHERE picture.sha256 = deleted.sha256 RETURNING name;

-- name: named
SELECT name, sha256 FROM assets WHERE name = ANY(%(names)s);

-- name: stored
-- A recipe is about to use these pictures. The new time keeps them until the recipe is saved.
UPDATE asset_pictures SET stored_at = now() WHERE sha256 = ANY(%(sha256s)s) RETURNING sha256;

-- name: bytes
SELECT bytes FROM asset_pictures WHERE sha256 = %(sha256)s;

-- name: delete_unused
-- Pictures that have had neither a name nor a use for a day. The time is renewed when a name goes, and when a use is found
-- and the time is older than an hour. The deletion compares the time in the row that it locks, as it may be new by then.
WITH old AS (
    SELECT sha256, encode(sha256, 'hex') AS digits
    FROM asset_pictures AS picture
    WHERE stored_at < now() - interval '1 hour' AND NOT EXISTS (SELECT FROM assets WHERE sha256 = picture.sha256)
), recipe AS MATERIALIZED (
    SELECT recipe::text AS body FROM recipes
    UNION
    SELECT recipe::text FROM images WHERE EXISTS (SELECT FROM old) AND recipe::text LIKE '%%"asset"%%'
), used AS (
    SELECT sha256 FROM old WHERE EXISTS (SELECT FROM recipe WHERE strpos(body, digits) > 0)
), kept AS (
    UPDATE asset_pictures AS picture SET stored_at = now() FROM used WHERE picture.sha256 = used.sha256
)
DELETE FROM asset_pictures AS picture
USING old
WHERE picture.sha256 = old.sha256 AND NOT EXISTS (SELECT FROM used WHERE sha256 = old.sha256)
  AND stored_at < now() - interval '1 day'
RETURNING picture.sha256;

-- name: recipes
SELECT name, recipe FROM recipes ORDER BY name;
