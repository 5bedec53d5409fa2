-- Sessions that were signed out before their end.

-- name: end
-- Those that are over by now need no memory.
WITH over AS (
    DELETE FROM ended_sessions WHERE ends_at < now()
)
INSERT INTO ended_sessions (id, ends_at)
VALUES (%(id)s, to_timestamp(%(ends)s))
ON CONFLICT DO NOTHING;

-- name: has_ended
SELECT FROM ended_sessions WHERE id = %(id)s;
