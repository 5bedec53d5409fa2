-- Images as people see them: lists, details, bytes, edits, deletion. A deleted image is out of sight at once.
-- Columns are named, as the next version may add one while this one works: a prepared statement must not change its result.

-- name: page
-- Images newest first, behind a cursor (the creation and id of the last image seen). A filter looks at no more than `scan`
-- of them, so that the rarest name costs no more than a slice of the index.
SELECT seen.*, (SELECT sha256 FROM renditions WHERE image_id = seen.id AND kind = 'processed') AS processed,
       (SELECT sha256 FROM renditions WHERE image_id = seen.id AND kind = 'thumbnail') AS thumbnail,
       (SELECT ARRAY[width, height] FROM renditions WHERE image_id = seen.id AND kind = 'thumbnail') AS thumbnail_size,
       (SELECT thumbhash FROM renditions WHERE image_id = seen.id AND kind = 'thumbnail') AS thumbhash,
       EXISTS (SELECT FROM favourites WHERE image_id = seen.id) AS favourite
FROM (
    SELECT id, created_at, filename, media_type, sha256, size, width, height, state, recipe, recipe_digest, recipe_name,
           attempt, failed_attempts, progress, run_id, leased_at, finished_at, error, error_kind, deleted_at
    FROM images
    WHERE deleted_at IS NULL
      AND (created_at, id) < (%(before)s::timestamptz, %(before_id)s::uuid) AND created_at >= %(since)s::timestamptz
    ORDER BY created_at DESC, id DESC
    LIMIT %(scan)s
) AS seen
WHERE (%(states)s::text[] IS NULL OR state = ANY(%(states)s::text[]))
  AND (%(name)s::text IS NULL OR filename ILIKE %(name)s::text)
  AND (%(recipe)s::text IS NULL OR recipe_name = %(recipe)s::text OR recipe_digest = %(recipe)s::text)
ORDER BY created_at DESC, id DESC
LIMIT %(limit)s;

-- name: page_of_states
-- The same for states other than done alone: from an index of their own, each state in its order.
SELECT seen.*, (SELECT sha256 FROM renditions WHERE image_id = seen.id AND kind = 'processed') AS processed,
       (SELECT sha256 FROM renditions WHERE image_id = seen.id AND kind = 'thumbnail') AS thumbnail,
       (SELECT ARRAY[width, height] FROM renditions WHERE image_id = seen.id AND kind = 'thumbnail') AS thumbnail_size,
       (SELECT thumbhash FROM renditions WHERE image_id = seen.id AND kind = 'thumbnail') AS thumbhash,
       EXISTS (SELECT FROM favourites WHERE image_id = seen.id) AS favourite
FROM unnest(%(states)s::text[]) AS wanted (state)
CROSS JOIN LATERAL (
    SELECT id, created_at, filename, media_type, sha256, size, width, height, state, recipe, recipe_digest, recipe_name,
           attempt, failed_attempts, progress, run_id, leased_at, finished_at, error, error_kind, deleted_at
    FROM images
    WHERE deleted_at IS NULL AND state <> 'done' AND images.state = wanted.state
      AND (created_at, id) < (%(before)s::timestamptz, %(before_id)s::uuid) AND created_at >= %(since)s::timestamptz
    ORDER BY created_at DESC, id DESC
    LIMIT %(limit)s
) AS seen
ORDER BY created_at DESC, id DESC
LIMIT %(limit)s;

-- name: page_of_favourites
-- The same for favourites: from the index of their table.
SELECT seen.*, (SELECT sha256 FROM renditions WHERE image_id = seen.id AND kind = 'processed') AS processed,
       (SELECT sha256 FROM renditions WHERE image_id = seen.id AND kind = 'thumbnail') AS thumbnail,
       (SELECT ARRAY[width, height] FROM renditions WHERE image_id = seen.id AND kind = 'thumbnail') AS thumbnail_size,
       (SELECT thumbhash FROM renditions WHERE image_id = seen.id AND kind = 'thumbnail') AS thumbhash,
       true AS favourite
