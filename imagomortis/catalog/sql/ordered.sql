-- Lists by name or size. They follow the index of image_order, in either direction, and look at every image that a filter
-- excludes on the way.

-- name: page
SELECT found.*, (SELECT sha256 FROM renditions WHERE image_id = found.id AND kind = 'processed') AS processed,
       (SELECT sha256 FROM renditions WHERE image_id = found.id AND kind = 'thumbnail') AS thumbnail,
       (SELECT ARRAY[width, height] FROM renditions WHERE image_id = found.id AND kind = 'thumbnail') AS thumbnail_size,
       (SELECT thumbhash FROM renditions WHERE image_id = found.id AND kind = 'thumbnail') AS thumbhash,
       EXISTS (SELECT FROM favourites WHERE image_id = found.id) AS favourite
FROM (
    SELECT id, created_at, filename, media_type, sha256, size, width, height, state, recipe, recipe_digest, recipe_name,
           attempt, failed_attempts, progress, run_id, leased_at, finished_at, error, error_kind, deleted_at, key AS sort_key
    FROM image_order JOIN images ON id = image_id
    WHERE sort = %(sort)s AND (key, image_id) > (%(after)s COLLATE "C", %(after_id)s::uuid)
      AND (deleted_at IS NOT NULL) = %(trash)s::boolean
      AND (NOT %(trash)s::boolean OR EXISTS (SELECT FROM trash WHERE trash.image_id = id))
      AND (NOT %(favourites)s::boolean OR EXISTS (SELECT FROM favourites WHERE favourites.image_id = id))
      AND created_at >= %(since)s::timestamptz AND created_at < %(until)s::timestamptz
      AND (%(states)s::text[] IS NULL OR state = ANY(%(states)s::text[]))
      AND (%(name)s::text IS NULL OR filename ILIKE %(name)s::text)
      AND (%(recipe)s::text IS NULL OR recipe_name = %(recipe)s::text OR recipe_digest = %(recipe)s::text)
    ORDER BY key, image_id
    LIMIT %(limit)s
) AS found
ORDER BY sort_key, id;

-- name: page_backwards
-- The same from the end.
SELECT found.*, (SELECT sha256 FROM renditions WHERE image_id = found.id AND kind = 'processed') AS processed,
       (SELECT sha256 FROM renditions WHERE image_id = found.id AND kind = 'thumbnail') AS thumbnail,
       (SELECT ARRAY[width, height] FROM renditions WHERE image_id = found.id AND kind = 'thumbnail') AS thumbnail_size,
       (SELECT thumbhash FROM renditions WHERE image_id = found.id AND kind = 'thumbnail') AS thumbhash,
       EXISTS (SELECT FROM favourites WHERE image_id = found.id) AS favourite
FROM (
    SELECT id, created_at, filename, media_type, sha256, size, width, height, state, recipe, recipe_digest, recipe_name,
           attempt, failed_attempts, progress, run_id, leased_at, finished_at, error, error_kind, deleted_at, key AS sort_key
    FROM image_order JOIN images ON id = image_id
    WHERE sort = %(sort)s AND (key, image_id) < (%(after)s COLLATE "C", %(after_id)s::uuid)
      AND (deleted_at IS NOT NULL) = %(trash)s::boolean
      AND (NOT %(trash)s::boolean OR EXISTS (SELECT FROM trash WHERE trash.image_id = id))
      AND (NOT %(favourites)s::boolean OR EXISTS (SELECT FROM favourites WHERE favourites.image_id = id))
      AND created_at >= %(since)s::timestamptz AND created_at < %(until)s::timestamptz
      AND (%(states)s::text[] IS NULL OR state = ANY(%(states)s::text[]))
      AND (%(name)s::text IS NULL OR filename ILIKE %(name)s::text)
      AND (%(recipe)s::text IS NULL OR recipe_name = %(recipe)s::text OR recipe_digest = %(recipe)s::text)
    ORDER BY key DESC, image_id DESC
    LIMIT %(limit)s
) AS found
ORDER BY sort_key DESC, id DESC;

-- name: marks_backwards
-- Every so many-th image before a place, from the end, and the last one. No more than `scan` images are looked at.
SELECT sort_key, id, created_at, number
FROM (
    SELECT sort_key, id, created_at, row_number() OVER by_key AS number, lead(id) OVER by_key IS NULL AS is_last
    FROM (
        SELECT key AS sort_key, id, created_at
        FROM image_order JOIN images ON id = image_id
        WHERE sort = %(sort)s AND (key, image_id) < (%(after)s COLLATE "C", %(after_id)s::uuid)
          AND (deleted_at IS NOT NULL) = %(trash)s::boolean
          AND (NOT %(trash)s::boolean OR EXISTS (SELECT FROM trash WHERE trash.image_id = id))
          AND (NOT %(favourites)s::boolean OR EXISTS (SELECT FROM favourites WHERE favourites.image_id = id))
          AND created_at >= %(since)s::timestamptz AND created_at < %(until)s::timestamptz
          AND (%(states)s::text[] IS NULL OR state = ANY(%(states)s::text[]))
          AND (%(name)s::text IS NULL OR filename ILIKE %(name)s::text)
          AND (%(recipe)s::text IS NULL OR recipe_name = %(recipe)s::text OR recipe_digest = %(recipe)s::text)
        ORDER BY key DESC, image_id DESC
        LIMIT %(scan)s
    ) AS found
    WINDOW by_key AS (ORDER BY sort_key DESC, id DESC)
) AS numbered
WHERE number %% %(every)s = 0 OR is_last
ORDER BY number;
