"""Where the sector is: `clues` speak for echoes, `outline` finds the shape that explains them.

`finder` asks for clues once, for candidates once, and decides once, or refuses with a sentence.
"""

from sectoraug.sectors.estimate import SectorEstimate as SectorEstimate
from sectoraug.sectors.estimate import SectorNotFound as SectorNotFound
from sectoraug.sectors.finder import sector_from_clip as sector_from_clip
from sectoraug.sectors.finder import sector_from_image as sector_from_image
from sectoraug.sectors.outline.geometry import SectorGeometry as SectorGeometry
