"""Images that are neither grey nor RGB: B-mode beside flow planes, or with alpha."""

from __future__ import annotations

from typing import Any

import albumentations as A
import numpy as np
import pytest

import sectoraug as sa

FILLS = (sa.BlackBackground, sa.NoiseBackground, sa.ShuffleBackground, sa.DimBackground, sa.BlurBackground)
SECTOR = np.zeros((24, 32), np.uint8)
SECTOR[4:18, 6:25] = 1


def example(channels: int, dtype: Any, n: int = 3, side: tuple[int, int] = (24, 32)) -> np.ndarray:
    levels = np.random.default_rng(5).integers(1, 256, (n, *side, channels), dtype=np.uint8)
    return levels if dtype is np.uint8 else levels.astype(np.float32) / 255


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("channels", [2, 4, 5, 8])
def test_all_channels_are_swapped_together(channels: int, dtype: Any) -> None:
    images = example(channels, dtype)
    pool = sa.BackgroundPool.from_arrays(images[1:2], [SECTOR])
    train = A.Compose([A.HorizontalFlip(p=1), sa.BackMix(pool)])
    out = train(image=images[0], mask=SECTOR)
    flipped, inside = images[0][:, ::-1], out["mask"] > 0
    assert np.array_equal(out["image"][inside], flipped[inside])
    assert np.array_equal(out["image"][~inside], pool.background(0)[~inside])
    clip = sa.BackMix(pool)(images=images, mask=SECTOR)["images"]
    inside = SECTOR > 0
    assert np.array_equal(clip[:, inside], images[:, inside])
    assert (clip[:, ~inside] == pool.background(0)[~inside]).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("channels", [2, 4, 5, 8])
@pytest.mark.parametrize("fill", FILLS)
def test_fills_keep_the_sector_and_the_channels(fill: Any, channels: int, dtype: Any) -> None:
    image = example(channels, dtype)[0]
    out = fill()(image=image, mask=SECTOR)["image"]
    assert (out.shape, out.dtype) == (image.shape, image.dtype)
    inside = SECTOR > 0
    assert np.array_equal(out[inside], image[inside])
    assert not np.array_equal(out[~inside], image[~inside])


@pytest.mark.parametrize("channels", [2, 4, 5, 8])
@pytest.mark.parametrize("resize", ["stretch", "pad"])
def test_donors_of_another_size_are_fitted(resize: str, channels: int) -> None:
    donor, image = example(channels, np.uint8, 1, (48, 32))[0], example(channels, np.uint8)[0]
    sector = np.zeros((48, 32), np.uint8)
    sector[10:30, 8:20] = 1
    pool = sa.BackgroundPool.from_arrays([donor], [sector])
    out = sa.BackMix(pool, resize=resize)(image=image, mask=SECTOR)["image"]
    one_by_one = [
        sa.BackMix(sa.BackgroundPool.from_arrays([donor[..., c]], [sector]), resize=resize)(
            image=np.ascontiguousarray(image[..., c]), mask=SECTOR
        )["image"]
        for c in range(channels)
    ]
    # OpenCV rounds otherwise where it has no fast way for that number of channels.
    assert np.abs(out.astype(int) - np.stack(one_by_one, -1)).max() <= 1


def test_other_channels_than_the_pool_s_are_refused() -> None:
    pool = sa.BackgroundPool.from_arrays(example(3, np.uint8), [SECTOR] * 3)
    with pytest.raises(
        ValueError, match=r"with 3 channel\(s\) but the image is a uint8 array of shape .*4\)"
    ):
        sa.BackMix(pool)(image=example(4, np.uint8)[0], mask=SECTOR)
    with pytest.raises(ValueError, match="1 to 8 channels"):
        sa.BackMix(pool)(image=example(9, np.uint8)[0], mask=SECTOR)


def test_what_is_looked_at_is_grey_or_rgb() -> None:
    with pytest.raises(ValueError, match=r"expected grey, .* or RGB"):
        sa.sector_from_image(example(4, np.uint8)[0])
