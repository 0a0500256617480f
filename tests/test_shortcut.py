"""Backgrounds that tell the label: how much, whose, and never a pixel of a donor's sector."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2_contingency

import sectoraug as sa

SIZE = (32, 32)
N = 600


@pytest.fixture(scope="module")
def data() -> sa.phantom.PhantomDataset:
    return sa.phantom.make_dataset(48, shortcut=0.0, size=SIZE)


@pytest.fixture(scope="module")
def donors() -> sa.phantom.PhantomDataset:
    return sa.phantom.make_dataset(40, shortcut=0.0, seed=1, size=SIZE)


@pytest.fixture(scope="module")
def pool(donors: sa.phantom.PhantomDataset) -> sa.BackgroundPool:
    return sa.BackgroundPool.from_arrays(donors.images, donors.sectors)


def planted(
    data: sa.phantom.PhantomDataset, pool: sa.BackgroundPool, strength: float, **changes: Any
) -> tuple[sa.PlantedShortcut, np.ndarray]:
    """N images, each of the data's many times, and their labels."""
    which = np.arange(N) % len(data.labels)
    labels = data.labels[which]
    return sa.plant_shortcut(
        data.images[which], data.sectors[which], labels, pool, strength, **changes
    ), labels


def counts(made: sa.PlantedShortcut, labels: np.ndarray) -> np.ndarray:
    """(labels, styles): how often which goes with which."""
    table = np.zeros((labels.max() + 1, made.styles.max() + 1), int)
    np.add.at(table, (labels, made.styles[made.donors]), 1)
    return table


def test_strength_0_leaves_no_association(data: Any, pool: sa.BackgroundPool) -> None:
    p_values = [chi2_contingency(counts(*planted(data, pool, 0.0, seed=s))).pvalue for s in range(20)]
    assert min(p_values) > 0.05 / 20 and 0.2 < np.mean(p_values) < 0.8


def test_strength_1_ties_all(data: Any, pool: sa.BackgroundPool) -> None:
    table = counts(*planted(data, pool, 1.0))
    assert (table == np.diag(np.diag(table))).all() and (np.diag(table) > 0).all()


def test_strength_between_ties_that_share_and_chance_does_the_rest(
    data: Any, pool: sa.BackgroundPool
) -> None:
    made, labels = planted(data, pool, 0.8)
    share = (made.styles[made.donors] == labels).mean()
    assert share == pytest.approx(0.8 + 0.2 / 4, abs=3 * np.sqrt(0.85 * 0.15 / N))


def test_donors_of_a_style_are_alike_likely(data: Any, pool: sa.BackgroundPool) -> None:
    made, _ = planted(data, pool, 1.0)
    drawn = np.bincount(made.donors, minlength=len(pool))
    assert (
        drawn.min() > 0
        and chi2_contingency(np.stack([drawn, np.full(len(pool), N / len(pool))])).pvalue > 1e-3
    )


def test_sector_of_the_image_and_background_of_the_donor(data: Any, donors: Any, pool: Any) -> None:
    before = data.images.copy()
    made, _ = planted(data, pool, 0.5)
    which = np.arange(N) % len(data.labels)
    for i in (0, 1, 77, N - 1):
        inside = data.sectors[which[i]].astype(bool)
        donor = made.donors[i]
        np.testing.assert_array_equal(made.images[i][inside], data.images[which[i]][inside])
        outside = np.where(donors.sectors[donor], 0, donors.images[donor])[~inside]
        np.testing.assert_array_equal(made.images[i][~inside], outside)
    np.testing.assert_array_equal(data.images, before)


def test_repeats_under_a_seed_and_keeps_untied_donors_at_every_strength(data: Any, pool: Any) -> None:
    first, again, other = (planted(data, pool, 0.5, seed=s)[0] for s in (3, 3, 4))
    np.testing.assert_array_equal(first.images, again.images)
    assert (first.donors != other.donors).mean() > 0.8
    more = planted(data, pool, 0.9, seed=3)[0]
    none = planted(data, pool, 0.0, seed=3)[0]
    untied = more.donors == none.donors
    assert (first.donors[untied] == none.donors[untied]).all() and 0.05 < untied.mean() < 0.3


def test_tie_reverses_and_survives_a_label_that_is_missing(data: Any, pool: Any) -> None:
    tie = {0: 1, 1: 2, 2: 3, 3: 0}
    made, labels = planted(data, pool, 1.0, tie=tie)
    assert ((labels + 1) % 4 == made.styles[made.donors]).all() and made.tie == tie
    some = data.labels != 0
    part = sa.plant_shortcut(
        data.images[some], data.sectors[some], data.labels[some], pool, 1.0, styles=made.styles, tie=made.tie
    )
    assert ((data.labels[some] + 1) % 4 == part.styles[part.donors]).all()


