"""Donors from the batch itself: who takes part, and who gives to whom."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sectoraug.batch.checks import describe
from sectoraug.batch.op import sector_areas_px


def ring(sectors: Tensor, has_sector: Tensor | None, bits: Tensor) -> Tensor:
    """Each image's donor in the batch, in one random ring through all that can give; -1 for none.

    Only images with a background and a sector give. A full-frame image has nothing to replace, so any donor
    does.
    """
    areas_px = sector_areas_px(sectors)
    takes = areas_px > 0
    if has_sector is not None:
        takes = takes & has_sector
    gives = takes & (areas_px < sectors.shape[1] * sectors.shape[2])
    order = bits.where(gives, torch.iinfo(torch.int64).max).argsort()
    n_giving = gives.sum()
    place = torch.arange(order.shape[0], device=order.device)
    following = order[torch.where(place + 1 < n_giving, place + 1, 0)]
    donor_index = torch.empty_like(order).scatter_(0, order, following)
    found = takes & (n_giving > 0) & (donor_index != place)
    return donor_index.where(found, -1)


def check_has_sector(has_sector: Any, sectors: Tensor, validate: bool) -> None:
    """Raise unless `has_sector` is (B,) bool and, with `validate`, names no empty sector."""
    n = sectors.shape[0]
    if not isinstance(has_sector, Tensor) or has_sector.shape != (n,) or has_sector.dtype != torch.bool:
        raise TypeError(f"has_sector is {describe(has_sector)}; expected a bool tensor of shape ({n},).")
    if has_sector.device != sectors.device:
        raise ValueError(
            f"has_sector is on {has_sector.device} but sectors are on {sectors.device}; expected one device."
        )
    if validate and not torch.compiler.is_compiling():
        n_empty = int((has_sector & (sector_areas_px(sectors) == 0)).sum())
        if n_empty:
            raise ValueError(
                f"{n_empty} sectors are all zero though has_sector names them; expected nonzero pixels "
                "inside: give these images their sectors, or False in has_sector."
            )
