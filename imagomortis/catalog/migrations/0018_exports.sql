-- Images whose recipe names an export target: the last result to export, and how far that is. Only one result of an image is
-- exported at a time, which a claim makes sure of. A new result waits for the end of the claim.
CREATE TABLE exports (
    image_id        uuid        PRIMARY KEY REFERENCES images ON DELETE CASCADE,
    attempt         integer     NOT NULL,
    target          text        NOT NULL,
    urls            text[]      NOT NULL DEFAULT '{}',
    exported_at     timestamptz,
    failed_attempts integer     NOT NULL DEFAULT 0,
    error           text,
    next_try_at     timestamptz NOT NULL DEFAULT now(),
    claim           uuid,
    claimed_until   timestamptz,
    CONSTRAINT a_claim_is_whole CHECK ((claim IS NULL) = (claimed_until IS NULL))
) WITH (fillfactor = 80);

CREATE INDEX exports_waiting ON exports ((failed_attempts > 0), next_try_at) WHERE exported_at IS NULL;
