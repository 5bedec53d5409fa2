"""Pictures, systems and waiting that tests of several packages share."""