FROM (
    SELECT id, images.created_at, filename, media_type, sha256, size, width, height, state, recipe, recipe_digest,
           recipe_name, attempt, failed_attempts, progress, run_id, leased_at, finished_at, error, error_kind, deleted_at
    FROM favourites JOIN images ON images.id = favourites.image_id
    WHERE deleted_at IS NULL
      AND (favourites.created_at, image_id) < (%(before)s::timestamptz, %(before_id)s::uuid)
      AND favourites.created_at >= %(since)s::timestamptz
      AND (%(states)s::text[] IS NULL OR state = ANY(%(states)s::text[]))
      AND (%(name)s::text IS NULL OR filename ILIKE %(name)s::text)
      AND (%(recipe)s::text IS NULL OR recipe_name = %(recipe)s::text OR recipe_digest = %(recipe)s::text)
    ORDER BY favourites.created_at DESC, image_id DESC
    LIMIT %(limit)s
) AS seen
ORDER BY created_at DESC, id DESC;

-- name: page_of_trash
-- The same for the trash: from the index of its table.
SELECT seen.*, (SELECT sha256 FROM renditions WHERE image_id = seen.id AND kind = 'processed') AS processed,
       (SELECT sha256 FROM renditions WHERE image_id = seen.id AND kind = 'thumbnail') AS thumbnail,
       (SELECT ARRAY[width, height] FROM renditions WHERE image_id = seen.id AND kind = 'thumbnail') AS thumbnail_size,
       (SELECT thumbhash FROM renditions WHERE image_id = seen.id AND kind = 'thumbnail') AS thumbhash,
       EXISTS (SELECT FROM favourites WHERE image_id = seen.id) AS favourite
FROM (
    SELECT id, images.created_at, filename, media_type, sha256, size, width, height, state, recipe, recipe_digest,
           recipe_name, attempt, failed_attempts, progress, run_id, leased_at, finished_at, error, error_kind, deleted_at
    FROM trash JOIN images ON images.id = trash.image_id
    WHERE deleted_at IS NOT NULL
      AND (trash.created_at, image_id) < (%(before)s::timestamptz, %(before_id)s::uuid)
      AND trash.created_at >= %(since)s::timestamptz
      AND (%(states)s::text[] IS NULL OR state = ANY(%(states)s::text[]))
      AND (%(name)s::text IS NULL OR filename ILIKE %(name)s::text)
      AND (%(recipe)s::text IS NULL OR recipe_name = %(recipe)s::text OR recipe_digest = %(recipe)s::text)
    ORDER BY trash.created_at DESC, image_id DESC
    LIMIT %(limit)s
) AS seen
ORDER BY created_at DESC, id DESC;

-- name: horizon
-- The last image that a filter looked at, from which the next look goes on; no row: there are no more.
SELECT created_at, id
FROM images
WHERE deleted_at IS NULL
  AND (created_at, id) < (%(before)s::timestamptz, %(before_id)s::uuid) AND created_at >= %(since)s::timestamptz
ORDER BY created_at DESC, id DESC
OFFSET %(scan)s - 1
LIMIT 1;

-- name: marks
-- Every so many-th image behind a cursor, and the last one: the places at which a long list can be cut into pieces. No more
-- than `scan` images are looked at.
SELECT created_at, id, number
FROM (
    SELECT created_at, id, row_number() OVER newest AS number, lead(id) OVER newest IS NULL AS is_last
    FROM (
        SELECT created_at, id
        FROM images
        WHERE deleted_at IS NULL
          AND (created_at, id) < (%(before)s::timestamptz, %(before_id)s::uuid) AND created_at >= %(since)s::timestamptz
          AND (%(states)s::text[] IS NULL OR state = ANY(%(states)s::text[]))
          AND (%(name)s::text IS NULL OR filename ILIKE %(name)s::text)
          AND (%(recipe)s::text IS NULL OR recipe_name = %(recipe)s::text OR recipe_digest = %(recipe)s::text)
        ORDER BY created_at DESC, id DESC
        LIMIT %(scan)s
    ) AS seen
    WINDOW newest AS (ORDER BY created_at DESC, id DESC)
) AS numbered
WHERE number %% %(every)s = 0 OR is_last
ORDER BY number;

