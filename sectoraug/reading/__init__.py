"""Frames and masks out of files: one file a format, and `clips`, which tells formats apart.

A reader gives pixels as they are shown, uint8, grey or RGB, and knows nothing of sectors.
"""

from sectoraug.reading.clips import iter_clip as iter_clip
from sectoraug.reading.clips import read_clip as read_clip
