"""torchvision's own protocol, `make_params` and `transform`, and its PIL images."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import sectoraug as sa

pytest.importorskip("torchvision")

from PIL import Image
from torchvision import tv_tensors
from torchvision.transforms import v2

from sectoraug.plugins.torchvision import BackMix

CLIPS = [sa.phantom.make_clip(seed=seed, frames=3, size=(48, 64)) for seed in range(4)]
SECTORS = [clip.sector for clip in CLIPS]
GREY = [clip.frames[0] if clip.frames.ndim == 3 else clip.frames[0, ..., 0] for clip in CLIPS]
RGB = [np.stack([frame, 255 - frame, frame // 2], -1) for frame in GREY]


def mask(k: int) -> tv_tensors.Mask:
    return tv_tensors.Mask(torch.from_numpy(SECTORS[k]))


@pytest.mark.parametrize("frames", [GREY, RGB], ids=["L", "RGB"])
@pytest.mark.parametrize("match_sector", [False, True])
def test_a_pil_image_comes_back_as_one(frames: list[np.ndarray], match_sector: bool) -> None:
    pool = sa.BackgroundPool.from_arrays(frames[1:2], SECTORS[1:2])
    sample = {"image": Image.fromarray(frames[0]), "sector": mask(0), "backmixed": False, "label": 5}
    out = BackMix(pool, match_sector=match_sector)(sample)
    wanted = sa.BackMix(pool, match_sector=match_sector)(image=frames[0], mask=SECTORS[0].view(np.uint8))
    assert isinstance(out["image"], Image.Image)
    assert out["image"].mode == Image.fromarray(frames[0]).mode
    assert np.array_equal(np.asarray(out["image"]), wanted["image"])
    assert np.array_equal(out["sector"].numpy() != 0, wanted["mask"] != 0)
    assert (out["backmixed"], out["label"]) == (True, 5)


def test_pil_images_go_through_other_transforms_first() -> None:
    pool = sa.BackgroundPool.from_arrays(RGB[1:2], SECTORS[1:2])
    train = v2.Compose([v2.RandomHorizontalFlip(p=1), BackMix(pool), v2.ToImage()])
    image, sector = train(Image.fromarray(RGB[0]), mask(0))
    assert np.array_equal(sector.numpy(), SECTORS[0][:, ::-1])
    wanted = sa.swap_background(np.ascontiguousarray(RGB[0][:, ::-1]), sector.numpy(), pool.background(0))
    assert np.array_equal(image.permute(1, 2, 0).numpy(), wanted)


def test_a_pil_image_without_sector_or_of_another_kind() -> None:
    pool = sa.BackgroundPool.from_arrays(RGB[1:2], SECTORS[1:2])
    image = Image.fromarray(RGB[0])
    with pytest.raises(ValueError, match='missing="skip"'):
        BackMix(pool)(image)
    assert BackMix(pool, missing="skip")(image) is image
    with pytest.raises(ValueError, match=r"with 3 channel\(s\) but the image is"):
        BackMix(pool)(image.convert("L"), mask(0))
    with pytest.raises(ValueError, match="2 images"):
        BackMix(pool)(image, Image.fromarray(SECTORS[0]))


def parts(kind: str) -> tuple[Any, tv_tensors.Mask]:
    if kind == "PIL":
        return Image.fromarray(RGB[0]), mask(0)
    image = torch.from_numpy(np.stack(RGB)).permute(0, 3, 1, 2)
    if kind == "video":
        return tv_tensors.Video(image), mask(0)
    if kind == "batch":
        return tv_tensors.Image(image), tv_tensors.Mask(torch.from_numpy(np.stack(SECTORS)))
    return tv_tensors.Image(image[0]), mask(0)


def pixels(image: Any) -> np.ndarray:
    return np.asarray(image)


@pytest.mark.parametrize("kind", ["image", "PIL", "video", "batch"])
def test_what_is_drawn_can_be_applied_again(kind: str) -> None:
    pool = sa.BackgroundPool.from_arrays(RGB, SECTORS)
    op = BackMix(pool)
    image, sector = parts(kind)
    torch.manual_seed(3)
    whole, _ = op(image, sector)
    torch.manual_seed(3)
    again = BackMix(pool)
    params = again.make_params([image, sector, "label"])
    assert bool(torch.as_tensor(params["mixed"]).all())
    for _ in range(2):
        assert np.array_equal(pixels(again.transform(image, params)), pixels(whole))
    assert again.transform(sector, params) is sector
    assert again.transform("label", params) == "label"
    assert not np.array_equal(pixels(whole), pixels(image))


def test_where_the_coin_says_no_nothing_is_swapped() -> None:
    op = BackMix(sa.BackgroundPool.from_arrays(RGB, SECTORS), p=0)
    image, sector = parts("image")
    params = op.make_params([image, sector])
    assert params["mixed"] is False
    assert op.transform(image, params) is image


@pytest.mark.parametrize("kind", [tv_tensors.Image, tv_tensors.Video])
def test_batches_of_clips_are_refused(kind: Any) -> None:
    image, _ = parts("batch")
    with pytest.raises(ValueError, match=r"expected an Image \(C, H, W\) or .*, or a Video .*\.$"):
        BackMix(sa.BackgroundPool.from_arrays(RGB, SECTORS))(kind(image[None]), mask(0))


@pytest.mark.parametrize("of", [lambda m: m[:, :5], lambda m: m[0], lambda m: m[:1], lambda m: m.long()])
def test_a_batch_with_sectors_that_do_not_fit_is_refused_before_anything_is_drawn(of: Any) -> None:
    image, sectors = parts("batch")
    with pytest.raises((ValueError, TypeError), match=r"^the sectors' mask is an? .*; expected .*\.$"):
        BackMix(sa.BackgroundPool.from_arrays(RGB, SECTORS)).make_params(
            [image, tv_tensors.Mask(of(sectors))]
        )


@pytest.mark.parametrize("shape", [(1, 48, 64), (48, 64, 1)])
@pytest.mark.parametrize("dtype", [torch.bool, torch.uint16, torch.float32])
def test_a_mask_keeps_its_shape_and_dtype(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    op = BackMix(sa.BackgroundPool.from_arrays(RGB[1:2], SECTORS[1:2]), match_sector=True)
    image, sector = parts("image")
    _, left = op(image, tv_tensors.Mask(sector.reshape(shape).to(dtype)))
    assert left.dtype == dtype
    assert torch.equal(left.to(torch.bool), op(image, sector)[1].reshape(shape))