-- name: marks_of_favourites
-- The same for favourites.
SELECT created_at, id, number
FROM (
    SELECT created_at, id, row_number() OVER newest AS number, lead(id) OVER newest IS NULL AS is_last
    FROM (
        SELECT favourites.created_at, id
        FROM favourites JOIN images ON images.id = favourites.image_id
        WHERE deleted_at IS NULL
          AND (favourites.created_at, image_id) < (%(before)s::timestamptz, %(before_id)s::uuid)
          AND favourites.created_at >= %(since)s::timestamptz
          AND (%(states)s::text[] IS NULL OR state = ANY(%(states)s::text[]))
          AND (%(name)s::text IS NULL OR filename ILIKE %(name)s::text)
          AND (%(recipe)s::text IS NULL OR recipe_name = %(recipe)s::text OR recipe_digest = %(recipe)s::text)
        ORDER BY favourites.created_at DESC, image_id DESC
        LIMIT %(scan)s
    ) AS seen
    WINDOW newest AS (ORDER BY created_at DESC, id DESC)
) AS numbered
WHERE number %% %(every)s = 0 OR is_last
ORDER BY number;

-- name: marks_of_trash
-- The same for the trash.
SELECT created_at, id, number
FROM (
    SELECT created_at, id, row_number() OVER newest AS number, lead(id) OVER newest IS NULL AS is_last
    FROM (
        SELECT trash.created_at, id
        FROM trash JOIN images ON images.id = trash.image_id
        WHERE deleted_at IS NOT NULL
          AND (trash.created_at, image_id) < (%(before)s::timestamptz, %(before_id)s::uuid)
          AND trash.created_at >= %(since)s::timestamptz
          AND (%(states)s::text[] IS NULL OR state = ANY(%(states)s::text[]))
          AND (%(name)s::text IS NULL OR filename ILIKE %(name)s::text)
          AND (%(recipe)s::text IS NULL OR recipe_name = %(recipe)s::text OR recipe_digest = %(recipe)s::text)
        ORDER BY trash.created_at DESC, image_id DESC
        LIMIT %(scan)s
    ) AS seen
    WINDOW newest AS (ORDER BY created_at DESC, id DESC)
) AS numbered
WHERE number %% %(every)s = 0 OR is_last
ORDER BY number;

-- name: one
SELECT id, created_at, filename, media_type, sha256, size, width, height, state, recipe, recipe_digest, recipe_name,
       attempt, failed_attempts, progress, run_id, leased_at, finished_at, error, error_kind, deleted_at,
       (SELECT sha256 FROM renditions WHERE image_id = images.id AND kind = 'processed') AS processed,
       (SELECT sha256 FROM renditions WHERE image_id = images.id AND kind = 'thumbnail') AS thumbnail,
       (SELECT ARRAY[width, height] FROM renditions WHERE image_id = images.id AND kind = 'thumbnail') AS thumbnail_size,
       (SELECT thumbhash FROM renditions WHERE image_id = images.id AND kind = 'thumbnail') AS thumbhash,
       EXISTS (SELECT FROM favourites WHERE image_id = images.id) AS favourite
FROM images
WHERE id = %(id)s AND deleted_at IS NULL;

-- name: renditions
-- The outputs with their names, the first one first and then the largest, and the thumbnail.
SELECT kind, CASE WHEN kind <> 'thumbnail' THEN coalesce(output, kind) END AS output, media_type, width, height, size,
       sha256, recipe_digest, created_at
FROM renditions
WHERE image_id = (SELECT id FROM images WHERE id = %(id)s AND deleted_at IS NULL)
ORDER BY kind = 'thumbnail', kind <> 'processed', width DESC, kind;

-- name: attempts
SELECT attempt, run_id, run_expired, outcome, started_at, ended_at, seconds, error, error_kind
FROM attempts
WHERE image_id = %(id)s
ORDER BY attempt;

