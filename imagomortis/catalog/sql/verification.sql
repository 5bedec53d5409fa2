-- Reading everything again: what there is to read, in the order of the images' ids.

-- name: pictures
-- The originals and renditions of the next images behind an id, deleted ones too: they can still be restored.
SELECT images.id AS image_id, images.filename, images.created_at, picture.*
FROM (SELECT * FROM images WHERE id > %(after)s::uuid ORDER BY id LIMIT %(limit)s) AS images
CROSS JOIN LATERAL (
    SELECT 'original' AS kind, images.media_type, images.size, images.sha256
    UNION ALL
    SELECT kind, media_type, size, sha256 FROM renditions WHERE image_id = images.id
) AS picture
ORDER BY images.id, kind;

-- name: is_current
-- Whether that is still what is to be there: an image may be purged meanwhile, a rendition replaced.
SELECT CASE WHEN %(kind)s = 'original' THEN EXISTS (SELECT FROM images WHERE id = %(id)s)
            ELSE EXISTS (SELECT FROM renditions
                         WHERE image_id = %(id)s AND kind = %(kind)s AND sha256 = %(sha256)s) END AS is_current;

-- name: amount
SELECT (SELECT count(*) FROM images) + (SELECT count(*) FROM renditions) AS pictures,
       (SELECT coalesce(sum(size), 0) FROM images)::bigint + (SELECT coalesce(sum(size), 0) FROM renditions)::bigint AS bytes;
