"""Commands for operators: verify, expire, back up, restore, copy between storages."""
