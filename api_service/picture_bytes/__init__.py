"""The bytes of pictures: which, under which name, in ranges, and when they did not change."""
