-- Figures of the pipeline for those who watch over it.

-- name: add_timings
-- In one order, so that two workers never wait for each other in a circle.
INSERT INTO transform_timings (transform, at_most, images, seconds)
SELECT *
FROM unnest(%(transforms)s::text[], %(at_mosts)s::float8[], %(images)s::bigint[], %(seconds)s::float8[])
  AS timing (transform, at_most, images, seconds)
ORDER BY transform, at_most
ON CONFLICT (transform, at_most) DO UPDATE
SET images = transform_timings.images + excluded.images, seconds = transform_timings.seconds + excluded.seconds;

-- name: timings
SELECT transform, at_most, images, seconds FROM transform_timings ORDER BY transform, at_most;

-- name: add_storage_usage
-- In one order, as above.
INSERT INTO storage_usage (operation, requests, errors, seconds, bytes)
SELECT *
FROM unnest(%(operations)s::text[], %(requests)s::bigint[], %(errors)s::bigint[], %(seconds)s::float8[],
            %(bytes)s::bigint[])
  AS used (operation, requests, errors, seconds, bytes)
ORDER BY operation
ON CONFLICT (operation) DO UPDATE
SET requests = storage_usage.requests + excluded.requests, errors = storage_usage.errors + excluded.errors,
    seconds = storage_usage.seconds + excluded.seconds, bytes = storage_usage.bytes + excluded.bytes;

-- name: storage_usage
SELECT operation, requests, errors, seconds, bytes FROM storage_usage ORDER BY operation;

-- name: queue
-- The number of queued images, and of leases that their workers did not renew.
SELECT (SELECT count(*) FROM images WHERE state = 'queued' AND deleted_at IS NULL) AS queued,
       (SELECT count(*) FROM images WHERE state = 'processing' AND lease_expires_at < now()) AS expired_leases,
       EXISTS (SELECT FROM control WHERE paused_at IS NOT NULL) AS paused;

-- name: longest_wait
-- Seconds that the oldest queued image has waited. If it was attempted before, its age says nothing about its wait, which
-- then counts from the newest end of any attempt in the last five minutes. In that case the oldest image without an attempt
-- is searched too, at worst among all queued images.
WITH oldest AS (
    SELECT attempt > 0 AS is_again,
           CASE WHEN attempt > 0
                THEN greatest(created_at, (SELECT max(ended_at) FROM attempts
                                           WHERE ended_at > now() - interval '5 minutes'))
                ELSE created_at END AS since
    FROM images
    WHERE state = 'queued' AND deleted_at IS NULL
    ORDER BY created_at, id
    LIMIT 1
)
SELECT extract(epoch FROM now() - least(since, CASE WHEN is_again THEN
           (SELECT created_at FROM images
            WHERE state = 'queued' AND deleted_at IS NULL AND attempt = 0 AND created_at < since
            ORDER BY created_at, id LIMIT 1) END))::float8 AS seconds
FROM oldest;

-- name: usual_seconds
-- Median and 95th percentile of the seconds of successful attempts since a moment; NULL if there were none.
SELECT percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY seconds) AS seconds
FROM attempts
WHERE ended_at >= %(since)s AND outcome = 'done';

-- name: attempts
-- Attempts that ended within a span of time, by what became of them and by how long they took.
SELECT outcome, coalesce(error_kind, '') AS error_kind, width_bucket(seconds, %(bounds)s::float8[]) AS class,
       count(*) AS attempts, coalesce(sum(seconds), 0)::float8 AS seconds
FROM attempts
WHERE ended_at > %(since)s AND ended_at <= %(until)s
GROUP BY 1, 2, 3;

-- name: note_spooled
INSERT INTO spooled (pictures) VALUES (%(pictures)s)
ON CONFLICT (one) DO UPDATE SET pictures = excluded.pictures, noted_at = now();

-- name: spooled
SELECT pictures FROM spooled WHERE noted_at > now() - %(seconds)s * interval '1 second';

-- name: now
SELECT now() AS now;

-- name: server
SELECT pg_database_size(current_database()) AS bytes,
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections,
       current_setting('max_connections')::integer AS most_connections;
