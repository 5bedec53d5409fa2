-- Objects of bucket inboxes that stay where they are: one row tells that an object was looked at. Its id is made of the
-- source, the name and the ETag, and is the id of its image. The image cannot be that row, because it can be deleted.

CREATE TABLE seen_objects (
    id      uuid        PRIMARY KEY,
    seen_at timestamptz NOT NULL DEFAULT now(),
    name    text,
    refusal text,
    CONSTRAINT a_refusal_has_a_name CHECK ((name IS NULL) = (refusal IS NULL))
);

CREATE INDEX seen_objects_refused ON seen_objects (seen_at) WHERE refusal IS NOT NULL;

CREATE TABLE bucket_arrivals (
    outcome text   PRIMARY KEY,
    objects bigint NOT NULL,
    bytes   bigint NOT NULL
);

-- How many exports were written, and how many attempts failed. Their rows are as many as the images, too many to count.
CREATE TABLE export_totals (
    outcome text   PRIMARY KEY,
    exports bigint NOT NULL
);
