from __future__ import annotations

import cv2
import numpy as np
import pytest

from sectoraug import fills

KINDS = ["grey", "grey1", "colour", "float"]


@pytest.fixture(params=KINDS)
def image(request: pytest.FixtureRequest, images: np.ndarray) -> np.ndarray:
    grey = images[0]
    return {
        "grey": grey,
        "grey1": grey[:, :, None],
        "colour": np.stack([grey, images[1], images[2]], 2),
        "float": grey.astype(np.float32) / 255,
    }[request.param]


def make(name: str, image: np.ndarray, sector: np.ndarray, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return {
        "black": lambda: fills.black(image),
        "noise": lambda: fills.noise(image, rng),
        "shuffle": lambda: fills.shuffle(image, sector, rng),
        "dim": lambda: fills.dim(image, sector),
        "blur": lambda: fills.blur(image, sector),
    }[name]()


@pytest.mark.parametrize("name", ["black", "noise", "shuffle", "dim", "blur"])
def test_same_kind_new_memory_inputs_untouched(name: str, image: np.ndarray, sectors: np.ndarray) -> None:
    before = image.copy()
    background = make(name, image, sectors[0])
    assert background.shape == image.shape and background.dtype == image.dtype
    assert np.array_equal(image, before) and not np.may_share_memory(image, background)
    assert np.array_equal(background, make(name, image, sectors[0]))


def test_black_is_zero(image: np.ndarray) -> None:
    assert not fills.black(image).any()


def test_noise_is_grey_uniform_in_0_to_30(image: np.ndarray) -> None:
    top = 30 if image.dtype == np.uint8 else np.float32(30) / np.float32(255)
    background = fills.noise(image, np.random.default_rng(1))
    assert background.min() >= 0 and 0.95 * top <= background.max() <= top
    assert abs(background.mean() - top / 2) < 0.05 * top
    if image.ndim == 3:
        assert (background == background[:, :, :1]).all()


def test_noise_is_the_same_for_both_dtypes(images: np.ndarray) -> None:
    levels = fills.noise(images[0], np.random.default_rng(1))
    floats = fills.noise(images[0].astype(np.float32) / 255, np.random.default_rng(1))
    assert np.array_equal(np.rint(floats * 255), levels)


def test_shuffle_permutes_whole_background_pixels(image: np.ndarray, sectors: np.ndarray) -> None:
    outside = sectors[0] == 0
    background = fills.shuffle(image, sectors[0], np.random.default_rng(1))
    rows = [np.sort(a[outside].reshape(outside.sum(), -1), axis=0) for a in (image, background)]
    assert np.array_equal(rows[0], rows[1])
    pixels = {tuple(p) for p in image[outside].reshape(outside.sum(), -1).tolist()}
    assert {tuple(p) for p in background[outside].reshape(outside.sum(), -1).tolist()} == pixels
    assert not np.array_equal(image[outside], background[outside])
    assert not background[~outside].any()


def test_dim_is_the_authors_factor(image: np.ndarray, sectors: np.ndarray) -> None:
    outside = sectors[0] == 0
    expected = image[outside].astype(np.float64) * 0.74
    tolerance = 0.5 if image.dtype == np.uint8 else 1e-6
    assert np.abs(fills.dim(image, sectors[0])[outside] - expected).max() <= tolerance


def test_blur_sees_nothing_of_the_sector(image: np.ndarray, sectors: np.ndarray) -> None:
    inside = sectors[0] != 0
    other = image.copy()
    other[inside] = 0
    assert np.array_equal(fills.blur(image, sectors[0]), fills.blur(other, sectors[0]))
    assert np.array_equal(
        fills.blur(image, sectors[0], sigma_px=2.0),
        cv2.GaussianBlur(other, (0, 0), 2.0).reshape(image.shape),
    )


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda image, sector: fills.dim(image, sector, 1.5), "factor is 1.5"),
        (lambda image, sector: fills.blur(image, sector, 0.0), "sigma_px is 0.0"),
        (lambda image, sector: fills.noise(image, np.random.default_rng(0), -1), "high is -1"),
    ],
)
def test_parameters_out_of_range(call, sentence, images, sectors) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=sentence):
        call(images[0], sectors[0])
