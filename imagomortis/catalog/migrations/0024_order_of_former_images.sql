-- The places of the images that are there already. Each image is locked when it is read, so that it cannot be purged before
-- its place is there. Until this step commits, these images are neither leased nor edited, and events about changes wait.
INSERT INTO image_order (image_id, sort, key)
SELECT id, sort, key
FROM (SELECT id, filename, size FROM images FOR KEY SHARE) AS images,
     LATERAL (VALUES ('name', coalesce(natural_key(filename), '')), ('size', lpad(size::text, 19, '0'))) AS places (sort, key)
ON CONFLICT DO NOTHING;
