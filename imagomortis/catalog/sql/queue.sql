-- The queue: what happens to an image from its arrival until it is done or failed.

-- name: add
-- New images with their originals; those that are there already stay as they are.
WITH entry AS (
    SELECT *
    FROM unnest(%(ids)s::uuid[], %(created_ats)s::timestamptz[], %(filenames)s::text[], %(media_types)s::text[],
                %(sha256s)s::bytea[], %(sizes)s::bigint[], %(widths)s::integer[], %(heights)s::integer[],
                %(recipes)s::text[], %(recipe_digests)s::text[], %(recipe_names)s::text[], %(bytes)b::bytea[])
      AS entry (id, created_at, filename, media_type, sha256, size, width, height,
                recipe, recipe_digest, recipe_name, bytes)
), image AS (
    INSERT INTO images (id, created_at, filename, media_type, sha256, size, width, height,
                        recipe, recipe_digest, recipe_name)
    SELECT id, created_at, filename, media_type, sha256, size, width, height,
           recipe::jsonb, recipe_digest, recipe_name
    FROM entry
    ON CONFLICT (id) DO NOTHING
    RETURNING id
), original AS (
    INSERT INTO originals (image_id, bytes)
    SELECT id, bytes FROM image JOIN entry USING (id)
)
SELECT id, pg_notify('imagomortis_queue', '') FROM image;

-- name: lease
-- The oldest queued images of a span of time; one that failed before is leased alone, so that it takes nobody along.
WITH head AS (
    SELECT failed_attempts > 0 AS is_suspect
    FROM images
    WHERE state = 'queued' AND deleted_at IS NULL AND created_at >= %(since)s AND created_at < %(until)s
    ORDER BY created_at, id
    LIMIT 1
    FOR UPDATE SKIP LOCKED
), chosen AS (
    SELECT id
    FROM images
    WHERE state = 'queued' AND deleted_at IS NULL AND created_at >= %(since)s AND created_at < %(until)s
      AND (failed_attempts > 0) = (SELECT is_suspect FROM head)
    ORDER BY created_at, id
    LIMIT (SELECT CASE WHEN is_suspect THEN 1 ELSE %(count)s END FROM head)
    FOR UPDATE SKIP LOCKED
)
UPDATE images
SET state = 'processing', attempt = attempt + 1, progress = '{}', run_id = %(run_id)s,
    lease_token = %(token)s, leased_at = now(), lease_expires_at = now() + %(seconds)s * interval '1 second',
    changed_in = pg_current_xact_id()
FROM chosen
WHERE images.id = chosen.id AND NOT EXISTS (SELECT FROM control WHERE paused_at IS NOT NULL)
RETURNING images.id, images.created_at, images.filename, images.sha256, images.size, images.attempt, images.recipe,
          images.recipe_digest;

-- name: find_lease
-- What a statement leased whose answer was lost.
UPDATE images
SET lease_expires_at = now() + %(seconds)s * interval '1 second'
WHERE state = 'processing' AND lease_token = %(token)s
RETURNING id, created_at, filename, sha256, size, attempt, recipe, recipe_digest;

-- name: originals
SELECT image_id, bytes FROM originals WHERE image_id = ANY(%(ids)s);

-- name: renew
UPDATE images
SET lease_expires_at = now() + %(seconds)s * interval '1 second'
WHERE state = 'processing' AND lease_token = %(token)s AND id = ANY(%(ids)s)
RETURNING id;

-- name: report_progress
UPDATE images
SET progress = progress || %(progress)s, changed_in = pg_current_xact_id()
WHERE id = %(id)s AND lease_token = %(token)s AND progress IS DISTINCT FROM progress || %(progress)s;

