-- The pusher's contact with this server: since when it has lasted, and the commit that last proved it. While nobody could
-- write, no worker could renew its lease, so nobody is judged by it.

CREATE TABLE contact (
    one       boolean     PRIMARY KEY DEFAULT true CHECK (one),
    since     timestamptz NOT NULL DEFAULT '-infinity',
    proven_at timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

INSERT INTO contact DEFAULT VALUES;

-- Extends the contact, or begins a new one after a start of the server or a gap. A lease of 15 s that is renewed each 5 s
-- outlives a gap of 7 s.
CREATE FUNCTION prove_contact() RETURNS void LANGUAGE sql BEGIN ATOMIC
    UPDATE contact
    SET since = CASE WHEN proven_at > greatest(now() - interval '7 seconds', pg_postmaster_start_time()) THEN since
                     ELSE now() END,
        proven_at = now();
END;

-- Whether the contact lasts, and has for so many seconds. It is asked in the statement that judges: before that
-- statement began the server may have stood still.
CREATE FUNCTION in_contact_for(seconds double precision) RETURNS boolean STABLE LANGUAGE sql
RETURN (SELECT since <= now() - seconds * interval '1 second'
               AND proven_at > greatest(now() - interval '7 seconds', pg_postmaster_start_time())
        FROM contact);
