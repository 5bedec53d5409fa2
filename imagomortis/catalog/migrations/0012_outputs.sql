-- A recipe may name several outputs. The first one is stored as `processed`, so that whoever reads that need not know its name,
-- which stands in `output` if it is another one. The others are stored under their names.

ALTER TABLE renditions
    DROP CONSTRAINT renditions_kind_check,
    ADD CONSTRAINT renditions_kind_check CHECK (kind ~ '^[a-z0-9_-]{1,32}$' AND kind NOT IN ('original', 'preview')),
    ADD COLUMN output text;