-- name: save
-- Finished images with all of their renditions or none, if the lease still holds. Triggers remove the former renditions.
WITH result AS (
    SELECT * FROM unnest(%(ids)s::uuid[], %(seconds)s::float8[]) AS result (id, seconds)
), saved AS (
    UPDATE images
    SET state = 'done', lease_token = NULL, lease_expires_at = NULL, failed_attempts = 0, progress = '{}',
        finished_at = clock_timestamp(), error = NULL, error_kind = NULL, changed_in = pg_current_xact_id()
    FROM result
    WHERE images.id = result.id AND images.lease_token = %(token)s
    RETURNING images.id, images.attempt, images.run_id, images.leased_at, images.finished_at, result.seconds,
              images.recipe ->> 'export' AS target
), export AS (
    INSERT INTO exports (image_id, attempt, target)
    SELECT id, attempt, target FROM saved WHERE target IS NOT NULL
    ON CONFLICT (image_id) DO UPDATE
    SET attempt = EXCLUDED.attempt, target = EXCLUDED.target, urls = '{}', exported_at = NULL, failed_attempts = 0,
        error = NULL, next_try_at = now()
), no_export AS (
    DELETE FROM exports USING saved WHERE image_id = saved.id AND saved.target IS NULL
), history AS (
    INSERT INTO attempts (image_id, attempt, run_id, outcome, started_at, ended_at, seconds)
    SELECT id, attempt, run_id, 'done', leased_at, finished_at, seconds FROM saved
), rendition AS (
    INSERT INTO renditions (image_id, kind, output, media_type, width, height, size, sha256, recipe_digest, thumbhash, bytes)
    SELECT rendition.*
    FROM unnest(%(image_ids)s::uuid[], %(kinds)s::text[], %(outputs)s::text[], %(media_types)s::text[], %(widths)s::integer[],
                %(heights)s::integer[], %(sizes)s::bigint[], %(sha256s)s::bytea[], %(recipe_digests)s::text[],
                %(thumbhashes)s::bytea[], %(bytes)b::bytea[])
      AS rendition (image_id, kind, output, media_type, width, height, size, sha256, recipe_digest, thumbhash, bytes)
    JOIN saved ON saved.id = rendition.image_id
)
SELECT id FROM saved;

-- name: fail
-- A failed attempt: back to the queue with its cause, or failed for good after the last one.
WITH failed AS (
    UPDATE images
    SET state = CASE WHEN failed_attempts + 1 >= %(max_attempts)s THEN 'failed' ELSE 'queued' END,
        failed_attempts = failed_attempts + 1, lease_token = NULL, lease_expires_at = NULL, progress = '{}',
        finished_at = clock_timestamp(), error = %(error)s, error_kind = %(error_kind)s,
        changed_in = pg_current_xact_id()
    WHERE id = %(id)s AND lease_token = %(token)s
    RETURNING id, state, attempt, run_id, leased_at, finished_at
), history AS (
    INSERT INTO attempts (image_id, attempt, run_id, outcome, started_at, ended_at, seconds, error, error_kind)
    SELECT id, attempt, run_id, 'failed', leased_at, finished_at, %(seconds)s, %(error)s, %(error_kind)s FROM failed
)
SELECT state, CASE WHEN state = 'queued' THEN pg_notify('imagomortis_queue', '') END FROM failed;

-- name: give_back
-- Leased images that were not begun: back to the queue as if they had never left it.
UPDATE images
SET state = 'queued', attempt = attempt - 1, lease_token = NULL, lease_expires_at = NULL, progress = '{}',
    changed_in = pg_current_xact_id()
WHERE lease_token = %(token)s AND id = ANY(%(ids)s)
RETURNING id, pg_notify('imagomortis_queue', '');

-- name: release_expired
-- Images whose worker is gone: a lost attempt. While Postgres was away nobody could renew a lease, so a lease that ran out
-- counts only when the pusher's contact has lasted for the life of one; that of a run that ended counts at once.
WITH expired AS (
    SELECT id
    FROM images
    WHERE state = 'processing'
      AND (lease_expires_at < now() AND in_contact_for(%(life)s) OR run_id = ANY(%(ended_runs)s))
    LIMIT 1000
    FOR UPDATE SKIP LOCKED
), lost AS (
    UPDATE images
    SET state = CASE WHEN failed_attempts + 1 >= %(max_attempts)s THEN 'failed' ELSE 'queued' END,
        failed_attempts = failed_attempts + 1, lease_token = NULL, lease_expires_at = NULL, progress = '{}',
        finished_at = clock_timestamp(), error = %(error)s, error_kind = 'worker-lost',
        changed_in = pg_current_xact_id()
    FROM expired
    WHERE images.id = expired.id
    RETURNING images.id, state, attempt, run_id, leased_at, finished_at, error, error_kind
), history AS (
    INSERT INTO attempts (image_id, attempt, run_id, outcome, started_at, ended_at, error, error_kind)
    SELECT id, attempt, run_id, 'lost', leased_at, finished_at, error, error_kind FROM lost
)
SELECT id, state, attempt, run_id, pg_notify('imagomortis_queue', '') FROM lost;

