"""The file of an image's sector: named as the image, or in a run of `sectoraug masks`."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path


def find_sector(folder: Path, image: Path) -> Path | None:
    """Of a folder that `sectoraug masks` wrote a good mask, else a PNG or NPY with the image's name."""
    if (folder / "manifest.jsonl").exists():
        known = _masks_of_run(folder)
        return known.get(hashlib.sha256(image.read_bytes()).hexdigest()) if image.exists() else None
    for ending in (image.suffix, ".png", ".npy"):
        path = folder / f"{image.stem}{ending}"
        if path.exists():
            return path
    return None


@lru_cache(maxsize=1)
def _masks_of_run(folder: Path) -> dict[str, Path]:
    try:
        from sectoraug.workbench import kept_masks
    except ImportError as error:
        raise SystemExit(
            f"{folder} is a run of `sectoraug masks`, which needs the extra workbench: {error}"
        ) from error
    return kept_masks(folder)
