-- The release of the pusher, which its workers follow.

ALTER TABLE contact ADD COLUMN release text;
