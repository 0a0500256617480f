"""Keep the ultrasound sector, take everything outside it from somewhere else.

Names are loaded on first use (PEP 562), so that importing sectoraug imports no torch, kornia or
albumentations.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from sectoraug import fills as fills
    from sectoraug import phantom as phantom
    from sectoraug.auditing.properties import properties as properties
    from sectoraug.auditing.report import AuditReport as AuditReport
    from sectoraug.auditing.run import audit as audit
    from sectoraug.batch import swap_background_batch as swap_background_batch
    from sectoraug.evidence.clustering import clustering_scores as clustering_scores
    from sectoraug.evidence.focus import coverage_percent as coverage_percent
    from sectoraug.evidence.focus import energy_percent as energy_percent
    from sectoraug.evidence.focus import focus_percent as focus_percent
    from sectoraug.evidence.gradcam import GradCAM as GradCAM
    from sectoraug.evidence.landmarks import energy_landmarks as energy_landmarks
    from sectoraug.evidence.landmarks import features_at as features_at
    from sectoraug.evidence.metric import Focus as Focus
    from sectoraug.evidence.statistics import clustered_bootstrap as clustered_bootstrap
    from sectoraug.evidence.statistics import compare_runs as compare_runs
    from sectoraug.losses import WeightedBackMixLoss as WeightedBackMixLoss
    from sectoraug.losses import backmix_weights as backmix_weights
    from sectoraug.plugins.albumentations import BackMix as BackMix
    from sectoraug.plugins.albumentations import BlackBackground as BlackBackground
    from sectoraug.plugins.albumentations import BlurBackground as BlurBackground
    from sectoraug.plugins.albumentations import DimBackground as DimBackground
    from sectoraug.plugins.albumentations import NoiseBackground as NoiseBackground
    from sectoraug.plugins.albumentations import ShuffleBackground as ShuffleBackground
    from sectoraug.plugins.albumentations_reshape import ReshapeSector as ReshapeSector
    from sectoraug.plugins.kornia import RandomBackMix as RandomBackMix
    from sectoraug.pool import BackgroundPool as BackgroundPool
    from sectoraug.pool.device import DevicePool as DevicePool
    from sectoraug.reading import iter_clip as iter_clip
    from sectoraug.reading import read_clip as read_clip
    from sectoraug.sectors import SectorEstimate as SectorEstimate
    from sectoraug.sectors import SectorGeometry as SectorGeometry
    from sectoraug.sectors import SectorNotFound as SectorNotFound
    from sectoraug.sectors import sector_from_clip as sector_from_clip
    from sectoraug.sectors import sector_from_image as sector_from_image
    from sectoraug.sectors.outline.drawn import fit_outline as fit_outline
    from sectoraug.shortcut import PlantedShortcut as PlantedShortcut
    from sectoraug.shortcut import donor_styles as donor_styles
    from sectoraug.shortcut import plant_shortcut as plant_shortcut
    from sectoraug.shortcut import style_sheet as style_sheet
    from sectoraug.swap import blacken_sector as blacken_sector
    from sectoraug.swap import swap_background as swap_background

_HOME = {
    "AuditReport": "auditing.report",
    "BackMix": "plugins.albumentations",
    "BackgroundPool": "pool",
    "BlackBackground": "plugins.albumentations",
    "BlurBackground": "plugins.albumentations",
    "DimBackground": "plugins.albumentations",
    "DevicePool": "pool.device",
    "Focus": "evidence.metric",
    "GradCAM": "evidence.gradcam",
    "NoiseBackground": "plugins.albumentations",
    "PlantedShortcut": "shortcut",
    "RandomBackMix": "plugins.kornia",
    "ReshapeSector": "plugins.albumentations_reshape",
    "SectorEstimate": "sectors",
    "SectorGeometry": "sectors",
    "SectorNotFound": "sectors",
    "ShuffleBackground": "plugins.albumentations",
    "WeightedBackMixLoss": "losses",
    "audit": "auditing.run",
    "backmix_weights": "losses",
    "blacken_sector": "swap",
    "clustered_bootstrap": "evidence.statistics",
    "clustering_scores": "evidence.clustering",
    "compare_runs": "evidence.statistics",
    "coverage_percent": "evidence.focus",
    "donor_styles": "shortcut",
    "energy_landmarks": "evidence.landmarks",
    "energy_percent": "evidence.focus",
    "features_at": "evidence.landmarks",
    "focus_percent": "evidence.focus",
    "fit_outline": "sectors.outline.drawn",
    "iter_clip": "reading",
    "plant_shortcut": "shortcut",
    "properties": "auditing.properties",
    "read_clip": "reading",
    "sector_from_clip": "sectors",
    "sector_from_image": "sectors",
    "style_sheet": "shortcut",
    "swap_background": "swap",
    "swap_background_batch": "batch",
}

_MODULES = ("fills", "phantom")

__all__ = [*sorted(_HOME), "__version__", "fills", "phantom"]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"sectoraug.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'sectoraug' has no attribute {name!r}")
    value = getattr(import_module(f"sectoraug.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