-- name: depth
-- How many images wait, counted up to a limit, and the creation of the oldest.
SELECT count(*) AS queued, min(created_at) AS oldest
FROM (
    SELECT created_at
    FROM images
    WHERE state = 'queued' AND deleted_at IS NULL AND NOT EXISTS (SELECT FROM control WHERE paused_at IS NOT NULL)
    ORDER BY created_at
    LIMIT %(limit)s
) AS waiting;

-- name: depth_elsewhere
-- The same without the images of the hours that a worker is there for and does not leave.
SELECT count(*) AS queued, min(created_at) AS oldest
FROM (
    SELECT created_at
    FROM images
    WHERE state = 'queued' AND deleted_at IS NULL AND NOT EXISTS (SELECT FROM control WHERE paused_at IS NOT NULL)
      AND NOT EXISTS (
        SELECT FROM workers
        WHERE only_hour AND gone_at IS NULL
          AND (seen_at > now() - %(seen_seconds)s * interval '1 second' OR NOT in_contact_for(%(seen_seconds)s))
          AND images.created_at >= hour AND images.created_at < hour + interval '1 hour')
    ORDER BY created_at
    LIMIT %(limit)s
) AS waiting;

-- name: seconds_each
-- Mean seconds that the oldest queued images will take. Sizes are alike within a factor of two; a larger image takes more in
-- proportion. Attempts are stored in their order of time, so each limit ends the reading early; the other one has the planner
-- look each image up, instead of reading all of them.
WITH recent AS (
    (SELECT image_id, seconds FROM attempts
     WHERE ended_at > now() - interval '1 minute' AND outcome = 'done' LIMIT 100)
    UNION ALL
    (SELECT image_id, seconds FROM attempts
     WHERE ended_at > now() - interval '10 minutes' AND outcome = 'done' LIMIT 100)
), known AS (
    SELECT recipe_digest, size_class, sum(seconds) / sum(pixels) AS seconds_a_pixel
    FROM recent,
         LATERAL (SELECT recipe_digest, width::float8 * height AS pixels FROM images WHERE id = image_id LIMIT 1) AS image,
         LATERAL (SELECT floor(ln(pixels) / ln(2)) AS size_class) AS class
    GROUP BY GROUPING SETS ((recipe_digest, size_class), (recipe_digest), (size_class))
), waiting AS (
    SELECT recipe_digest, width::float8 * height AS pixels, floor(ln(width::float8 * height) / ln(2)) AS size_class
    FROM images
    WHERE state = 'queued' AND deleted_at IS NULL
    ORDER BY created_at, id
    LIMIT 1000
)
SELECT avg(greatest(%(least)s, pixels * coalesce(alike.seconds_a_pixel, of_recipe.seconds_a_pixel,
                                                 of_size.seconds_a_pixel, 0)))::float8 AS seconds
FROM waiting
LEFT JOIN known AS alike ON alike.recipe_digest = waiting.recipe_digest AND alike.size_class = waiting.size_class
LEFT JOIN known AS of_recipe ON of_recipe.recipe_digest = waiting.recipe_digest AND of_recipe.size_class IS NULL
LEFT JOIN known AS of_size ON of_size.recipe_digest IS NULL AND of_size.size_class = waiting.size_class;

-- name: remaining
-- How many images of a span of time are not done yet, by state.
SELECT state, count(*) AS images
FROM images
WHERE created_at >= %(since)s AND created_at < %(until)s AND deleted_at IS NULL
GROUP BY state;

-- name: failures
-- The failed images of a span of time, newest first.
SELECT id, filename, error, error_kind
FROM images
WHERE created_at >= %(since)s AND created_at < %(until)s AND deleted_at IS NULL AND state = 'failed'
ORDER BY created_at DESC, id DESC
LIMIT %(limit)s;

-- name: thumbnails
-- The newest thumbnails of a span of time.
SELECT images.id, renditions.sha256, renditions.bytes
FROM images JOIN renditions ON renditions.image_id = images.id AND renditions.kind = 'thumbnail'
WHERE images.created_at >= %(since)s AND images.created_at < %(until)s AND images.deleted_at IS NULL
ORDER BY images.created_at DESC, images.id DESC
LIMIT %(limit)s;
