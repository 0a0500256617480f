"""Outlines that are given to the finder: right ones win where the picture is poor, wrong ones lose."""

from __future__ import annotations

import numpy as np
import pytest

import sectoraug as sa
from sectoraug.sectors.outline import candidates

SIZE = (160, 200)


def made(seed: int, **how: float) -> sa.phantom.PhantomClip:
    return sa.phantom.make_clip(frames=6, size=SIZE, seed=seed, vendor="aster", **how)


def outline(depth_share: float = 0.86) -> sa.SectorGeometry:
    return sa.fit_outline(sa.phantom.make_clip(frames=1, size=SIZE, depth_share=depth_share).sector)


def iou(found: sa.SectorEstimate, sector: np.ndarray) -> float:
    return float((found.sector & sector).sum() / (found.sector | sector).sum())


def test_the_right_outline_wins_on_a_dim_clip() -> None:
    clip = made(4, gain=0.6, reject=0.19, noise=0.5, shadow=0.9)
    without = sa.sector_from_clip(clip.frames)
    found = sa.sector_from_clip(clip.frames, candidates=[outline(0.6), outline()])
    assert without.candidate is None
    assert found.candidate == 1
    assert iou(found, clip.sector) > iou(without, clip.sector) + 0.01


@pytest.mark.parametrize("depth_share", [0.7, 0.8, 0.92])
def test_an_outline_of_another_depth_loses(depth_share: float) -> None:
    clip = made(2)
    without = sa.sector_from_clip(clip.frames)
    found = sa.sector_from_clip(clip.frames, candidates=[outline(depth_share)])
    assert iou(found, clip.sector) > iou(without, clip.sector) - 0.01


def test_quality_and_refusals_are_those_of_any_other() -> None:
    dead = made(2).frames.copy()
    dead[:, 30:] = 0
    with pytest.raises(sa.SectorNotFound):
        sa.sector_from_clip(dead * np.uint8(0), candidates=[outline()])
    assert sa.sector_from_clip(made(2).frames, candidates=[outline(0.5)]).candidate is None


def test_an_outline_that_would_be_refused_gives_way_to_one_found(monkeypatch: pytest.MonkeyPatch) -> None:
    clip = made(4, gain=0.6, reject=0.19, noise=0.5, shadow=0.9)
    without = sa.sector_from_clip(clip.frames)
    monkeypatch.setattr(candidates, "UNSURE", 2.0)  # that of any outline would
    found = sa.sector_from_clip(clip.frames, candidates=[outline()])
    assert found.candidate is None
    assert np.array_equal(found.sector, without.sector)


def test_a_stills_candidates_are_judged_too() -> None:
    clip = made(2)
    found = sa.sector_from_image(clip.frames[0], candidates=[outline(0.5), outline()])
    assert found.candidate in (None, 1)
    assert iou(found, clip.sector) > 0.9


def test_a_mask_is_no_candidate() -> None:
    clip = made(2)
    with pytest.raises(TypeError, match="candidates\\[0\\] is .*; expected a SectorGeometry"):
        sa.sector_from_image(clip.frames[0], candidates=[clip.sector])  # type: ignore[list-item]