-- name: best_picture
-- What a person wants to see, with its first bytes: the processed picture if it is there, else the original. All of the
-- bytes are read several times as fast without substring(). If an object store has the bytes, the head is NULL.
SELECT coalesce(renditions.kind, 'original') AS kind, coalesce(renditions.media_type, images.media_type) AS media_type,
       coalesce(renditions.size, images.size) AS size, coalesce(renditions.sha256, images.sha256) AS sha256,
       images.filename, images.created_at,
       CASE WHEN renditions.kind IS NOT NULL
            THEN CASE WHEN renditions.size <= %(head)s THEN renditions.bytes
                      ELSE substring(renditions.bytes FROM 1 FOR %(head)s) END
            WHEN images.size <= %(head)s THEN (SELECT bytes FROM originals WHERE image_id = images.id)
            ELSE (SELECT substring(bytes FROM 1 FOR %(head)s) FROM originals WHERE image_id = images.id) END AS head
FROM images LEFT JOIN renditions ON renditions.image_id = images.id AND renditions.kind = 'processed'
WHERE images.id = %(id)s AND images.deleted_at IS NULL;

-- name: original_picture
SELECT 'original' AS kind, media_type, size, sha256, filename, created_at,
       CASE WHEN size <= %(head)s THEN bytes ELSE substring(bytes FROM 1 FOR %(head)s) END AS head
FROM images JOIN originals ON originals.image_id = images.id
WHERE id = %(id)s AND deleted_at IS NULL;

-- name: rendition_picture
SELECT renditions.kind, renditions.media_type, renditions.size, renditions.sha256, images.filename, images.created_at,
       CASE WHEN renditions.size <= %(head)s THEN renditions.bytes
            ELSE substring(renditions.bytes FROM 1 FOR %(head)s) END AS head
FROM images JOIN renditions ON renditions.image_id = images.id AND renditions.kind = %(kind)s
WHERE images.id = %(id)s AND images.deleted_at IS NULL;

-- name: original_in_trash
SELECT 'original' AS kind, media_type, size, sha256, filename, images.created_at,
       CASE WHEN size <= %(head)s THEN originals.bytes ELSE substring(originals.bytes FROM 1 FOR %(head)s) END AS head
FROM images JOIN trash ON trash.image_id = images.id JOIN originals ON originals.image_id = images.id
WHERE id = %(id)s AND deleted_at IS NOT NULL;

-- name: rendition_in_trash
SELECT renditions.kind, renditions.media_type, renditions.size, renditions.sha256, images.filename, images.created_at,
       CASE WHEN renditions.size <= %(head)s THEN renditions.bytes
            ELSE substring(renditions.bytes FROM 1 FOR %(head)s) END AS head
FROM images JOIN trash ON trash.image_id = images.id
     JOIN renditions ON renditions.image_id = images.id AND renditions.kind = %(kind)s
WHERE images.id = %(id)s AND images.deleted_at IS NOT NULL;

-- name: output_picture
SELECT renditions.kind, renditions.output, renditions.media_type, renditions.size, renditions.sha256, images.filename,
       images.created_at,
       CASE WHEN renditions.size <= %(head)s THEN renditions.bytes
            ELSE substring(renditions.bytes FROM 1 FOR %(head)s) END AS head
FROM images JOIN renditions ON renditions.image_id = images.id AND coalesce(renditions.output, renditions.kind) = %(kind)s
WHERE images.id = %(id)s AND images.deleted_at IS NULL;

-- name: retry
UPDATE images
SET state = 'queued', failed_attempts = 0, progress = '{}', error = NULL, error_kind = NULL,
    lease_token = NULL, lease_expires_at = NULL, changed_in = pg_current_xact_id()
WHERE id = ANY(%(ids)s) AND deleted_at IS NULL AND state IN ('done', 'failed')
RETURNING id, pg_notify('imagomortis_queue', '');

-- name: retry_failed
UPDATE images
SET state = 'queued', failed_attempts = 0, progress = '{}', error = NULL, error_kind = NULL,
    changed_in = pg_current_xact_id()
WHERE state = 'failed' AND deleted_at IS NULL
RETURNING id, pg_notify('imagomortis_queue', '');

-- name: begin_reprocessing
-- When a run began to reprocess an hour; no row if it has put back all of it. Until then their number is -1.
INSERT INTO reprocessings (run_id, hour, images) VALUES (%(run_id)s, %(hour)s, -1)
ON CONFLICT (run_id, hour) DO UPDATE SET images = reprocessings.images WHERE reprocessings.images < 0
RETURNING started_at;

