-- A run that reprocesses an hour takes pictures of no other hour, so those that wait elsewhere are not to wait for it.

ALTER TABLE workers ADD COLUMN only_hour boolean NOT NULL DEFAULT false;
