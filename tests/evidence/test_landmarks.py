"""Landmarks lie where it moves, inside the sector, and features at them are the layer's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import sectoraug as sa


def moving_spots() -> tuple[np.ndarray, np.ndarray]:
    """Three spots that blink, each less than the last, and a brighter one outside the sector."""
    frames = np.zeros((4, 48, 64), np.uint8)
    sector = np.zeros((48, 64), bool)
    sector[4:44, 4:44] = True
    for row, column, level in ((12, 12, 200), (12, 36, 150), (36, 20, 100), (24, 56, 255)):
        frames[::2, row - 1 : row + 2, column - 1 : column + 2] = level
    return frames, sector


def test_landmarks_are_where_it_moves_most_inside_the_sector() -> None:
    frames, sector = moving_spots()
    points = sa.energy_landmarks(frames, sector)
    np.testing.assert_array_equal(points, [[12, 12], [12, 36], [36, 20]])
    np.testing.assert_array_equal(sa.energy_landmarks(frames, sector, n=1), [[12, 12]])
    assert len(sa.energy_landmarks(frames, sector, distance_px=20)) == 3
    np.testing.assert_array_equal(sa.energy_landmarks(frames, sector, distance_px=26), [[12, 12]])


def test_landmarks_of_a_still_are_its_edges_and_of_a_frozen_clip_there_are_none() -> None:
    still = np.zeros((48, 48), np.uint8)
    still[:, 24:] = 200
    points = sa.energy_landmarks(still, np.ones_like(still))
    assert len(points)
    assert (np.abs(points[:, 1] - 23.5) <= 1).all()
    frozen = np.repeat(still[None], 5, 0)
    assert sa.energy_landmarks(frozen, np.ones_like(still)).shape == (0, 2)


def test_overlays_that_change_make_no_landmarks() -> None:
    clip = sa.phantom.make_clip(seed=3, frames=8)
    plain = sa.energy_landmarks(clip.frames, clip.sector)
    blinking = clip.frames.copy()
    blinking[::2, ~clip.sector] = 255
    np.testing.assert_array_equal(sa.energy_landmarks(blinking, clip.sector), plain)
    assert clip.sector[tuple(plain.astype(int).T)].all()


def test_features_at_cells_centres_are_the_cells_and_between_them_their_mean() -> None:
    model = nn.Sequential(nn.Identity(), nn.AvgPool2d(4))
    images = torch.rand(2, 3, 16, 24)
    pooled = model(images).numpy()
    # Cells are 4 x 4 pixels: the centre of cell (1, 2) is at row 5.5, column 9.5.
    points = [np.array([[5.5, 9.5], [1.5, 1.5]]), np.array([[5.5, 11.5]])]
    found = sa.features_at(model, "1", images, points)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0], pooled[0, :, 1, 2], rtol=1e-5)
    np.testing.assert_allclose(found[1], pooled[0, :, 0, 0], rtol=1e-5)
    np.testing.assert_allclose(found[2], pooled[1, :, 1, 2:4].mean(1), rtol=1e-5)
    clips = images[:, :, None].repeat(1, 1, 5, 1, 1)
    video = nn.Sequential(nn.Identity(), nn.AvgPool3d((1, 4, 4)))
    np.testing.assert_allclose(sa.features_at(video, video[1], clips, points), found, rtol=1e-5)
    assert not model[1]._forward_hooks, "the hook went"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda f, s: sa.energy_landmarks(f, s[:-1]), "expected the same"),
        (lambda f, s: sa.energy_landmarks(f, np.zeros_like(s)), "sector is all zero"),
        (lambda f, s: sa.energy_landmarks(np.stack([f] * 3, -1), s), "expected grey frames"),
        (lambda f, s: sa.energy_landmarks(np.full(f.shape, np.nan), s), "NaN or infinity"),
        (lambda f, s: sa.energy_landmarks(f, s, n=0), "n is 0"),
        (lambda f, s: at(f, [[[0, 99]]]), "points lie outside"),
        (lambda f, s: at(f, [[[0, 0]]] * 2), "points for 2 images and 1 images"),
        (lambda f, s: at(f, np.array(3.0)), r"expected \(k, 2\)"),
        (lambda f, s: at(f, [[0, 0]]), r"expected \(k, 2\)"),
        (lambda f, s: at(f, [[[0, 0]]], "2"), "ran 1 times and returns"),
        (lambda f, s: at(f, [[[0, 0]]], "layer9"), "which the model does not have"),
        (lambda f, s: at(f.astype(int), [[[0, 0]]]), "expected a float tensor"),
    ],
)
def test_bad_landmarks_are_told(call: Any, said: str) -> None:
    with pytest.raises((TypeError, ValueError), match=said):
        call(*moving_spots())


def at(frames: np.ndarray, points: Any, layer: str = "0") -> np.ndarray:
    images = torch.from_numpy(frames[:1])[:, None]
    images = images.float() if frames.dtype == np.uint8 else images
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return sa.features_at(model, layer, images, points)