-- name: end_reprocessing
UPDATE reprocessings SET images = %(images)s WHERE run_id = %(run_id)s AND hour = %(hour)s;

-- name: reprocess_some
-- A slice of the images of a span of time that were finished before a moment, oldest first, behind the last one of the slice
-- before.
WITH chosen AS (
    SELECT id
    FROM images
    WHERE deleted_at IS NULL AND state IN ('done', 'failed') AND finished_at < %(finished_before)s
      AND created_at >= %(since)s::timestamptz AND created_at < %(until)s::timestamptz
      AND (created_at, id) > (%(after)s::timestamptz, %(after_id)s::uuid)
    ORDER BY created_at, id
    LIMIT %(limit)s
    FOR UPDATE
)
UPDATE images
SET state = 'queued', failed_attempts = 0, progress = '{}', error = NULL, error_kind = NULL,
    lease_token = NULL, lease_expires_at = NULL, changed_in = pg_current_xact_id()
FROM chosen
WHERE images.id = chosen.id
RETURNING images.created_at, images.id, pg_notify('imagomortis_queue', '');

-- name: everything_until
-- The creation up to which "all" reaches: what is in sight, though its uploader's clock is ahead, and what was accepted before
-- now and is on its way here.
SELECT greatest(now(), max(created_at)) AS until FROM images WHERE deleted_at IS NULL;

-- name: cancel_some
-- A slice of what waits: done again where the processed picture is by the very recipe that was asked for, else failed
-- with a cause, so that it can be retried.
WITH chosen AS (
    SELECT id, EXISTS (SELECT FROM renditions
                       WHERE image_id = images.id AND kind = 'processed'
                         AND renditions.recipe_digest = images.recipe_digest) AS is_made
    FROM images
    WHERE deleted_at IS NULL AND state = 'queued' AND created_at <= %(until)s
    ORDER BY created_at, id
    LIMIT %(limit)s
    FOR UPDATE OF images
)
UPDATE images
SET state = CASE WHEN is_made THEN 'done' ELSE 'failed' END, finished_at = clock_timestamp(), progress = '{}',
    error = CASE WHEN NOT is_made THEN %(error)s END, error_kind = CASE WHEN NOT is_made THEN 'cancelled' END,
    changed_in = pg_current_xact_id()
FROM chosen
WHERE images.id = chosen.id
RETURNING images.id;

-- name: apply_recipe
-- A new recipe for an image in any state; an attempt under way loses its lease and its result. Returns the former recipe, too.
WITH former AS (
    SELECT id, recipe
    FROM images
    WHERE id = ANY(%(ids)s) AND deleted_at IS NULL
    ORDER BY created_at, id
    FOR UPDATE
)
UPDATE images
SET recipe = %(recipe)s, recipe_digest = %(recipe_digest)s, recipe_name = %(recipe_name)s,
    state = 'queued', failed_attempts = 0, progress = '{}', error = NULL, error_kind = NULL,
    lease_token = NULL, lease_expires_at = NULL, changed_in = pg_current_xact_id()
FROM former
WHERE images.id = former.id
RETURNING images.id, former.recipe, pg_notify('imagomortis_queue', '');

-- name: mark_favourites
-- The new value of changed_in makes the event stream send the images.
WITH chosen AS (
    SELECT id, created_at FROM images WHERE id = ANY(%(ids)s) AND deleted_at IS NULL ORDER BY created_at, id FOR UPDATE
), marked AS (
    INSERT INTO favourites (image_id, created_at) SELECT id, created_at FROM chosen ON CONFLICT DO NOTHING
)
UPDATE images SET changed_in = pg_current_xact_id() FROM chosen WHERE images.id = chosen.id RETURNING images.id;

-- name: unmark_favourites
WITH chosen AS (
    SELECT id FROM images WHERE id = ANY(%(ids)s) AND deleted_at IS NULL ORDER BY created_at, id FOR UPDATE
), unmarked AS (
    DELETE FROM favourites USING chosen WHERE image_id = chosen.id
)
UPDATE images SET changed_in = pg_current_xact_id() FROM chosen WHERE images.id = chosen.id RETURNING images.id;

