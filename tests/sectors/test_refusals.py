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


CLIP = sa.phantom.make_clip(frames=3, size=(40, 48), seed=1).frames


@pytest.mark.parametrize("method", ["fan", "hull"])
def test_a_channel_of_grey_changes_nothing(method: str) -> None:
    frames = sa.phantom.make_clip(frames=4, size=(112, 112), seed=1, vendor=None).frames
    found = [sa.sector_from_clip(each, method=method).sector for each in (frames, frames[..., None])]
    assert np.array_equal(*found)
    for of_stills in ("net", "intensity"):
        stills = (frames[0], frames[0][..., None])
        found = [sa.sector_from_image(each, method=of_stills).sector for each in stills]
        assert np.array_equal(*found)


@pytest.mark.parametrize(
    ("frames", "options", "said"),
    [
        (3, {}, "frames is an int; expected a clip"),
        (CLIP[0], {}, "frames is a uint8 array of shape .* use sector_from_image"),
        ([CLIP[0].tolist()], {}, "frame is a list; expected a NumPy array"),
        (CLIP[:0], {}, "frames is empty"),
        (CLIP, {"level": {}}, "level is a dict; expected a number"),
        (CLIP, {"opening_px": 0}, "opening_px is 0; expected a number"),
        (CLIP, {"regions": None}, "regions is None; expected a list or tuple"),
        (CLIP, {"regions": [(0, 0, 9, 9)]}, r"regions\[0\] is a tuple; expected a Region: use read_regions"),
        (CLIP, {"candidates": CLIP}, "candidates is a uint8 array"),
    ],
)
def test_what_is_no_clip_or_option_is_named(frames: Any, options: dict[str, Any], said: str) -> None:
    with pytest.raises((TypeError, ValueError), match=said):
        sa.sector_from_clip(frames, **options)
