"""Shapes: the sector's outline as numbers, looked for on a coarse grid and fitted to the edges.

Here are planes of evidence; where they come from is the affair of `clues`.
"""
