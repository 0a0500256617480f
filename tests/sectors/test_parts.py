"""Clips in which a few frames show something else, or whose sector changes midway."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

import sectoraug as sa
from sectoraug.sectors.clues.parts import clip_parts

SIZE = (160, 200)
SHALLOW = sa.phantom.make_clip(seed=4, frames=30, size=SIZE)
DEEP = sa.phantom.make_clip(seed=4, frames=20, size=SIZE, depth_share=0.62)
CHANGED = np.concatenate([SHALLOW.frames, DEEP.frames])


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


def with_white_end(frames: np.ndarray) -> np.ndarray:
    frames = frames.copy()
    frames[-2:] = 255
    return frames


def with_black_frame(frames: np.ndarray) -> np.ndarray:
    frames = frames.copy()
    frames[14] = 0
    return frames


def with_title(frames: np.ndarray) -> np.ndarray:
    title = np.zeros_like(frames[0])
    cv2.putText(title, "CARDIO", (10, 90), cv2.FONT_HERSHEY_SIMPLEX, 1.3, 220, 3)
    return np.concatenate([title[None]] * 3 + [frames])


@pytest.mark.parametrize(
    ("spoilt", "note"),
    [
        (with_white_end, "2 of 30 frames show something else and are left out"),
        (with_black_frame, "1 of 30 frames show something else and are left out"),
        (with_title, "3 of 33 frames show something else and are left out"),
    ],
)
def test_few_frames_of_another_kind_are_left_out_and_counted(spoilt: object, note: str) -> None:
    found = sa.sector_from_clip(spoilt(SHALLOW.frames))
    assert found.note == note
    assert found.quality > 0.9
    assert iou(found.sector, SHALLOW.sector) > 0.98


def test_a_sector_that_changes_is_refused_or_its_longest_part_taken() -> None:
    with pytest.raises(sa.SectorNotFound, match=r"changes at frame 30.*parts=\"longest\""):
        sa.sector_from_clip(CHANGED)
    found = sa.sector_from_clip(CHANGED, parts="longest")
    assert found.note == "frames 0 to 29 of 50 alone, as the sector changes"
    assert iou(found.sector, SHALLOW.sector) > 0.98
    later = sa.sector_from_clip(CHANGED[20:], parts="longest")
    assert later.note.startswith("frames 10 to 29 of 30")
    assert iou(later.sector, DEEP.sector) > 0.98


def test_a_zoom_is_a_change() -> None:
    zoomed = np.stack([cv2.resize(frame[20:140, 25:175], SIZE[::-1]) for frame in SHALLOW.frames])
    with pytest.raises(sa.SectorNotFound, match="changes at frame 30"):
        sa.sector_from_clip(np.concatenate([SHALLOW.frames, zoomed]))


def test_another_view_under_the_same_outline_is_no_change() -> None:
    other = sa.phantom.make_clip("PSAX", seed=9, frames=30, size=SIZE, vendor=None)
    both = np.concatenate([SHALLOW.frames, other.frames])
    found = sa.sector_from_clip(both)
    assert "changes" not in found.note
    assert iou(found.sector, SHALLOW.sector) > 0.97


@pytest.mark.parametrize("seed", range(6))
def test_clips_of_one_picture_have_one_part(seed: int) -> None:
    geometry = ("fan", "curved", "linear")[seed % 3]
    clip = sa.phantom.make_clip(seed=seed, frames=16, size=SIZE, geometry=geometry, noise=1.0, beat_frames=8)
    (part,) = clip_parts(clip.frames)
    assert (part.runs, part.frames) == ([[0, 15]], 16)


def test_a_part_goes_on_where_its_picture_comes_back() -> None:
    parts = clip_parts(with_black_frame(SHALLOW.frames))
    assert [(part.runs, part.frames) for part in parts] == [([[0, 13], [15, 29]], 29), ([[14, 14]], 1)]


def test_many_pictures_are_one_part_whose_sums_are_whole() -> None:
    frames = np.random.default_rng(0).integers(0, 255, (12, 40, 50), dtype=np.uint8)
    (part,) = clip_parts(frames)
    found = part.statistics()
    assert found.frames == 12
    assert np.allclose(found.mean, frames.mean(0), atol=1e-3)
    assert np.array_equal(found.brightest, frames.max(0))
    assert len(found.samples) <= 8
    # Where parts were joined, the frames on both sides of a join need not have been neighbours.
    change = np.abs(np.diff(frames.astype(np.int16), axis=0)).mean(0)
    assert abs(float(found.difference.mean() - change.mean())) < 0.05 * change.mean()


def test_an_unknown_choice_of_parts_is_refused() -> None:
    with pytest.raises(ValueError, match="parts"):
        sa.sector_from_clip(SHALLOW.frames, parts="all")