def test_names_colour_floats_and_lists(data: Any) -> None:
    colour = np.repeat(data.images[..., None], 3, 3).astype(np.float32) / 255
    pool = sa.BackgroundPool.from_arrays(colour, data.sectors)
    names = np.array(["cyst", "normal"])[data.labels % 2]
    made = sa.plant_shortcut(list(colour), list(data.sectors), names, pool, 1.0)
    assert made.images.shape == colour.shape and made.images.dtype == np.float32
    assert made.tie == {"cyst": 0, "normal": 1}
    assert (made.styles[made.donors] == data.labels % 2).all()


def test_styles_are_of_equal_size_and_follow_what_donors_look_like() -> None:
    rng = np.random.default_rng(0)
    backgrounds = rng.integers(0, 20, (60, 32, 32), dtype=np.uint8)
    true = rng.permutation(60) % 3
    for style, corner in enumerate((slice(0, 8), slice(12, 20), slice(24, 32))):
        backgrounds[true == style, :6, corner] += 150
    sectors = np.zeros_like(backgrounds, bool)
    sectors[:, 10:30, 4:28] = True
    pool = sa.BackgroundPool.from_arrays(backgrounds, sectors)
    styles = sa.donor_styles(pool, 3)
    assert np.bincount(styles).tolist() == [20, 20, 20]
    assert len({(a, b) for a, b in zip(true.tolist(), styles.tolist(), strict=True)}) == 3
    sheet = sa.style_sheet(pool, styles, n=5)
    assert sheet.shape == (3 * 32, 5 * 32) and sheet.dtype == np.uint8
    assert sa.style_sheet(pool, styles, n=25).shape == (96, 25 * 32)


def test_large_pools_are_sorted_too(monkeypatch: pytest.MonkeyPatch, pool: sa.BackgroundPool) -> None:
    whole = sa.donor_styles(pool, 2)
    monkeypatch.setattr("sectoraug.shortcut._SHARED_OUT", 30)
    some = sa.donor_styles(pool, 2)
    assert some.shape == (40,) and max((some == whole).mean(), (some != whole).mean()) > 0.7


def test_repr_shows_no_pixels(data: Any, pool: sa.BackgroundPool) -> None:
    made, _ = planted(data, pool, 0.5)
    assert repr(made) == (
        "PlantedShortcut(n=600, donors a style=[10, 10, 10, 10], tie={0: 0, 1: 1, 2: 2, 3: 3})"
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"strength": 1.5}, "strength is 1.5; expected"),
        ({"labels": [0, 1]}, r"labels is an int64 array of shape \(2,\) for 8 images; expected one an"),
        ({"labels": np.linspace(0, 1, 8)}, "expected whole numbers or names: bin what is measured"),
        ({"sectors": np.ones((7, 32, 32), bool)}, "there are 8 images and 7 sectors"),
        ({"sectors": np.zeros((8, 32, 32), bool)}, "sector is missing"),
        ({"images": np.zeros((8, 16, 16), np.uint8)}, "its image is 16 x 16 pixels"),
        ({"styles": np.zeros(3, int)}, "for 40 donors; expected one number from 0 a donor"),
        ({"styles": np.full(40, -1)}, "expected one number from 0 a donor"),
        ({"styles": np.zeros(40, int)}, "there are 1 styles for 4 labels"),
        ({"styles": np.arange(40) % 4, "tie": {0: 0}}, "tie names no style for 3 of 4 labels; .*add 1"),
        ({"tie": {0: 9, 1: 0, 2: 1, 3: 2}}, "style 9, tied to label 0, has no donor"),
    ],
)
def test_bad_input_is_one_sentence(data: Any, pool: Any, changes: dict[str, Any], message: str) -> None:
    given = {
        "images": data.images[:8],
        "sectors": data.sectors[:8],
        "labels": data.labels[:8],
        "strength": 0.95,
        "styles": np.arange(40) % 4,
    }
    with pytest.raises((TypeError, ValueError), match=message):
        sa.plant_shortcut(**{**given, **changes}, pool=pool)


def test_too_few_donors_for_the_styles(pool: sa.BackgroundPool) -> None:
    with pytest.raises(ValueError, match="n_styles is 41 for 40 donors; expected 2 to 40"):
        sa.donor_styles(pool, 41)
