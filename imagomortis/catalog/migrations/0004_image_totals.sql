-- How many images there are, kept as they come and go: a million take a tenth of a second to count, and metrics and page ask
-- all the time. The total is the sum of these rows. Everybody adds rows and nobody waits for another; the sweep folds them
-- into one.

CREATE TABLE image_totals (
    images bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

CREATE FUNCTION count_new_images() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO image_totals SELECT count(*) FROM added WHERE deleted_at IS NULL HAVING count(*) > 0;
    RETURN NULL;
END
$$;

CREATE FUNCTION count_one_image() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO image_totals VALUES (CASE WHEN TG_OP = 'UPDATE' AND NEW.deleted_at IS NULL THEN 1 ELSE -1 END);
    RETURN NULL;
END
$$;

CREATE FUNCTION count_no_images() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM image_totals;
    RETURN NULL;
END
$$;

CREATE TRIGGER images_added AFTER INSERT ON images
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION count_new_images();

-- OF deleted_at: what workers write calls no trigger
CREATE TRIGGER images_deleted_or_restored AFTER UPDATE OF deleted_at ON images
FOR EACH ROW WHEN ((OLD.deleted_at IS NULL) <> (NEW.deleted_at IS NULL)) EXECUTE FUNCTION count_one_image();

CREATE TRIGGER images_removed AFTER DELETE ON images
FOR EACH ROW WHEN (OLD.deleted_at IS NULL) EXECUTE FUNCTION count_one_image();

CREATE TRIGGER images_truncated AFTER TRUNCATE ON images
FOR EACH STATEMENT EXECUTE FUNCTION count_no_images();

-- the triggers' lock lets nobody write from here to the end of this step
INSERT INTO image_totals SELECT count(*) FROM images WHERE deleted_at IS NULL;
