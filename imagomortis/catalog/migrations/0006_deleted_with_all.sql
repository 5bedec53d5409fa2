-- Undoing "delete all" brings back what that deleted, and not what was deleted by itself before.

ALTER TABLE images ADD COLUMN deleted_with_all boolean NOT NULL DEFAULT false;