-- name: delete
-- Out of sight; an attempt under way loses its lease and its result, so that a restored image starts it again. Those in the
-- trash leave it if they are wanted too.
WITH deleted AS (
    UPDATE images
    SET deleted_at = now(), deleted_with_all = false, state = CASE state WHEN 'processing' THEN 'queued' ELSE state END,
        lease_token = NULL, lease_expires_at = NULL, changed_in = pg_current_xact_id()
    WHERE id = ANY(%(ids)s)
      AND (deleted_at IS NULL OR %(also_trashed)s AND EXISTS (SELECT FROM trash WHERE image_id = images.id))
    RETURNING id
), taken_out AS (
    DELETE FROM trash USING deleted WHERE image_id = deleted.id
)
SELECT id FROM deleted;

-- name: delete_some
-- A slice of all images that were created up to a moment, locked in the order in which workers save them. The slice is a
-- CTE, because a planner without new statistics may run a subquery of IN once for each row of the table.
WITH chosen AS (
    SELECT id
    FROM images
    WHERE deleted_at IS NULL AND created_at <= %(until)s
    ORDER BY created_at, id
    LIMIT %(limit)s
    FOR UPDATE
)
UPDATE images
SET deleted_at = now(), deleted_with_all = true, state = CASE state WHEN 'processing' THEN 'queued' ELSE state END,
    lease_token = NULL, lease_expires_at = NULL, changed_in = pg_current_xact_id()
FROM chosen
WHERE images.id = chosen.id
RETURNING images.id;

-- name: restore
WITH restored AS (
    UPDATE images
    SET deleted_at = NULL, changed_in = pg_current_xact_id()
    WHERE id = ANY(%(ids)s) AND deleted_at IS NOT NULL
    RETURNING id
), taken_out AS (
    DELETE FROM trash USING restored WHERE image_id = restored.id
)
SELECT id, pg_notify('imagomortis_queue', '') FROM restored;

-- name: last_trashed_with_all
-- Null if all images were deleted later than that, but not into the trash.
SELECT max(trashed_at) AS at
FROM trash JOIN images ON id = image_id
WHERE deleted_at IS NOT NULL AND deleted_with_all
  AND trashed_at > coalesce((SELECT max(deleted_at) FROM images WHERE deleted_at < %(end_of_time)s AND deleted_with_all),
                            '-infinity');

-- name: restore_some
-- A slice of the images that were deleted with all others: those that were put into the trash then, else those that were
-- not put there.
WITH chosen AS (
    SELECT id
    FROM images LEFT JOIN trash ON image_id = id
    WHERE deleted_at IS NOT NULL AND deleted_with_all AND trashed_at IS NOT DISTINCT FROM %(trashed_at)s
    ORDER BY deleted_at
    LIMIT %(limit)s
    FOR UPDATE OF images
), taken_out AS (
    DELETE FROM trash USING chosen WHERE image_id = chosen.id
)
UPDATE images
SET deleted_at = NULL, changed_in = pg_current_xact_id()
FROM chosen
WHERE images.id = chosen.id
RETURNING images.id, pg_notify('imagomortis_queue', '');

-- name: purge
-- Renditions go with their image. Their kinds and digests name their bytes in the object store, which may have them.
-- What is purged can tell nobody any more that it was deleted, so the last change that is lost is noted.
WITH chosen AS (
    SELECT id
    FROM images
    WHERE deleted_at < now() - %(undo_seconds)s * interval '1 second'
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
), purged AS (
    DELETE FROM images
    USING chosen
    WHERE images.id = chosen.id
    RETURNING images.id, changed_in
), noted AS (
    UPDATE control
    SET purged_in = greatest(purged_in, (SELECT max(changed_in) FROM purged))
    WHERE EXISTS (SELECT FROM purged)
)
SELECT id, ARRAY(SELECT kind FROM renditions WHERE image_id = purged.id ORDER BY kind) AS kinds,
       ARRAY(SELECT sha256 FROM renditions WHERE image_id = purged.id ORDER BY kind) AS sha256s
FROM purged;

-- name: hours_of_purged_failures
SELECT DISTINCT date_trunc('hour', created_at, 'UTC') AS hour
FROM images
WHERE deleted_at < now() - %(undo_seconds)s * interval '1 second' AND state = 'failed';

