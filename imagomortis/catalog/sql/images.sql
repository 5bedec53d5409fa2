-- Images as people see them: lists, details, bytes, edits, deletion. A deleted image is out of sight at once.

-- name: page
-- A page of images, newest first, after a cursor (the creation and id of the last image seen).
SELECT images.*, EXISTS (SELECT FROM renditions WHERE image_id = images.id AND kind = 'processed') AS is_processed
FROM images
WHERE deleted_at IS NULL
  AND (created_at, id) < (%(before)s::timestamptz, %(before_id)s::uuid)
  AND (%(states)s::text[] IS NULL OR state = ANY(%(states)s::text[]))
  AND (%(name)s::text IS NULL OR filename ILIKE %(name)s::text)
  AND (%(recipe)s::text IS NULL OR recipe_name = %(recipe)s::text OR recipe_digest = %(recipe)s::text)
  AND created_at >= %(since)s::timestamptz
ORDER BY created_at DESC, id DESC
LIMIT %(limit)s;

-- name: page_of_states
-- The same for a few states that are not done: from an index of their own.
SELECT images.*, EXISTS (SELECT FROM renditions WHERE image_id = images.id AND kind = 'processed') AS is_processed
FROM images
WHERE deleted_at IS NULL AND state <> 'done' AND state = ANY(%(states)s::text[])
  AND (created_at, id) < (%(before)s::timestamptz, %(before_id)s::uuid)
  AND (%(name)s::text IS NULL OR filename ILIKE %(name)s::text)
  AND (%(recipe)s::text IS NULL OR recipe_name = %(recipe)s::text OR recipe_digest = %(recipe)s::text)
  AND created_at >= %(since)s::timestamptz
ORDER BY created_at DESC, id DESC
LIMIT %(limit)s;

-- name: one
SELECT images.*, EXISTS (SELECT FROM renditions WHERE image_id = images.id AND kind = 'processed') AS is_processed
FROM images
WHERE id = %(id)s AND deleted_at IS NULL;

-- name: renditions
SELECT kind, media_type, width, height, size, sha256, recipe_digest, created_at
FROM renditions
WHERE image_id = %(id)s
ORDER BY kind;

-- name: attempts
SELECT attempt, run_id, outcome, started_at, ended_at, seconds, error, error_kind
FROM attempts
WHERE image_id = %(id)s
ORDER BY attempt;

-- name: best_picture
-- What a person wants to see: the processed picture if it is there, else the original.
SELECT coalesce(renditions.kind, 'original') AS kind, coalesce(renditions.media_type, images.media_type) AS media_type,
       coalesce(renditions.size, images.size) AS size, coalesce(renditions.sha256, images.sha256) AS sha256,
       images.filename
FROM images LEFT JOIN renditions ON renditions.image_id = images.id AND renditions.kind = 'processed'
WHERE images.id = %(id)s AND images.deleted_at IS NULL;

-- name: original_picture
SELECT 'original' AS kind, media_type, size, sha256, filename
FROM images
WHERE id = %(id)s AND deleted_at IS NULL;

-- name: rendition_picture
SELECT renditions.kind, renditions.media_type, renditions.size, renditions.sha256, images.filename
FROM images JOIN renditions ON renditions.image_id = images.id AND renditions.kind = %(kind)s
WHERE images.id = %(id)s AND images.deleted_at IS NULL;

-- name: original_range
-- substring() counts from 1; with STORAGE EXTERNAL it reads only the chunks that it needs.
SELECT substring(originals.bytes FROM %(start)s + 1 FOR %(length)s) AS bytes
FROM originals JOIN images ON images.id = originals.image_id
WHERE image_id = %(id)s AND images.deleted_at IS NULL;

-- name: rendition_range
-- The digest makes sure that all ranges come from the same rendition while a new one may replace it.
SELECT substring(renditions.bytes FROM %(start)s + 1 FOR %(length)s) AS bytes
FROM renditions JOIN images ON images.id = renditions.image_id
WHERE image_id = %(id)s AND kind = %(kind)s AND renditions.sha256 = %(sha256)s AND images.deleted_at IS NULL;

