-- Workers: from requested to gone. A worker is alive while it is seen; a requested one has a minute to start. While
-- Postgres was away nobody could be seen, so workers count as gone only after as long a contact of the pusher.

-- name: keep_contact
-- Proves the pusher's contact by a commit, every second while somebody might be judged by it.
SELECT prove_contact()
FROM contact
WHERE proven_at <= now() - interval '1 second'
  AND (EXISTS (SELECT FROM workers WHERE gone_at IS NULL) OR EXISTS (SELECT FROM images WHERE state = 'processing'));

-- name: had_contact
SELECT in_contact_for(%(seconds)s) AS is_so;

-- name: note_release
UPDATE contact SET release = %(release)s WHERE release IS DISTINCT FROM %(release)s;

-- name: request
WITH asked AS (
    INSERT INTO workers (id, hour) SELECT gen_random_uuid(), %(hour)s FROM generate_series(1, %(count)s) RETURNING id
), contact AS MATERIALIZED (
    SELECT prove_contact()
)
SELECT id FROM asked, contact;

-- name: alive
SELECT count(*) AS alive
FROM workers
WHERE gone_at IS NULL
  AND CASE WHEN seen_at IS NULL THEN requested_at > now() - %(start_seconds)s * interval '1 second'
           ELSE seen_at > now() - %(seen_seconds)s * interval '1 second' END;

-- name: at_work
-- Live workers, oldest first, each with the images that it processes.
SELECT workers.run_id, workers.started_at, workers.images, count(held.id) AS processing,
       (array_agg(held.filename ORDER BY held.created_at, held.id) FILTER (WHERE held.id IS NOT NULL))[1:3] AS filenames
FROM workers LEFT JOIN images AS held
     ON held.state = 'processing' AND held.deleted_at IS NULL AND held.run_id = workers.run_id
WHERE workers.gone_at IS NULL AND workers.seen_at > now() - %(seen_seconds)s * interval '1 second'
GROUP BY workers.id
ORDER BY workers.started_at, workers.id
LIMIT %(limit)s;

-- name: census
SELECT count(*) AS alive, count(*) FILTER (WHERE only_hour) AS of_one_hour,
       count(*) FILTER (WHERE leaving AND NOT only_hour) AS leaving
FROM workers
WHERE gone_at IS NULL
  AND CASE WHEN seen_at IS NULL
           THEN requested_at > now() - %(start_seconds)s * interval '1 second' OR NOT in_contact_for(%(start_seconds)s)
           ELSE seen_at > now() - %(seen_seconds)s * interval '1 second' OR NOT in_contact_for(%(seen_seconds)s) END;

-- name: start
INSERT INTO workers (id, hour, only_hour, run_id, started_at, seen_at)
VALUES (%(id)s, %(hour)s, %(only_hour)s, %(run_id)s, now(), now())
ON CONFLICT (id) DO UPDATE
SET hour = excluded.hour, only_hour = excluded.only_hour, run_id = excluded.run_id, started_at = excluded.started_at,
    seen_at = excluded.seen_at, gone_at = NULL, leaving = false;

-- name: seen
UPDATE workers SET seen_at = now(), gone_at = NULL, images = %(images)s WHERE id = %(id)s
RETURNING (SELECT release FROM contact) AS release;

-- name: leave
-- The worker goes if nothing is left for it to do and enough others stand by that started after it; otherwise it stays
-- and no row comes back.
UPDATE workers
SET gone_at = now(), images = %(images)s
WHERE id = %(id)s AND (%(anyway)s OR NOT EXISTS (
    SELECT FROM images
    WHERE state = 'queued' AND deleted_at IS NULL AND NOT EXISTS (SELECT FROM control WHERE paused_at IS NOT NULL)
) AND %(standby)s <= (
    SELECT count(*) FROM workers AS other
    WHERE other.gone_at IS NULL AND NOT other.only_hour AND NOT other.leaving
      AND other.seen_at > now() - %(seen_seconds)s * interval '1 second'
      AND (other.started_at, other.id) > (workers.started_at, workers.id)))
RETURNING id;

-- name: retire
-- The pusher asks for another worker in place of one that is leaving.
UPDATE workers
SET leaving = true
WHERE id = %(id)s
RETURNING %(standby)s <= (
    SELECT count(*) FROM workers AS other
    WHERE other.gone_at IS NULL AND NOT other.only_hour AND NOT other.leaving AND other.id <> workers.id
      AND other.seen_at > now() - %(seen_seconds)s * interval '1 second') AS is_replaced;

-- name: waiting
-- Requested workers that have not started yet, for how long by the pusher's contact.
SELECT id FROM workers
WHERE gone_at IS NULL AND seen_at IS NULL AND requested_at < now() - %(seconds)s * interval '1 second'
  AND in_contact_for(%(seconds)s);

-- name: bury
UPDATE workers SET gone_at = now() WHERE id = ANY(%(ids)s) AND gone_at IS NULL AND seen_at IS NULL RETURNING id;

-- name: expect
-- Requested workers that have not started yet have a minute again.
UPDATE workers SET requested_at = now() WHERE id = ANY(%(ids)s) AND seen_at IS NULL AND gone_at IS NULL RETURNING id;

-- name: silent
-- The runs of requested workers that have not been seen for a while, for whatever reason.
SELECT run_id FROM workers
WHERE gone_at IS NULL AND NOT only_hour AND seen_at <= now() - %(seconds)s * interval '1 second';

-- name: end
-- Workers whose runs are known to have ended.
UPDATE workers SET gone_at = now() WHERE gone_at IS NULL AND run_id = ANY(%(run_ids)s) RETURNING id;

-- name: vanished
SELECT id, run_id FROM workers
WHERE gone_at IS NULL AND run_id IS NOT NULL AND seen_at <= now() - %(seen_seconds)s * interval '1 second'
  AND in_contact_for(%(seen_seconds)s);

-- name: lost_images
SELECT image_id FROM attempts WHERE run_id = %(run_id)s AND NOT run_expired AND outcome = 'lost'
UNION ALL
SELECT id FROM images WHERE state = 'processing' AND run_id = %(run_id)s
LIMIT 1;

-- name: sweep
UPDATE workers
SET gone_at = now()
WHERE gone_at IS NULL
  AND CASE WHEN seen_at IS NULL
           THEN requested_at <= now() - %(start_seconds)s * interval '1 second' AND in_contact_for(%(start_seconds)s)
           ELSE seen_at <= now() - %(seen_seconds)s * interval '1 second' AND in_contact_for(%(seen_seconds)s) END
RETURNING id, run_id;

-- name: end_all
UPDATE workers SET gone_at = now() WHERE gone_at IS NULL RETURNING id;

-- name: forget
DELETE FROM workers WHERE gone_at < now() - interval '1 day';
