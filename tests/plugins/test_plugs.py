"""Every plug makes the same swap: one donor, the same pixels. And what only torchvision and MONAI have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

import sectoraug as sa

pytest.importorskip("torchvision")
pytest.importorskip("monai")

from monai.data import MetaTensor
from monai.transforms import Compose as MonaiCompose
from monai.transforms import RandFlipd
from torchvision import tv_tensors
from torchvision.transforms import v2

from sectoraug.plugins.monai import BackMixd
from sectoraug.plugins.torchvision import BackMix

KINDS = [(dtype, channels) for dtype in ("uint8", "float32") for channels in (None, 2, 3, 4, 5)]


def example(dtype: str, channels: int | None, n: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """(N, H, W[, C]) images and (N, H, W) sectors."""
    rng = np.random.default_rng(3)
    shape = (n, 12, 16) if channels is None else (n, 12, 16, channels)
    images = rng.integers(0, 256, shape, dtype=np.uint8)
    sectors = np.zeros((n, 12, 16), bool)
    for k in range(n):
        sectors[k, 2 : 9 + k % 3, 3 : 12 + k % 4] = True
    return (images if dtype == "uint8" else images.astype(np.float32) / 255), sectors


def one_donor(images: np.ndarray, sectors: np.ndarray, donor: int) -> sa.BackgroundPool:
    return sa.BackgroundPool.from_arrays(images[donor : donor + 1], sectors[donor : donor + 1])


def chw(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image.reshape(*image.shape[:2], -1)).permute(2, 0, 1)


def by_plug(image: np.ndarray, sector: np.ndarray, pool: sa.BackgroundPool) -> dict[str, torch.Tensor]:
    """(C, H, W) of each plug."""
    pixels, plane = chw(image), torch.from_numpy(sector)
    on_device = pool.to("cpu")
    wrapped = tv_tensors.Image(pixels)
    batch = tv_tensors.Image(pixels[None]), tv_tensors.Mask(plane[None])
    return {
        "albumentations": chw(sa.BackMix(pool)(image=image, mask=sector.view(np.uint8))["image"]),
        "torchvision": BackMix(pool)(wrapped, tv_tensors.Mask(plane))[0].as_subclass(torch.Tensor),
        "torchvision, batch": BackMix(pool)(*batch)[0].as_subclass(torch.Tensor)[0],
        "monai": BackMixd("image", pool)({"image": pixels, "sector": plane})["image"],
        "monai, arrays": torch.from_numpy(
            BackMixd("image", pool)({"image": pixels.numpy(), "sector": sector[None]})["image"]
        ),
        "kornia": sa.RandomBackMix(pool=on_device)(pixels[None], plane[None])[0],
        "batch": sa.swap_background_batch(pixels[None], plane[None], on_device.backgrounds)[0][0],
    }


@pytest.mark.parametrize(("dtype", "channels"), KINDS)
def test_one_donor_the_same_pixels(dtype: str, channels: int | None) -> None:
    images, sectors = example(dtype, channels)
    for k in range(4):
        pool = one_donor(images, sectors, (k + 1) % 4)
        before = images[k].copy()
        wanted = chw(sa.swap_background(images[k], sectors[k], pool[0][0]))
        for name, found in by_plug(images[k], sectors[k], pool).items():
            assert found.dtype == wanted.dtype, name
            assert torch.equal(found, wanted), name
        assert np.array_equal(images[k], before)


@pytest.mark.parametrize("plug", ["torchvision", "monai"])
def test_match_sector_agrees_with_albumentations(plug: str) -> None:
    images, sectors = example("uint8", 3)
    pool = one_donor(images, sectors, 2)
    wanted = sa.BackMix(pool, match_sector=True)(image=images[1], mask=sectors[1].view(np.uint8))
    if plug == "torchvision":
        sample = tv_tensors.Image(chw(images[1])), tv_tensors.Mask(torch.from_numpy(sectors[1])[None])
        image, sector = BackMix(pool, match_sector=True)(*sample)
        assert isinstance(sector, tv_tensors.Mask)
    else:
        sample = {"image": chw(images[1]), "sector": sectors[1][None]}
        out = BackMixd("image", pool, match_sector=True)(sample)
        image, sector = out["image"], out["sector"]
    assert torch.equal(image.as_subclass(torch.Tensor), chw(wanted["image"]))
    assert np.array_equal(np.asarray(sector)[0] != 0, wanted["mask"] != 0)


def missing(plug: str, pool: sa.BackgroundPool, image: np.ndarray, sector: Any, **options: Any) -> Any:
    if plug == "torchvision":
        sample = {"image": tv_tensors.Image(chw(image)), "backmixed": False, "label": 3}
        if sector is not None:
            sample["sector"] = tv_tensors.Mask(torch.from_numpy(sector))
        return BackMix(pool, **options)(sample)
    sample = {"image": chw(image), "label": 3} | ({} if sector is None else {"sector": sector})
    return BackMixd("image", pool, **options)(sample)


@pytest.mark.parametrize("plug", ["torchvision", "monai"])
def test_missing_sectors(plug: str) -> None:
    images, sectors = example("uint8", None)
    pool = one_donor(images, sectors, 0)
    for sector in (None, np.zeros_like(sectors[1])):
        with pytest.raises(ValueError, match='missing="skip"'):
            missing(plug, pool, images[1], sector)
        out = missing(plug, pool, images[1], sector, missing="skip")
        assert torch.equal(out["image"].as_subclass(torch.Tensor), chw(images[1]))
        assert out["backmixed"] is False
    out = missing(plug, pool, images[1], sectors[1], missing="skip")
    assert out["backmixed"] is True
    assert out["label"] == 3
    never = missing(plug, pool, images[1], sectors[1], **{"p" if plug == "torchvision" else "prob": 0})
    assert torch.equal(never["image"].as_subclass(torch.Tensor), chw(images[1]))
    assert never["backmixed"] is False


@pytest.mark.parametrize("plug", ["torchvision", "monai"])
def test_an_image_does_not_draw_itself(plug: str) -> None:
    images, sectors = example("uint8", None, 2)
    pool = sa.BackgroundPool.from_arrays(images, sectors)
    torch.manual_seed(0)
    for _ in range(12):
        if plug == "torchvision":
            sample = {"image": tv_tensors.Image(chw(images[1])), "pool_index": 1}
            out = BackMix(pool)(sample | {"sector": tv_tensors.Mask(torch.from_numpy(sectors[1]))})
        else:
            out = BackMixd("image", pool)({"image": chw(images[1]), "sector": sectors[1], "pool_index": 1})
        wanted = chw(sa.swap_background(images[1], sectors[1], pool[0][0]))
        assert torch.equal(out["image"].as_subclass(torch.Tensor), wanted)


def test_torchvision_clips_share_a_donor_and_stay_videos() -> None:
    images, sectors = example("uint8", 3)
    pool = one_donor(images, sectors, 0)
    clip = torch.stack([chw(image) for image in images])
    new, _ = BackMix(pool)(tv_tensors.Video(clip), tv_tensors.Mask(torch.from_numpy(sectors[1])))
    assert isinstance(new, tv_tensors.Video)
    for k in range(4):
        wanted = chw(sa.swap_background(images[k], sectors[1], pool[0][0]))
        assert torch.equal(new[k].as_subclass(torch.Tensor), wanted)


def test_torchvision_beside_cutmix_in_a_collate_function() -> None:
    images, sectors = example("float32", 3)
    pool = sa.BackgroundPool.from_arrays(images, sectors)
    cutmix, backmix = v2.CutMix(num_classes=3), BackMix(pool, missing="skip")
    sectors[2] = False
    samples = [
        (tv_tensors.Image(chw(i)), tv_tensors.Mask(torch.from_numpy(s)), 1)
        for i, s in zip(images, sectors, strict=True)
    ]
    stacked, planes, labels = default_collate(samples)
    batch = {"image": tv_tensors.Image(stacked), "sector": tv_tensors.Mask(planes), "backmixed": False}
    out = backmix(batch)
    assert out["backmixed"].tolist() == [True, True, False, True]
    inside = planes[:, None].expand_as(stacked)
    assert torch.equal(out["image"].as_subclass(torch.Tensor)[inside], stacked[inside])
    mixed_images, mixed_labels = cutmix(out["image"], labels)
    assert mixed_images.shape == stacked.shape
    assert mixed_labels.shape == (4, 3)
    with pytest.raises(ValueError, match="1 of 4 sectors are all zero"):
        BackMix(pool)(batch)


def test_torchvision_moves_image_and_sector_together_in_a_compose() -> None:
    images, sectors = example("uint8", None)
    pool = one_donor(images, sectors, 0)
    train = v2.Compose([v2.RandomHorizontalFlip(1.0), BackMix(pool), v2.ToDtype(torch.float32, scale=True)])
    new, sector = train(tv_tensors.Image(chw(images[1])), tv_tensors.Mask(torch.from_numpy(sectors[1])))
    assert np.array_equal(np.asarray(sector), sectors[1][:, ::-1])
    wanted = sa.swap_background(images[1][:, ::-1].copy(), sectors[1][:, ::-1].copy(), pool[0][0])
    assert torch.allclose(new[0].as_subclass(torch.Tensor), torch.from_numpy(wanted).float() / 255)


def test_several_masks_need_a_key() -> None:
    images, sectors = example("uint8", None)
    pool = one_donor(images, sectors, 0)
    mask = tv_tensors.Mask(torch.from_numpy(sectors[1]))
    sample = {"image": tv_tensors.Image(chw(images[1])), "sector": mask, "organ": mask.clone()}
    with pytest.raises(ValueError, match="sector_key"):
        BackMix(pool)(sample)
    out = BackMix(pool, sector_key="sector")(sample)
    assert out["organ"] is sample["organ"]


def test_a_sector_that_flips_would_leave_behind_is_refused() -> None:
    images, sectors = example("uint8", None)
    pool = one_donor(images, sectors, 0)
    sample = {"image": tv_tensors.Image(chw(images[1])), "sector": torch.from_numpy(sectors[1])}
    with pytest.raises(TypeError, match="tv_tensors.Mask"):
        BackMix(pool, sector_key="sector")(sample)
    with pytest.raises(ValueError, match="sector's own"):
        BackMixd(["image", "sector"], pool)


def test_torchvision_finds_flag_and_sector_at_any_depth() -> None:
    images, sectors = example("uint8", None)
    pool = one_donor(images, sectors, 0)
    target = {"sector": tv_tensors.Mask(torch.from_numpy(sectors[1])), "backmixed": False, "label": 2}
    sample = (tv_tensors.Image(chw(images[1])), [target])
    for transform in (BackMix(pool), BackMix(pool, sector_key="sector", missing="skip")):
        _, (out,) = transform(sample)
        assert out["backmixed"] is True
        assert target["backmixed"] is False


@pytest.mark.parametrize("plug", ["torchvision", "monai"])
def test_nan_pixels_are_refused(plug: str) -> None:
    images, sectors = example("float32", None)
    pool = one_donor(images, sectors, 0)
    images[1, 0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        missing(plug, pool, images[1], sectors[1])


@pytest.mark.parametrize("plug", ["torchvision", "monai"])
def test_whether_to_swap_differs_between_ranks_and_repeats(
    plug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, sectors = example("uint8", None)
    pool = one_donor(images, sectors, 0)
    decisions = []
    for rank in ("0", "0", "1"):
        monkeypatch.setenv("RANK", rank)
        torch.manual_seed(0)
        half = {"p" if plug == "torchvision" else "prob": 0.5}
        transform = BackMix(pool, **half) if plug == "torchvision" else BackMixd("image", pool, **half)
        if plug == "monai":
            transform.set_random_state(0)
            sample = {"image": chw(images[1]), "sector": sectors[1]}
        else:
            sector = tv_tensors.Mask(torch.from_numpy(sectors[1]))
            sample = {"image": tv_tensors.Image(chw(images[1])), "sector": sector, "backmixed": False}
        decisions.append([transform(sample)["backmixed"] for _ in range(60)])
    assert decisions[0] == decisions[1]
    assert decisions[0] != decisions[2]
    assert 15 < sum(decisions[0]) < 45


def test_usaugment_stands_before_backmix_in_one_compose() -> None:
    import albumentations as A

    if hasattr(A.BasicTransform, "sample_parameters"):
        pytest.skip("usaugment is for albumentations 2.0.8")
    usaugment = pytest.importorskip("usaugment.albumentations")
    images, sectors = example("float32", None)
    pool = one_donor(images, sectors, 0)
    train = A.Compose(
        [usaugment.DepthAttenuation(p=1.0), sa.BackMix(pool, sector_key="scan_mask")],
        additional_targets={"scan_mask": "mask"},
    )
    plane = sectors[1].view(np.uint8)
    out = train(image=images[1], mask=plane, scan_mask=plane, backmixed=False)
    assert out["backmixed"] is True
    assert np.array_equal(out["image"][~sectors[1]], pool[0][0][~sectors[1]])


def test_monai_keeps_metatensors_and_follows_compose() -> None:
    images, sectors = example("float32", None)
    pool = sa.BackgroundPool.from_arrays(images, sectors)
    train = MonaiCompose([RandFlipd(["image", "sector"], prob=0.5, spatial_axis=1), BackMixd("image", pool)])
    image = MetaTensor(chw(images[1]), meta={"site": 4})
    sector = MetaTensor(torch.from_numpy(sectors[1][None]).float())
    runs = []
    for seed in (0, 0, 1, 2):
        train.set_random_state(seed)
        runs.append([train({"image": image, "sector": sector})["image"] for _ in range(6)])
    assert all(isinstance(new, MetaTensor) and new.meta["site"] == 4 for new in runs[0])
    assert all(torch.equal(a, b) for a, b in zip(runs[0], runs[1], strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(runs[0], runs[2], strict=True))


def test_monai_swaps_clips() -> None:
    images, sectors = example("uint8", 3)
    pool = one_donor(images, sectors, 0)
    clip = torch.stack([chw(image) for image in images], 1)
    out = BackMixd("image", pool)({"image": clip, "sector": sectors[1]})
    wanted = torch.stack([chw(sa.swap_background(i, sectors[1], pool[0][0])) for i in images], 1)
    assert torch.equal(out["image"], wanted)


def test_reprs_show_no_pixels() -> None:
    images, sectors = example("uint8", None)
    pool = one_donor(images, sectors, 0)
    for transform in (BackMix(pool), BackMixd("image", pool)):
        assert "[" not in repr(transform).replace("[]", "")


def test_monais_other_names() -> None:
    from sectoraug.plugins import monai

    assert monai.BackMixD is monai.BackMixDict is BackMixd


@pytest.mark.parametrize("axis", [0, 1, 2])  # of 0 there is one, which NumPy calls contiguous even so
def test_monai_takes_arrays_that_numpy_has_flipped(axis: int) -> None:
    images, sectors = example("uint8", None)
    image, sector = np.flip(images[:1], axis), np.flip(sectors[:1], axis)[0]
    assert min(image.strides) < 0
    out = BackMixd("image", one_donor(images, sectors, 1))({"image": image, "sector": sector})
    assert out["backmixed"]
    assert np.array_equal(np.asarray(out["image"])[0][sector], image[0][sector])


def test_a_bfloat16_mask_is_a_mask() -> None:
    images, sectors = example("uint8", None)
    train = BackMixd("image", one_donor(images, sectors, 1))
    plane = torch.from_numpy(sectors[0])
    outs = [
        train({"image": images[:1], "sector": plane.to(kind)})["image"]
        for kind in (torch.bfloat16, torch.bool)
    ]
    assert np.array_equal(*map(np.asarray, outs))