-- name: retry
UPDATE images
SET state = 'queued', failed_attempts = 0, progress = '{}', error = NULL, error_kind = NULL,
    lease_token = NULL, lease_expires_at = NULL, changed_in = pg_current_xact_id()
WHERE id = ANY(%(ids)s) AND deleted_at IS NULL AND state IN ('done', 'failed')
RETURNING id, pg_notify('imagomortis_images', ''), pg_notify('imagomortis_queue', '');

-- name: retry_failed
UPDATE images
SET state = 'queued', failed_attempts = 0, progress = '{}', error = NULL, error_kind = NULL,
    changed_in = pg_current_xact_id()
WHERE state = 'failed' AND deleted_at IS NULL
RETURNING id, pg_notify('imagomortis_images', ''), pg_notify('imagomortis_queue', '');

-- name: apply_recipe
-- A new recipe for an image in any state; an attempt under way loses its lease and its result.
UPDATE images
SET recipe = %(recipe)s, recipe_digest = %(recipe_digest)s, recipe_name = %(recipe_name)s,
    state = 'queued', failed_attempts = 0, progress = '{}', error = NULL, error_kind = NULL,
    lease_token = NULL, lease_expires_at = NULL, changed_in = pg_current_xact_id()
WHERE id = ANY(%(ids)s) AND deleted_at IS NULL
RETURNING id, pg_notify('imagomortis_images', ''), pg_notify('imagomortis_queue', '');

-- name: delete
-- Out of sight; an attempt under way loses its lease and its result, so that a restored image starts it again.
UPDATE images
SET deleted_at = now(), state = CASE state WHEN 'processing' THEN 'queued' ELSE state END,
    lease_token = NULL, lease_expires_at = NULL, changed_in = pg_current_xact_id()
WHERE id = ANY(%(ids)s) AND deleted_at IS NULL
RETURNING id, pg_notify('imagomortis_images', '');

-- name: delete_all
UPDATE images
SET deleted_at = now(), state = CASE state WHEN 'processing' THEN 'queued' ELSE state END,
    lease_token = NULL, lease_expires_at = NULL, changed_in = pg_current_xact_id()
WHERE deleted_at IS NULL
RETURNING id, pg_notify('imagomortis_images', '');

-- name: restore
UPDATE images
SET deleted_at = NULL, changed_in = pg_current_xact_id()
WHERE id = ANY(%(ids)s) AND deleted_at IS NOT NULL
RETURNING id, pg_notify('imagomortis_images', ''), pg_notify('imagomortis_queue', '');

-- name: purge
DELETE FROM images
WHERE id IN (SELECT id FROM images
             WHERE deleted_at < now() - %(undo_seconds)s * interval '1 second'
             LIMIT %(limit)s
             FOR UPDATE SKIP LOCKED)
RETURNING id;

-- name: known_digests
SELECT DISTINCT ON (sha256) sha256, id
FROM images
WHERE sha256 = ANY(%(sha256s)s) AND deleted_at IS NULL
ORDER BY sha256, created_at;

-- name: position
-- The first transaction that may still write: every change before it is visible to everyone from now on.
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS position;

-- name: changes
-- Images changed from one position up to the present one, each once, as they are now; deleted ones are named too.
SELECT images.*, changed_in::text::bigint AS position, EXISTS (SELECT FROM renditions WHERE image_id = images.id AND kind = 'processed') AS is_processed
FROM images
WHERE changed_in >= %(position)s::text::xid8 AND changed_in < %(until)s::text::xid8
ORDER BY changed_in
LIMIT %(limit)s;

-- name: counts
SELECT state, count(*) AS images FROM images WHERE deleted_at IS NULL AND state <> 'done' GROUP BY state;

-- name: total
SELECT count(*) AS images FROM images WHERE deleted_at IS NULL;

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
