-- What a thumbnail looks like, in a few bytes that lists carry; NULL for thumbnails of before.
ALTER TABLE renditions ADD COLUMN thumbhash bytea;
