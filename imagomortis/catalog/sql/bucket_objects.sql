-- Objects of bucket inboxes: which were looked at and stay in place, and how many came.

-- name: seen
SELECT id FROM seen_objects WHERE id = ANY(%(ids)s);

-- name: note
INSERT INTO seen_objects (id, name, refusal) VALUES (%(id)s, %(name)s, %(refusal)s) ON CONFLICT DO NOTHING;

-- name: refusals
SELECT name, refusal, seen_at FROM seen_objects WHERE refusal IS NOT NULL ORDER BY seen_at DESC LIMIT %(limit)s;

-- name: count
INSERT INTO bucket_arrivals (outcome, objects, bytes) VALUES (%(outcome)s, 1, %(bytes)s)
ON CONFLICT (outcome) DO UPDATE
SET objects = bucket_arrivals.objects + 1, bytes = bucket_arrivals.bytes + excluded.bytes;

-- name: counts
SELECT outcome, objects, bytes FROM bucket_arrivals ORDER BY outcome;
