-- How workers saved from named outputs on until whole renditions: they still do during a rollout.
WITH result AS (
    SELECT * FROM unnest(%(ids)s::uuid[], %(seconds)s::float8[]) AS result (id, seconds)
), saved AS (
    UPDATE images
    SET state = 'done', lease_token = NULL, lease_expires_at = NULL, failed_attempts = 0, progress = '{}',
        finished_at = clock_timestamp(), error = NULL, error_kind = NULL, changed_in = pg_current_xact_id()
    FROM result
    WHERE images.id = result.id AND images.lease_token = %(token)s
    RETURNING images.id, images.attempt, images.run_id, images.leased_at, images.finished_at, result.seconds
), history AS (
    INSERT INTO attempts (image_id, attempt, run_id, outcome, started_at, ended_at, seconds)
    SELECT id, attempt, run_id, 'done', leased_at, finished_at, seconds FROM saved
), former AS (
    DELETE FROM renditions
    USING saved
    WHERE renditions.image_id = saved.id
      AND (renditions.image_id, renditions.kind) NOT IN (SELECT * FROM unnest(%(image_ids)s::uuid[], %(kinds)s::text[]))
), rendition AS (
    INSERT INTO renditions (image_id, kind, output, media_type, width, height, size, sha256, recipe_digest, thumbhash, bytes)
    SELECT rendition.*
    FROM unnest(%(image_ids)s::uuid[], %(kinds)s::text[], %(outputs)s::text[], %(media_types)s::text[], %(widths)s::integer[],
                %(heights)s::integer[], %(sizes)s::bigint[], %(sha256s)s::bytea[], %(recipe_digests)s::text[],
                %(thumbhashes)s::bytea[], %(bytes)b::bytea[])
      AS rendition (image_id, kind, output, media_type, width, height, size, sha256, recipe_digest, thumbhash, bytes)
    JOIN saved ON saved.id = rendition.image_id
    ON CONFLICT (image_id, kind) DO UPDATE
    SET output = excluded.output, media_type = excluded.media_type, width = excluded.width, height = excluded.height, size = excluded.size,
        sha256 = excluded.sha256, recipe_digest = excluded.recipe_digest, created_at = now(),
        thumbhash = excluded.thumbhash, bytes = excluded.bytes
)
SELECT id FROM saved;
