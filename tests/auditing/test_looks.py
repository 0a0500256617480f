"""What is shown of an image: backgrounds do not show the outline, properties are what they say."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

import sectoraug as sa
from sectoraug.auditing.lettering import groups_that_share_letters
from sectoraug.auditing.looks import look_at
from sectoraug.auditing.twins import alike, twins_of


def box(height: int, width: int, top: int, left: int, bottom: int, right: int) -> np.ndarray:
    sector = np.zeros((height, width), bool)
    sector[top:bottom, left:right] = True
    return sector


def test_properties_by_hand() -> None:
    image = np.zeros((40, 80, 3), np.uint8)
    sector = box(40, 80, 10, 20, 30, 60)
    image[sector] = (60, 60, 60)
    image[:4, :8] = (200, 0, 0)
    found = {key: values[0] for key, values in sa.properties([image], [sector]).items()}
    assert (found["height_px"], found["width_px"], found["aspect"]) == (40, 80, 2)
    assert found["sector_percent"] == 25 and found["opening_deg"] == 0
    assert [found[f"sector_{end}"] for end in ("left", "top", "right", "bottom")] == [0.25, 0.25, 0.75, 0.75]
    assert found["sector_mean"] == 60 and found["colour_percent"] == 1
    assert found["background_mean"] == pytest.approx(60 * 32 / 2400, abs=0.02)
    assert 0 < found["text_percent"] < 5


def test_the_opening_of_a_fan() -> None:
    for half in (0.3, 0.7):
        fan = sa.SectorGeometry("phased", (0, 0, 199, 199), (99.5, 4), (-half, half), (3, 180))
        sector = fan.rasterise((200, 200))
        found = sa.properties([np.zeros((200, 200), np.uint8)], [sector])["opening_deg"][0]
        assert found == pytest.approx(np.degrees(2 * half), abs=4)


def test_a_black_background_looks_the_same_around_any_outline() -> None:
    rng = np.random.default_rng(0)
    sectors = [box(48, 48, 4, 4, 40, k) for k in (20, 30, 40)]
    images = [(rng.integers(20, 255, (48, 48)) * sector).astype(np.uint8) for sector in sectors]
    looks = look_at(images, sectors, progress=False)
    assert not looks.background.any() and len(looks) == 3
    assert len(np.unique(looks.outline, axis=0)) == 3


def test_the_sector_shows_no_background_and_the_background_no_sector() -> None:
    data = sa.phantom.make_dataset(12, size=(64, 64))
    other = np.random.default_rng(0).integers(0, 256, data.images.shape, dtype=np.uint8)
    inside, outside = (np.where(data.sectors == kept, data.images, other) for kept in (True, False))
    first, kept, left = (
        look_at(each, data.sectors, progress=False) for each in (data.images, inside, outside)
    )
    assert (first.sector == kept.sector).all() and (first.background != kept.background).any()
    assert (first.background == left.background).all() and (first.sector != left.sector).any()


def written(text: str, seed: int) -> np.ndarray:
    """A screen with the same settings as all, and a line of its own."""
    rng = np.random.default_rng(seed)
    image = np.zeros((256, 320), np.uint8)
    cv2.putText(image, "FR 42Hz  MI 1.1  TIS 0.4", (4, 250), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 220, 1)
    cv2.putText(image, text, (4, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 230, 1)
    image[40:220, 60:260] = rng.integers(0, 200, (180, 200))
    return image


def test_groups_with_the_same_writing_are_found_and_others_are_not() -> None:
    names = ["AARON LEE 1950-03-04", "MARY WONG 1971-11-23", "JO HILL 1999-01-30", "AARON LEE 1950-03-04"]
    images = [written(name, seed) for seed, name in enumerate(names)]
    sectors = [box(256, 320, 40, 60, 220, 260)] * 4
    looks = look_at(images, sectors, progress=False)
    pairs = groups_that_share_letters(looks.letters, np.arange(4))
    assert [(a, b) for a, b, _ in pairs] == [(0, 3)]
    found = twins_of(looks, np.array([0, 1, 0, 1]), np.arange(4), np.array([0, 0, 0, 0]))
    assert not found.shared_letters and not found.pairs  # one split: no leak


def test_nearly_the_same_sectors_are_found() -> None:
    data = sa.phantom.make_dataset(40, size=(64, 64))
    brighter = np.clip(data.images[3] * 1.1 + 4, 0, 255).astype(np.uint8)
    images = np.concatenate([data.images, brighter[None], data.images[:1]])
    sectors = np.concatenate([data.sectors, data.sectors[3:4], data.sectors[:1]])
    labels = np.concatenate([data.labels, data.labels[3:4], data.labels[:1] + 1])
    looks = look_at(images, sectors, progress=False)
    groups = np.concatenate([data.patients, [90, 91]])
    groups = np.unique(groups, return_inverse=True)[1]
    found = twins_of(looks, labels, groups, (np.arange(42) >= 40).astype(int))
    assert found.pairs == [(0, 41), (3, 40)] == found.across_splits and found.across_labels == [(0, 41)]


def test_rows_without_variance_are_like_nothing() -> None:
    assert alike(np.ones((5, 9), np.float32)) == []
