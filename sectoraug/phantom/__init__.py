"""Synthetic echo: clips with true sectors, overlays, and shortcuts planted on purpose.

Not a simulation of sound: pictures with an echo's layout, whose every pixel is known. Frames follow from
the seed alone, on every machine.
"""

from sectoraug.phantom.anatomy import VIEWS as VIEWS
from sectoraug.phantom.clip import VENDORS as VENDORS
from sectoraug.phantom.clip import PhantomClip as PhantomClip
from sectoraug.phantom.clip import make_clip as make_clip
from sectoraug.phantom.dataset import PhantomDataset as PhantomDataset
from sectoraug.phantom.dataset import make_dataset as make_dataset
from sectoraug.phantom.presets import DOMAINS as DOMAINS
from sectoraug.phantom.presets import PRESETS as PRESETS
