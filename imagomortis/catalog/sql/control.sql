-- Pausing and resuming the processing.

-- name: pause
UPDATE control SET paused_at = coalesce(paused_at, now());

-- name: resume
UPDATE control SET paused_at = NULL WHERE paused_at IS NOT NULL RETURNING pg_notify('imagomortis_queue', '');

-- name: paused_at
SELECT paused_at FROM control;
