"""The structure of each kind of picture file, read without decoding anything.

One small module a format; each ``parse`` walks a file from its first byte to the end of the picture's own structure.
"""
