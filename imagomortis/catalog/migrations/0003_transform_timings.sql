-- How long each transform takes, as a histogram that workers add to and the metrics show; workers come and go, this stays.

CREATE TABLE transform_timings (
    transform text             NOT NULL,
    at_most   double precision NOT NULL,
    images    bigint           NOT NULL,
    seconds   double precision NOT NULL,
    PRIMARY KEY (transform, at_most)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
