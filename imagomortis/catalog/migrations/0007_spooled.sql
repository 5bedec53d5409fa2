-- How many pictures the spool holds, noted by the pusher for those who do not see it; what is old says nothing.

CREATE TABLE spooled (
    one      boolean     PRIMARY KEY DEFAULT true CHECK (one),
    pictures integer     NOT NULL,
    noted_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
