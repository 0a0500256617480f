"""Where new backgrounds come from: images whose own sectors are black, kept on disk and drawn from.

A pool knows donors and how to fit one to an image; what is done with it is the plugs' affair.
"""

from sectoraug.pool.background_pool import BackgroundPool as BackgroundPool
from sectoraug.pool.background_pool import pool_named as pool_named
