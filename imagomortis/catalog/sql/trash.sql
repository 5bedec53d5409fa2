-- The trash: deleted images that keep their bytes for days. Statements lock the image before its row of the trash.

-- name: put
WITH hidden AS (
    UPDATE images
    SET deleted_at = %(end_of_time)s, deleted_with_all = false,
        state = CASE state WHEN 'processing' THEN 'queued' ELSE state END,
        lease_token = NULL, lease_expires_at = NULL, changed_in = pg_current_xact_id()
    WHERE id = ANY(%(ids)s) AND deleted_at IS NULL
    RETURNING id, created_at, size
)
INSERT INTO trash (image_id, created_at, trashed_at, keep_until, bytes)
SELECT id, created_at, now(), now() + %(keep)s::interval,
       size + coalesce((SELECT sum(renditions.size) FROM renditions WHERE renditions.image_id = hidden.id), 0)
FROM hidden
ON CONFLICT (image_id) DO UPDATE
SET trashed_at = EXCLUDED.trashed_at, keep_until = EXCLUDED.keep_until, bytes = EXCLUDED.bytes
RETURNING image_id AS id;

-- name: put_some
-- A slice of all images that were created up to a moment. Every slice gets the same time, because they are restored by it.
WITH chosen AS (
    SELECT id
    FROM images
    WHERE deleted_at IS NULL AND created_at <= %(until)s
    ORDER BY created_at, id
    LIMIT %(limit)s
    FOR UPDATE
), hidden AS (
    UPDATE images
    SET deleted_at = %(end_of_time)s, deleted_with_all = true,
        state = CASE state WHEN 'processing' THEN 'queued' ELSE state END,
        lease_token = NULL, lease_expires_at = NULL, changed_in = pg_current_xact_id()
    FROM chosen
    WHERE images.id = chosen.id
    RETURNING images.id, images.created_at, images.size
)
INSERT INTO trash (image_id, created_at, trashed_at, keep_until, bytes)
SELECT id, created_at, %(at)s, %(at)s::timestamptz + %(keep)s::interval,
       size + coalesce((SELECT sum(renditions.size) FROM renditions WHERE renditions.image_id = hidden.id), 0)
FROM hidden
ON CONFLICT (image_id) DO UPDATE
SET trashed_at = EXCLUDED.trashed_at, keep_until = EXCLUDED.keep_until, bytes = EXCLUDED.bytes
RETURNING image_id AS id;

-- name: empty_some
-- A slice of the images that were put in before a moment and are kept until before another one: deleted now, as without
-- a trash.
WITH chosen AS (
    SELECT id
    FROM trash JOIN images ON id = image_id
    WHERE trashed_at < %(put_before)s AND keep_until < %(kept_before)s AND deleted_at IS NOT NULL
    ORDER BY keep_until
    LIMIT %(limit)s
    FOR UPDATE OF images
), taken_out AS (
    DELETE FROM trash USING chosen WHERE image_id = chosen.id
)
UPDATE images
SET deleted_at = now(), deleted_with_all = false, changed_in = pg_current_xact_id()
FROM chosen
WHERE images.id = chosen.id
RETURNING images.id;

-- name: count
SELECT count(*) AS images
FROM trash JOIN images ON id = image_id
WHERE keep_until < %(before)s AND deleted_at IS NOT NULL;

-- name: contents
-- Without the images that an older server, which knows no trash, restored.
SELECT count(*) AS images, coalesce(sum(bytes), 0)::bigint AS bytes
FROM trash JOIN images ON id = image_id
WHERE deleted_at IS NOT NULL;

-- name: now
SELECT now() AS at;
