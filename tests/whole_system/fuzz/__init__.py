"""Everything that reads bytes from outside, against bytes that nobody would send in good faith."""
