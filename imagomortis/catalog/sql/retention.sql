-- What the catalog keeps, and for how long.

-- name: hours_with_pictures
-- Which of the hours still have pictures in sight.
SELECT hour
FROM unnest(%(hours)s::timestamptz[]) AS hours (hour)
WHERE EXISTS (SELECT FROM images
              WHERE deleted_at IS NULL AND created_at >= hour AND created_at < hour + interval '1 hour');

-- name: runs
-- The runs that attempts and reprocessings refer to and that are not known to have expired: one step along the index a run.
WITH RECURSIVE known AS (
    (SELECT run_id FROM attempts WHERE NOT run_expired ORDER BY run_id LIMIT 1)
    UNION ALL
    SELECT (SELECT run_id FROM attempts
            WHERE NOT run_expired AND attempts.run_id > known.run_id
            ORDER BY run_id
            LIMIT 1)
    FROM known
    WHERE run_id IS NOT NULL
)
SELECT run_id FROM known WHERE run_id IS NOT NULL
UNION
SELECT run_id FROM reprocessings;

-- name: expire_runs
-- The runs are gone: their attempts say so, and what they reprocessed needs no memory.
WITH forgotten AS (
    DELETE FROM reprocessings WHERE run_id = ANY(%(run_ids)s)
)
UPDATE attempts SET run_expired = true WHERE run_id = ANY(%(run_ids)s) AND NOT run_expired;

-- name: count_attempts
-- Old attempts but for the last one of each image, which tells how it came to be as it is.
SELECT count(*) AS attempts
FROM attempts
WHERE ended_at < %(before)s
  AND attempt < (SELECT max(attempt) FROM attempts AS latest WHERE latest.image_id = attempts.image_id);

-- name: delete_attempts
WITH chosen AS (
    SELECT image_id, attempt
    FROM attempts
    WHERE ended_at < %(before)s
      AND attempt < (SELECT max(attempt) FROM attempts AS latest WHERE latest.image_id = attempts.image_id)
    LIMIT %(limit)s
)
DELETE FROM attempts
USING chosen
WHERE attempts.image_id = chosen.image_id AND attempts.attempt = chosen.attempt
RETURNING attempts.image_id;

-- name: old_pictures
-- Finished pictures that were uploaded before a moment, oldest first.
SELECT id
FROM images
WHERE deleted_at IS NULL AND state IN ('done', 'failed') AND created_at < %(before)s
ORDER BY created_at, id;

-- name: surplus_pictures
-- Finished pictures that are left over once the newest ones, with their renditions, have filled so many bytes.
SELECT id
FROM (
    SELECT id, created_at, state,
           sum(size + coalesce((SELECT sum(size) FROM renditions WHERE image_id = images.id), 0))
             OVER (ORDER BY created_at DESC, id DESC) AS held
    FROM images
    WHERE deleted_at IS NULL
) AS newest_first
WHERE held > %(bytes)s AND state IN ('done', 'failed')
ORDER BY created_at, id;
