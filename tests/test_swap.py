from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import sectoraug as sa

LAYOUTS = {
    "contiguous": lambda a: a,
    "flipped": lambda a: np.ascontiguousarray(a[:, ::-1])[:, ::-1],
    "transposed": lambda a: np.ascontiguousarray(a.swapaxes(0, 1)).swapaxes(0, 1),
    "cropped": lambda a: np.pad(a, ((1, 2), (3, 1)) + ((0, 0),) * (a.ndim - 2))[1:-2, 3:-1],
    "read-only": lambda a: a.copy() if a.setflags(write=False) else a,
}


@st.composite
def examples(draw: Any) -> dict[str, np.ndarray]:
    height, width = draw(st.integers(1, 17)), draw(st.integers(1, 19))
    channels = draw(st.sampled_from([(), (1,), (3,)]))
    dtype = draw(st.sampled_from([np.uint8, np.float32]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))

    def pixels() -> np.ndarray:
        values = rng.integers(0, 256, (height, width, *channels))
        layout = LAYOUTS[draw(st.sampled_from(list(LAYOUTS)))]
        return layout((values / (1 if dtype == np.uint8 else 255)).astype(dtype))

    def sector() -> np.ndarray:
        if draw(st.booleans()):
            inside = draw(hnp.arrays(bool, (height, width)))
        else:
            inside = np.full((height, width), draw(st.booleans()))
        inside[draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))] = True
        value = draw(st.sampled_from([bool, 1, 255]))
        given_as = inside if value is bool else inside.astype(np.uint8) * np.uint8(value)
        return LAYOUTS[draw(st.sampled_from(list(LAYOUTS)))](given_as)

    return {"image": pixels(), "donor": pixels(), "sector": sector(), "donor_sector": sector()}


@given(examples())
@settings(deadline=None, max_examples=300)
def test_swap_keeps_the_sector_and_shows_no_donor_sector(case: dict[str, np.ndarray]) -> None:
    before = {name: array.copy() for name, array in case.items()}
    image, sector = case["image"], case["sector"]
    background = sa.blacken_sector(case["donor"], case["donor_sector"])
    out = sa.swap_background(image, sector, background)

    inside, donor_inside = sector != 0, case["donor_sector"] != 0
    assert out.shape == image.shape and out.dtype == image.dtype
    assert np.array_equal(out[inside], image[inside])
    assert not out[~inside & donor_inside].any()
    visible = ~inside & ~donor_inside
    assert np.array_equal(out[visible], case["donor"][visible])
    for name, array in case.items():
        assert np.array_equal(array, before[name]), f"{name} was written to"


@given(examples())
@settings(deadline=None)
def test_swap_into_out_is_the_same_swap(case: dict[str, np.ndarray]) -> None:
    background = sa.blacken_sector(case["donor"], case["donor_sector"])
    out = np.full(case["image"].shape, 77, case["image"].dtype)
    returned = sa.swap_background(case["image"], case["sector"], background, out=out)
    assert returned is out
    assert np.array_equal(out, sa.swap_background(case["image"], case["sector"], background))


def test_a_full_frame_sector_changes_nothing(images: np.ndarray) -> None:
    full = np.ones(images[0].shape, bool)
    assert np.array_equal(sa.swap_background(images[0], full, images[1]), images[0])


def test_out_of_another_kind_is_refused_and_untouched(images: np.ndarray, sectors: np.ndarray) -> None:
    image = images[0].copy()
    for out in (
        np.zeros(image.shape, np.float32),
        np.zeros((*image.shape, 3), np.uint8),
        np.zeros(image.shape[::-1], np.uint8).T,
    ):
        with pytest.raises(ValueError, match="^out is .*expected"):
            sa.swap_background(image, sectors[0], images[1], out=out)
        assert not out.any()


def test_out_that_overlaps_an_input_is_refused(images: np.ndarray, sectors: np.ndarray) -> None:
    image, background = images[0].copy(), images[1].copy()
    for out in (image, background, image[:], background[:]):
        with pytest.raises(ValueError, match="shares memory"):
            sa.swap_background(image, sectors[0], background, out=out)
    assert np.array_equal(image, images[0]) and np.array_equal(background, images[1])
