"""Change how bright pictures are."""