-- name: known_digests
SELECT DISTINCT ON (sha256) sha256, id
FROM images
WHERE sha256 = ANY(%(sha256s)s) AND deleted_at IS NULL
ORDER BY sha256, created_at;

-- name: place
-- Where the stream of changes is. A position is the first transaction that may still write: every change before it is
-- visible to everyone from now on. The epoch is another one in a database that was restored from a backup.
SELECT pg_snapshot_xmin(here)::text::bigint AS position, pg_snapshot_xmax(here)::text::bigint AS ahead,
       (SELECT purged_in FROM control)::text::bigint AS purged,
       md5(concat_ws('.', server.system_identifier, (SELECT oid FROM pg_database WHERE datname = current_database()),
                     'images'::regclass::oid)) AS epoch
FROM pg_current_snapshot() AS here, pg_control_system() AS server;

-- name: changes
-- Images changed from one position up to the present one, each once, as they are now; deleted ones are named too.
WITH place AS MATERIALIZED (
    SELECT pg_snapshot_xmin(here) AS position, pg_snapshot_xmax(here) AS ahead FROM pg_current_snapshot() AS here
)
SELECT place.position::text::bigint AS position, place.ahead::text::bigint AS ahead, changed.*,
       (SELECT sha256 FROM renditions WHERE image_id = changed.id AND kind = 'processed') AS processed,
       (SELECT sha256 FROM renditions WHERE image_id = changed.id AND kind = 'thumbnail') AS thumbnail,
       (SELECT ARRAY[width, height] FROM renditions WHERE image_id = changed.id AND kind = 'thumbnail') AS thumbnail_size,
       (SELECT thumbhash FROM renditions WHERE image_id = changed.id AND kind = 'thumbnail') AS thumbhash,
       EXISTS (SELECT FROM favourites WHERE image_id = changed.id) AS favourite
FROM place LEFT JOIN LATERAL (
    SELECT id, created_at, filename, media_type, sha256, size, width, height, state, recipe, recipe_digest, recipe_name,
           attempt, failed_attempts, progress, run_id, leased_at, finished_at, error, error_kind, deleted_at
    FROM images
    WHERE changed_in >= %(since)s::text::xid8 AND changed_in < place.position
    ORDER BY changed_in
    LIMIT %(limit)s
) AS changed ON true;

-- name: has_changed
-- In order, as otherwise Postgres expects to meet one soon in a scan of everything.
SELECT id FROM images WHERE changed_in >= %(since)s::text::xid8 ORDER BY changed_in LIMIT 1;

-- name: counts
SELECT state, count(*) AS images FROM images WHERE deleted_at IS NULL AND state <> 'done' GROUP BY state;

-- name: total
-- Kept by triggers, see 0004_image_totals.sql.
SELECT coalesce(sum(images), 0)::bigint AS images FROM image_totals;

-- name: fold_totals
WITH folded AS (
    DELETE FROM image_totals WHERE (SELECT count(*) FROM image_totals) > 1 RETURNING images
)
INSERT INTO image_totals SELECT sum(images) FROM folded HAVING count(*) > 0;

-- name: oldest_queued
SELECT created_at FROM images WHERE state = 'queued' AND deleted_at IS NULL ORDER BY created_at LIMIT 1;

-- name: taken
SELECT count(*) AS images FROM images WHERE created_at >= %(since)s AND deleted_at IS NULL;

-- name: done_since
SELECT count(*) AS images FROM attempts WHERE ended_at >= %(since)s AND outcome = 'done';

-- name: throughput
-- Finished attempts by the minute.
SELECT date_trunc('minute', ended_at) AS minute, outcome, count(*) AS images
FROM attempts
WHERE ended_at >= %(since)s
GROUP BY 1, 2
ORDER BY 1;

-- name: storage
SELECT pg_total_relation_size('originals') AS originals, pg_total_relation_size('renditions') AS renditions,
       pg_database_size(current_database()) AS database;

-- name: in_object_store
SELECT (SELECT coalesce(sum(size), 0) FROM images JOIN originals ON image_id = id WHERE bytes IS NULL)::bigint AS originals,
       (SELECT coalesce(sum(size), 0) FROM renditions WHERE bytes IS NULL)::bigint AS renditions;
