-- A new rendition replaces the former one of its kind as a whole, and all former ones of its image: those of a save have the
-- time of its transaction. During a rollout, workers of the release before also save. They know neither all columns, such as
-- thumbhash, nor all outputs, and would leave those of the former result beside their new bytes.

CREATE FUNCTION replace_rendition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM renditions WHERE image_id = NEW.image_id AND kind = NEW.kind;
    RETURN NEW;
END
$$;

CREATE FUNCTION remove_former_renditions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM renditions WHERE image_id = NEW.image_id AND created_at <> NEW.created_at;
    RETURN NULL;
END
$$;

CREATE TRIGGER rendition_replaced BEFORE INSERT ON renditions FOR EACH ROW EXECUTE FUNCTION replace_rendition();

-- at the end of the statement, because workers of the release before delete former outputs within it
CREATE TRIGGER former_renditions_removed AFTER INSERT ON renditions FOR EACH ROW EXECUTE FUNCTION remove_former_renditions();
