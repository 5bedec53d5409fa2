-- A worker that leaves as soon as another one is there in its place: after an update, or at the end of its life.
ALTER TABLE workers ADD COLUMN leaving boolean NOT NULL DEFAULT false;
