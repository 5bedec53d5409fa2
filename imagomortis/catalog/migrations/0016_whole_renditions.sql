-- A rendition replaces the one of before as a whole, and all that were made of its image earlier. During a rollout workers of the
-- release before save too. What they do not know would stay beside their new bytes: columns such as thumbhash, and outputs.

CREATE FUNCTION replace_renditions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM renditions
    WHERE image_id = NEW.image_id AND (kind = NEW.kind OR created_at < NEW.created_at);
    RETURN NEW;
END
$$;

CREATE TRIGGER renditions_replaced BEFORE INSERT ON renditions FOR EACH ROW EXECUTE FUNCTION replace_renditions();
