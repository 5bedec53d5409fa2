-- What a healthy system has none of, and what waits: for those who look after it.

-- name: queue
-- What waits, since when something does, and when the last attempt of the past hour ended.
SELECT count(*) AS queued, min(created_at) AS oldest,
       (SELECT max(ended_at) FROM attempts WHERE ended_at > now() - interval '1 hour') AS last_ended, now() AS now,
       (SELECT count(*) FROM images WHERE deleted_at IS NULL AND state = 'failed') AS failed,
       (SELECT paused_at FROM control) AS paused_at
FROM images
WHERE state = 'queued' AND deleted_at IS NULL;

-- name: stuck_leases
-- Leases that ran out and that no pusher released.
SELECT id, filename, run_id, lease_expires_at AS expired_at
FROM images
WHERE state = 'processing' AND lease_expires_at < now() - %(seconds)s * interval '1 second'
ORDER BY lease_expires_at;

-- name: stuck_workers
-- Workers that were not seen and that no sweep noted as gone.
SELECT id
FROM workers
WHERE gone_at IS NULL AND greatest(requested_at, seen_at) < now() - %(seconds)s * interval '1 second';

-- name: runs_at_work
SELECT run_id
FROM workers
WHERE run_id IS NOT NULL AND greatest(seen_at, gone_at) > now() - %(seconds)s * interval '1 second';

-- name: moment
SELECT clock_timestamp() AS moment;

-- name: migrations
SELECT name FROM migrations;
