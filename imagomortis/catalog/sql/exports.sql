-- Exports: which results are written to which target, by whom, and with which outcome.

-- name: claim
-- The exports that are due, for one process, first those that have not failed. A deleted image is not exported, unless it is
-- restored. A worker of a version without exports leaves a row as it was, so its target is compared with the recipe.
-- The attempt counts as failed until it ends, so an export that kills its process is not repeated without a pause.
WITH due AS (
    SELECT image_id
    FROM exports JOIN images ON id = image_id
    WHERE exported_at IS NULL AND next_try_at <= now() AND (claimed_until IS NULL OR claimed_until <= now())
      AND deleted_at IS NULL AND (state <> 'done' OR recipe ->> 'export' IS NOT DISTINCT FROM target)
      AND NOT target ^@ ANY(%(away)s::text[])
    ORDER BY exports.failed_attempts > 0, next_try_at
    LIMIT %(limit)s
    FOR UPDATE OF exports SKIP LOCKED
)
UPDATE exports
SET claim = %(claim)s, claimed_until = now() + %(seconds)s * interval '1 second',
    failed_attempts = exports.failed_attempts + 1,
    error = coalesce(exports.error, 'The process that exported it was lost.'),
    next_try_at = now() + least(3600, %(pause)s * 2 ^ least(exports.failed_attempts, 20)) * interval '1 second'
FROM due JOIN images ON id = due.image_id
WHERE exports.image_id = due.image_id
RETURNING exports.image_id, exports.attempt, exports.target, exports.claim, images.filename, images.created_at;

-- name: renew
-- The claim for a further time, if it still holds, and the image has no newer result.
UPDATE exports
SET claimed_until = now() + %(seconds)s * interval '1 second'
FROM images
WHERE id = image_id AND image_id = %(id)s AND claim = %(claim)s AND exports.attempt = %(attempt)s
  AND (state <> 'done' OR recipe ->> 'export' IS NOT DISTINCT FROM target)
RETURNING image_id;

-- name: finish
-- If there is a new result meanwhile, it is still to be exported.
UPDATE exports
SET exported_at = CASE WHEN attempt = %(attempt)s THEN clock_timestamp() END,
    urls = CASE WHEN attempt = %(attempt)s THEN %(urls)s ELSE urls END, failed_attempts = 0, error = NULL,
    claim = NULL, claimed_until = NULL
WHERE image_id = %(id)s AND claim = %(claim)s
RETURNING image_id;

-- name: fail
-- The claim has counted the attempt. If there is a new result meanwhile, it has not failed, and is due at once.
UPDATE exports
SET error = CASE WHEN attempt = %(attempt)s THEN %(error)s ELSE error END,
    next_try_at = CASE WHEN attempt = %(attempt)s
        THEN clock_timestamp() + least(3600, %(pause)s * 2 ^ least(failed_attempts - 1, 20)) * interval '1 second'
        ELSE next_try_at END,
    claim = NULL, claimed_until = NULL
WHERE image_id = %(id)s AND claim = %(claim)s
RETURNING image_id;

-- name: repeat
-- The claim was lost, so another process may have exported a newer result before the older one was written.
UPDATE exports SET exported_at = NULL, next_try_at = now() WHERE image_id = %(id)s;

-- name: one
-- The attempt under way has not failed yet.
SELECT target, urls, exported_at, failed AS failed_attempts, CASE WHEN failed > 0 THEN error END AS error,
       CASE WHEN exported_at IS NULL THEN next_try_at END AS next_try_at
FROM exports,
    LATERAL (SELECT greatest(0, failed_attempts - (claimed_until > now() IS TRUE)::integer) AS failed) AS ended
WHERE image_id = %(id)s;

-- name: count
INSERT INTO export_totals (outcome, exports) VALUES (%(outcome)s, 1)
ON CONFLICT (outcome) DO UPDATE SET exports = export_totals.exports + 1;

-- name: totals
SELECT outcome, exports FROM export_totals;

-- name: waiting
-- The exports of visible images that are not written, how many of them have failed, and the seconds since the oldest result.
SELECT count(*) AS waiting,
       count(*) FILTER (WHERE exports.failed_attempts > (claimed_until > now() IS TRUE)::integer) AS failed,
       coalesce(extract(epoch FROM now() - min(coalesce(finished_at, next_try_at))), 0)::float8 AS oldest_seconds
FROM exports JOIN images ON id = image_id
WHERE exported_at IS NULL AND deleted_at IS NULL;
