"""An archive and a weekend: the command `sectoraug`, whose jobs run over many files.

It needs the extra `workbench`; nothing else in the package imports it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sectoraug.workbench.jobs.kept import kept_masks as kept_masks

__all__ = ["kept_masks"]


def __getattr__(name: str) -> Any:
    """`kept_masks` on first use, so that the command starts without NumPy."""
    if name != "kept_masks":
        raise AttributeError(f"module 'sectoraug.workbench' has no attribute {name!r}")
    from sectoraug.workbench.jobs.kept import kept_masks

    return kept_masks
