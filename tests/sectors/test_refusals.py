"""Sentences of refusals, each about what it measured."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import sectoraug as sa
from sectoraug.sectors.refusals import refuse_odd


def test_a_small_outline_and_few_echoes_are_told_apart() -> None:
    """Once 6.8% of echoes were said to be less than 4%: the outline was, not the echoes."""
    weight = np.full((100, 100), -0.5, np.float32)
    weight[:8, :85] = 1
    inside = np.zeros((100, 100), bool)
    inside[:5, :40] = True
    best: Any = SimpleNamespace(evidence=SimpleNamespace(weight=weight), shape=SimpleNamespace(kind="curved"))
    with pytest.raises(sa.SectorNotFound, match=r"^the outline found covers 2\.0% of the frame; expected at"):
        refuse_odd(SimpleNamespace(), best, inside)
    weight[2:] = -0.5
    with pytest.raises(sa.SectorNotFound, match=r"^echoes cover 1\.7% of the frame; expected at least 4%"):
        refuse_odd(SimpleNamespace(), best, inside)
