"""Masks of sectors in the formats of other tools, one a file: `write` gives them out, `read` takes them in.

A format that cannot say a mask raises LeftOut, and never writes another one in its place.
"""
