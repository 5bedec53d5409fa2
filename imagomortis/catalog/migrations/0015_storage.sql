-- An object store can have the bytes of pictures. Their rows then have NULL in place of bytes.

ALTER TABLE originals ALTER COLUMN bytes DROP NOT NULL;
ALTER TABLE renditions ALTER COLUMN bytes DROP NOT NULL;

-- The position of the sweep of the object store: the last name that it looked at.
ALTER TABLE control ADD COLUMN swept_to text NOT NULL DEFAULT '';

-- The requests of all parts to the object store, for the metrics.
CREATE TABLE storage_usage (
    operation text             PRIMARY KEY,
    requests  bigint           NOT NULL,
    errors    bigint           NOT NULL,
    seconds   double precision NOT NULL,
    bytes     bigint           NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
