-- Dagster's runs are not kept for ever: an attempt says whether its run is still there to be looked at.

ALTER TABLE attempts ADD COLUMN run_expired boolean NOT NULL DEFAULT false;

-- Which runs the attempts refer to; small, as runs that expired are not in it.
CREATE INDEX attempts_by_run ON attempts (run_id) WHERE NOT run_expired;
