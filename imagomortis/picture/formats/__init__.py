"""Reads the structure of each picture format, without decoding any pixels.

There is one small module per format. Each ``parse`` walks a file from its first byte to the end of the picture's own
structure.
"""
