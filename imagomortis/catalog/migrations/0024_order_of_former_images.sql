-- The places of the images that are there already. The former step's lock is released by now, so workers go on meanwhile.
INSERT INTO image_order (image_id, sort, key)
SELECT id, sort, key
FROM images, LATERAL (VALUES ('name', coalesce(natural_key(filename), '')), ('size', lpad(size::text, 19, '0'))) AS places (sort, key)
ON CONFLICT DO NOTHING;
