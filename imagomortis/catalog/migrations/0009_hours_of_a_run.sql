-- A run may reprocess many hours, each of them once.

ALTER TABLE reprocessings DROP CONSTRAINT reprocessings_pkey, ADD PRIMARY KEY (run_id, hour);
