-- The catalog as a storage: the bytes of pictures in the rows that the queue inserted.

-- name: put_originals
UPDATE originals SET bytes = name.bytes
FROM unnest(%(ids)s::uuid[], %(bytes)b::bytea[]) WITH ORDINALITY AS name (id, bytes, number)
WHERE image_id = name.id
RETURNING name.number;

-- name: put_renditions
UPDATE renditions SET bytes = name.bytes
FROM unnest(%(ids)s::uuid[], %(kinds)s::text[], %(sha256s)s::bytea[], %(bytes)b::bytea[])
  WITH ORDINALITY AS name (id, kind, sha256, bytes, number)
WHERE image_id = name.id AND renditions.kind = name.kind AND renditions.sha256 = name.sha256
RETURNING name.number;

-- name: get_originals
SELECT name.number, bytes
FROM unnest(%(ids)s::uuid[]) WITH ORDINALITY AS name (id, number) JOIN originals ON image_id = name.id;

-- name: get_renditions
SELECT name.number, bytes
FROM unnest(%(ids)s::uuid[], %(kinds)s::text[], %(sha256s)s::bytea[]) WITH ORDINALITY AS name (id, kind, sha256, number)
JOIN renditions ON image_id = name.id AND renditions.kind = name.kind AND renditions.sha256 = name.sha256;

-- name: read_original
-- substring() counts from 1; with STORAGE EXTERNAL it reads only the chunks that it needs. A client that reads a
-- picture can finish although it is deleted meanwhile, because its bytes stay until it is purged.
SELECT substring(bytes FROM %(start)s + 1 FOR %(length)s) AS bytes
FROM originals
WHERE image_id = %(id)s;

-- name: read_rendition
-- The digest makes sure that all ranges come from the same rendition while a new one may replace it.
SELECT substring(bytes FROM %(start)s + 1 FOR %(length)s) AS bytes
FROM renditions
WHERE image_id = %(id)s AND kind = %(kind)s AND sha256 = %(sha256)s;

-- name: head_original
SELECT octet_length(bytes)::bigint AS size, created_at AS put_at
FROM originals JOIN images ON id = image_id
WHERE image_id = %(id)s AND bytes IS NOT NULL;

-- name: head_rendition
SELECT octet_length(bytes)::bigint AS size, created_at AS put_at
FROM renditions
WHERE image_id = %(id)s AND kind = %(kind)s AND sha256 = %(sha256)s AND bytes IS NOT NULL;

-- name: clear_originals
UPDATE originals SET bytes = NULL WHERE image_id = ANY(%(ids)s);

-- name: clear_renditions
UPDATE renditions SET bytes = NULL
FROM unnest(%(ids)s::uuid[], %(kinds)s::text[], %(sha256s)s::bytea[]) AS name (id, kind, sha256)
WHERE image_id = name.id AND renditions.kind = name.kind AND renditions.sha256 = name.sha256;

-- name: list
-- The bytes in the rows of the next images. An image whose bytes are all elsewhere yields one row without a kind.
SELECT image.id, stored.*
FROM (SELECT id, created_at, sha256 FROM images WHERE id >= %(since)s::uuid ORDER BY id LIMIT %(limit)s) AS image
LEFT JOIN LATERAL (
    SELECT 'original' AS kind, image.sha256, octet_length(bytes)::bigint AS size, image.created_at AS put_at
    FROM originals
    WHERE image_id = image.id AND bytes IS NOT NULL
    UNION ALL
    SELECT kind, sha256, octet_length(bytes)::bigint, created_at
    FROM renditions
    WHERE image_id = image.id AND bytes IS NOT NULL
) AS stored ON true
ORDER BY image.id;

-- name: hold_sweep
-- Each put holds this lock until its row is committed, so the sweep never removes an object whose row is about to come.
SELECT pg_advisory_xact_lock_shared(4242005);

-- name: wait_briefly
SELECT set_config('lock_timeout', '1s', true);

-- name: hold_puts
-- Waits for the puts that have begun. Later ones wait for the sweep.
SELECT pg_advisory_xact_lock(4242005);

-- name: unnamed
-- The objects without a row. The row of an original is its image.
SELECT object.name
FROM unnest(%(names)s::text[], %(ids)s::uuid[], %(kinds)s::text[], %(sha256s)s::bytea[]) AS object (name, id, kind, sha256)
WHERE CASE WHEN object.kind = 'original' THEN NOT EXISTS (SELECT FROM images WHERE images.id = object.id)
           ELSE NOT EXISTS (SELECT FROM renditions
                            WHERE image_id = object.id AND renditions.kind = object.kind
                              AND renditions.sha256 = object.sha256) END;

-- name: swept_to
SELECT swept_to FROM control;

-- name: note_swept
UPDATE control SET swept_to = %(name)s;
