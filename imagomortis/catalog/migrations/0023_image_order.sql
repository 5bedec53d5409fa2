-- The places of images in lists by name and by size. A row is written once, with its image: no later change of the image, such
-- as a lease, writes to these indexes.

CREATE TABLE image_order (
    image_id uuid NOT NULL REFERENCES images ON DELETE CASCADE,
    sort     text NOT NULL CHECK (sort IN ('name', 'size')),
    key      text NOT NULL COLLATE "C",
    PRIMARY KEY (image_id, sort)
);
CREATE UNIQUE INDEX image_order_by_key ON image_order (sort, key, image_id);

-- A name with the length of each number before the number, so that img2 comes before img10.
CREATE FUNCTION natural_key(name text) RETURNS text IMMUTABLE PARALLEL SAFE LANGUAGE sql BEGIN ATOMIC
    SELECT string_agg(CASE WHEN run[2] IS NULL THEN run[1]
                           ELSE lpad(length(ltrim(run[2], '0'))::text, 3, '0') || ltrim(run[2], '0') END,
                      '' ORDER BY number)
    FROM regexp_matches(lower(name), '([^0-9]+)|([0-9]+)', 'g') WITH ORDINALITY AS runs (run, number);
END;

CREATE FUNCTION order_new_images() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO image_order (image_id, sort, key)
    SELECT id, sort, key
    FROM added, LATERAL (VALUES ('name', coalesce(natural_key(filename), '')), ('size', lpad(size::text, 19, '0'))) AS places (sort, key);
    RETURN NULL;
END
$$;

CREATE TRIGGER images_ordered AFTER INSERT ON images
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION order_new_images();
