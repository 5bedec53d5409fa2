"""The uploader: checks a picture and stores it durably in the spool."""
