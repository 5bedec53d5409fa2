"""Who calls a listener: address, origin, session, token."""
