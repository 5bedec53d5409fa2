-- Carrying a whole catalog out of one database and into another.

-- name: export
-- What a backup may see, for this connection and for pg_dump alike.
SELECT pg_export_snapshot() AS snapshot;

-- name: contents
-- A backup contains the bytes in rows. Pictures whose bytes are in an object store are only counted.
SELECT (SELECT count(*) FROM images) AS images, (SELECT count(*) FROM originals) AS originals,
       (SELECT count(*) FROM renditions) AS renditions,
       (SELECT coalesce(sum(size), 0) FROM images JOIN originals ON image_id = id
        WHERE bytes IS NOT NULL)::bigint AS original_bytes,
       (SELECT coalesce(sum(size), 0) FROM renditions WHERE bytes IS NOT NULL)::bigint AS rendition_bytes,
       (SELECT count(*) FROM originals WHERE bytes IS NULL)
         + (SELECT count(*) FROM renditions WHERE bytes IS NULL) AS elsewhere;

-- name: exists
SELECT to_regclass('images') IS NOT NULL AS exists;

-- name: is_empty
-- The catalog can be older than the table of assets.
SELECT NOT EXISTS (SELECT FROM images) AND NOT EXISTS (SELECT FROM recipes) AS empty,
       to_regclass('assets') IS NOT NULL AS has_assets;

-- name: is_without_assets
SELECT NOT EXISTS (SELECT FROM assets) AS empty;

-- name: users
-- Which parts are connected now.
SELECT DISTINCT application_name AS name
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND starts_with(application_name, 'imagomortis')
ORDER BY 1;

-- name: drop
-- Every table and function of every migration, in any schema version.
DROP TABLE IF EXISTS images, originals, renditions, attempts, workers, reprocessings, recipes, control,
    transform_timings, image_totals, spooled, ended_sessions, contact, storage_usage, exports, assets, asset_pictures,
    favourites, seen_objects, bucket_arrivals, export_totals, trash, image_order,
    migrations CASCADE;
DROP FUNCTION IF EXISTS count_new_images(), count_one_image(), count_no_images(), prove_contact(),
    in_contact_for(double precision), replace_rendition(), remove_former_renditions(), order_new_images(), natural_key(text);

-- name: originals_out
COPY originals TO STDOUT (FORMAT binary);

-- name: renditions_out
COPY renditions TO STDOUT (FORMAT binary);

-- name: triggers_off
-- The renditions of a backup replace nothing, and COPY is faster without triggers.
ALTER TABLE renditions DISABLE TRIGGER USER;

-- name: triggers_on
ALTER TABLE renditions ENABLE TRIGGER USER;

-- name: originals_in
COPY originals FROM STDIN (FORMAT binary);

-- name: renditions_in
COPY renditions FROM STDIN (FORMAT binary);

-- name: settle_images
-- Nobody works on these images here, so what was leased waits again, as if it had never been. Transactions are counted anew
-- in this database, so every image is stamped with one of its own.
UPDATE images
SET state = CASE state WHEN 'processing' THEN 'queued' ELSE state END,
    attempt = CASE state WHEN 'processing' THEN attempt - 1 ELSE attempt END,
    progress = CASE state WHEN 'processing' THEN '{}' ELSE progress END,
    lease_token = NULL, lease_expires_at = NULL, changed_in = pg_current_xact_id();

-- name: settle_workers
UPDATE workers SET gone_at = now() WHERE gone_at IS NULL;

-- name: settle_control
UPDATE control SET purged_in = pg_current_xact_id();

-- name: analyze
ANALYZE images, originals, renditions, attempts, workers, recipes, assets, asset_pictures,
    favourites, exports, seen_objects, trash, image_order;
