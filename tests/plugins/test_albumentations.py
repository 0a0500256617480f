"""The plug-in, on whichever of albumentations 2.0.8 and AlbumentationsX is installed."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import albumentations as A
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import sectoraug as sa

FILLS = [
    sa.BlackBackground,
    sa.NoiseBackground,
    sa.ShuffleBackground,
    sa.DimBackground,
    sa.BlurBackground,
]


def all_transforms(pool: sa.BackgroundPool) -> list[Any]:
    return [sa.BackMix(pool), *(fill() for fill in FILLS)]


def is_a_swap(out: np.ndarray, image: np.ndarray, sector: np.ndarray, pool: sa.BackgroundPool) -> bool:
    return any(
        np.array_equal(out, sa.swap_background(image, sector, pool.background(i))) for i in range(len(pool))
    )


def test_it_swaps_after_geometry(images: np.ndarray, sectors: np.ndarray, pool: sa.BackgroundPool) -> None:
    seen = {}

    class Spy(A.ImageOnlyTransform):
        def apply(self, img: np.ndarray, **_: Any) -> np.ndarray:
            seen["image"] = img.copy()
            return img

    train = A.Compose([A.Rotate((10, 30), p=1), A.HorizontalFlip(), Spy(p=1), sa.BackMix(pool)])
    for _ in range(10):
        out = train(image=images[0], mask=sectors[0], backmixed=False)
        assert out["backmixed"] is True
        assert out["image"].shape == images[0].shape
        augmented = seen["image"].reshape(images[0].shape)
        assert is_a_swap(out["image"], augmented, out["mask"], pool)
        assert not np.array_equal(out["mask"], sectors[0])


@pytest.mark.parametrize("kind", ["grey", "grey1", "colour", "float"])
@pytest.mark.parametrize("value", [True, 1, 255])
def test_every_kind_of_image_and_sector(
    images: np.ndarray, sectors: np.ndarray, kind: str, value: int
) -> None:
    shaped = {
        "grey": images,
        "grey1": images[..., None],
        "colour": np.repeat(images[..., None], 3, 3),
        "float": images.astype(np.float32) / 255,
    }[kind]
    sector = sectors[0].astype(bool) if value is True else sectors[0] * np.uint8(value)
    for transform in all_transforms(sa.BackgroundPool.from_arrays(shaped, sectors)):
        image = shaped[0].copy()
        out = A.Compose([transform])(image=image, mask=sector, backmixed=False, pool_index=0)
        inside = sectors[0] != 0
        assert np.array_equal(out["image"][inside], image[inside])
        assert not np.array_equal(out["image"], image)
        assert out["image"].dtype == image.dtype
        assert out["image"].shape == image.shape
        assert np.array_equal(out["mask"], sector)
        assert out["mask"].dtype == sector.dtype
        assert out["backmixed"] is True
        assert np.array_equal(image, shaped[0]), "the input was written to"


def test_grey_with_and_without_a_channel_axis_mix(
    images: np.ndarray, sectors: np.ndarray, pool: sa.BackgroundPool
) -> None:
    out = sa.BackMix(pool)(image=images[0][..., None], mask=sectors[0])["image"]
    assert is_a_swap(out[..., 0], images[0], sectors[0], pool)


def test_p_0_is_identity_and_p_between_tells_which(
    images: np.ndarray, sectors: np.ndarray, pool: sa.BackgroundPool
) -> None:
    out = A.Compose([sa.BackMix(pool, p=0.0)])(image=images[0], mask=sectors[0], backmixed=False)
    assert np.array_equal(out["image"], images[0])
    assert out["backmixed"] is False
    half = A.Compose([sa.BackMix(pool, p=0.5)])
    outs = [half(image=images[0], mask=sectors[0], backmixed=False, pool_index=0) for _ in range(200)]
    for out in outs:
        assert out["backmixed"] is not np.array_equal(out["image"], images[0])
    assert 60 < sum(out["backmixed"] for out in outs) < 140


def test_a_call_without_the_flag_gets_no_flag(
    images: np.ndarray, sectors: np.ndarray, pool: sa.BackgroundPool
) -> None:
    assert set(A.Compose([sa.BackMix(pool)])(image=images[0], mask=sectors[0])) == {"image", "mask"}


def test_two_sectors_side_by_side_survive_collation(
    images: np.ndarray, sectors: np.ndarray, pool: sa.BackgroundPool
) -> None:
    train = A.Compose([sa.BackMix(pool, missing="skip")])
    given = [sectors[0], sectors[11], np.zeros_like(sectors[0]), np.ones_like(sectors[0])]
    data = [train(image=images[i], mask=s, backmixed=False) for i, s in enumerate(given)]
    batch = next(iter(DataLoader(data, batch_size=4)))
    assert batch["backmixed"].tolist() == [True, True, False, True]
    for i, sector in enumerate(given):
        assert np.array_equal(batch["image"][i].numpy()[sector != 0], images[i][sector != 0])
    assert np.array_equal(batch["image"][2].numpy(), images[2])
    assert np.array_equal(batch["image"][3].numpy(), images[3])


def test_a_flipped_sector_can_be_collated(
    images: np.ndarray, sectors: np.ndarray, pool: sa.BackgroundPool
) -> None:
    train = A.Compose([A.HorizontalFlip(p=1), A.VerticalFlip(p=1), sa.BackMix(pool)])
    data = [train(image=i, mask=s) for i, s in zip(images, sectors, strict=True)]
    batch = next(iter(DataLoader(data, batch_size=12)))
    assert np.array_equal(batch["mask"].numpy(), sectors[:, ::-1, ::-1])


@pytest.mark.parametrize("absent", ["key", "None", "zero"])
def test_missing_sectors(images: np.ndarray, pool: sa.BackgroundPool, absent: str) -> None:
    given = {"key": {}, "None": {"mask": None}, "zero": {"mask": np.zeros(images[0].shape, np.uint8)}}[absent]
    for make in (lambda m: sa.BackMix(pool, missing=m), *(lambda m, f=f: f(missing=m) for f in FILLS)):
        with pytest.raises(ValueError, match='missing="skip"'):
            make("raise")(image=images[0], **given)
        out = A.Compose([make("skip")])(image=images[0], backmixed=False, **given)
        assert np.array_equal(out["image"], images[0])
        assert out["backmixed"] is False


def test_clips_share_one_donor(images: np.ndarray, sectors: np.ndarray, pool: sa.BackgroundPool) -> None:
    clip = images[:5]
    outside = sectors[0] == 0
    for channels in ((), (1,)):
        out = A.Compose([sa.BackMix(pool)])(
            images=clip.reshape(*clip.shape, *channels), mask=sectors[0], backmixed=False
        )
        frames = out["images"].reshape(clip.shape)
        assert out["backmixed"] is True
        for frame, original in zip(frames, clip, strict=True):
            assert np.array_equal(frame[~outside], original[~outside])
            assert np.array_equal(frame[outside], frames[0][outside])
            assert is_a_swap(frame, original, sectors[0], pool)


def test_fills_are_the_same_for_all_frames_of_a_clip(images: np.ndarray, sectors: np.ndarray) -> None:
    still = np.stack([images[0]] * 4)
    for fill in FILLS:
        out = fill()(images=still, mask=sectors[0])["images"]
        assert (out == out[0]).all(), fill


def test_match_sector_shows_the_intersection(
    images: np.ndarray, sectors: np.ndarray, pool: sa.BackgroundPool
) -> None:
    transform = sa.BackMix(pool, match_sector=True)
    shapes = set()
    for _ in range(40):
        out = transform(image=images[0], mask=sectors[0] * np.uint8(255), backmixed=False)
        visible = out["mask"] != 0
        donors = [i for i in range(12) if np.array_equal(visible, (sectors[0] != 0) & pool[i][1])]
        assert donors
        assert any(
            np.array_equal(out["image"], sa.swap_background(images[0], visible, pool.background(i)))
            for i in donors
        )
        assert set(np.unique(out["mask"])) == {0, 255}
        shapes.add(out["mask"].tobytes())
    assert len(shapes) > 5


def test_match_sector_leaves_an_image_whose_sector_misses_the_donors(
    images: np.ndarray, pool: sa.BackgroundPool
) -> None:
    corner = np.zeros(images[0].shape, np.uint8)
    corner[0, :3] = 1
    out = sa.BackMix(pool, match_sector=True)(image=images[0], mask=corner, backmixed=False)
    assert np.array_equal(out["image"], images[0])
    assert out["backmixed"] is False


def test_pool_index_keeps_an_image_from_drawing_itself(images: np.ndarray, sectors: np.ndarray) -> None:
    two = sa.BackgroundPool.from_arrays(images[:2], sectors[:2])
    transform = A.Compose([sa.BackMix(two)])
    for _ in range(30):
        out = transform(image=images[0], mask=sectors[0], pool_index=0)
        assert np.array_equal(out["image"], sa.swap_background(images[0], sectors[0], two.background(1)))


@pytest.mark.parametrize("resize", ["stretch", "pad"])
def test_donors_of_another_size(
    images: np.ndarray, sectors: np.ndarray, pool: sa.BackgroundPool, resize: str
) -> None:
    from sectoraug.pool.fitting import fit

    large = np.kron(images[0], np.ones((2, 3), np.uint8))
    sector = np.kron(sectors[0], np.ones((2, 3), np.uint8))
    with pytest.raises(ValueError, match=r"40 x 48 .*80 x 144.*size=\(80, 144\)"):
        sa.BackMix(pool)(image=large, mask=sector)
    for match_sector in (False, True):
        out = sa.BackMix(pool, resize=resize, match_sector=match_sector)(image=large, mask=sector)
        fitted = [fit(*pool[i], large.shape, resize)[0] for i in range(12)]
        assert any(np.array_equal(out["image"], sa.swap_background(large, out["mask"], f)) for f in fitted)


# -- keys of one's own ----------------------------------------------------------------------------


def test_own_key(images: np.ndarray, sectors: np.ndarray, pool: sa.BackgroundPool) -> None:
    train = A.Compose(
        [A.HorizontalFlip(p=1), sa.BackMix(pool, sector_key="sector")],
        additional_targets={"sector": "mask"},
    )
    out = train(image=images[0], mask=np.zeros_like(sectors[0]), sector=sectors[0])
    assert np.array_equal(out["sector"], sectors[0][:, ::-1])
    assert is_a_swap(out["image"], images[0][:, ::-1], out["sector"], pool)


def test_own_key_left_behind_by_geometry_is_found(
    images: np.ndarray, sectors: np.ndarray, pool: sa.BackgroundPool
) -> None:
    swap = sa.BackMix(pool, sector_key="sector")
    for geometry in (A.HorizontalFlip(p=1), A.OneOf([A.Rotate(p=1), A.VerticalFlip(p=1)], p=1)):
        train = A.Compose([geometry, A.Sequential([swap], p=1)])
        for _ in range(2):
            with pytest.raises(ValueError, match=r"does not move the sector.*additional_targets="):
                train(image=images[0], sector=sectors[0])


def test_own_key_without_geometry_before_it_is_fine(
    images: np.ndarray, sectors: np.ndarray, pool: sa.BackgroundPool
) -> None:
    for transforms in (
        [A.RandomBrightnessContrast(p=1), sa.BackMix(pool, sector_key="sector")],
        [sa.BackMix(pool, sector_key="sector"), A.HorizontalFlip(p=1)],
    ):
        A.Compose(transforms)(image=images[0], sector=sectors[0])
    sa.BackMix(pool, sector_key="sector")(image=images[0], sector=sectors[0])


def test_additional_images_share_the_sector(
    images: np.ndarray, sectors: np.ndarray, pool: sa.BackgroundPool
) -> None:
    train = A.Compose([sa.BackMix(pool)], additional_targets={"image2": "image"})
    out = train(image=images[0], image2=images[1], mask=sectors[0])
    outside = sectors[0] == 0
    assert is_a_swap(out["image2"], images[1], sectors[0], pool)
    assert np.array_equal(out["image"][outside], out["image2"][outside])


def test_strict_compose_knows_the_keys(
    images: np.ndarray, sectors: np.ndarray, pool: sa.BackgroundPool
) -> None:
    train = A.Compose([sa.BackMix(pool)], strict=True)
    out = train(image=images[0], mask=sectors[0], backmixed=False, pool_index=3)
    assert out["backmixed"] is True


def test_boxes_and_labels_pass_through(
    images: np.ndarray, sectors: np.ndarray, pool: sa.BackgroundPool
) -> None:
    train = A.Compose(
        [A.HorizontalFlip(p=1), sa.BackMix(pool)],
        bbox_params=A.BboxParams("pascal_voc", label_fields=["labels"]),
    )
    out = train(image=images[0], mask=sectors[0], bboxes=[[1, 2, 10, 12]], labels=[4], view="A4C")
    assert np.allclose(np.asarray(out["bboxes"])[0], [38, 2, 47, 12])
    assert list(out["labels"]) == [4]
    assert out["view"] == "A4C"


# -- replay and serialisation ---------------------------------------------------------------------


def test_replay_uses_the_same_donor(images: np.ndarray, sectors: np.ndarray, pool: sa.BackgroundPool) -> None:
    for transform in all_transforms(pool):
        train = A.ReplayCompose([A.HorizontalFlip(p=0.5), transform])
        for _ in range(5):
            first = train(image=images[0], mask=sectors[0], backmixed=False)
            again = A.ReplayCompose.replay(first["replay"], image=images[0], mask=sectors[0], backmixed=False)
            assert np.array_equal(first["image"], again["image"])
            assert again["backmixed"] is True
            other = A.ReplayCompose.replay(first["replay"], image=images[1], mask=sectors[7])
            inside = other["mask"] != 0
            flipped = not np.array_equal(first["mask"], sectors[0])
            expected = images[1][:, ::-1] if flipped else images[1]
            assert np.array_equal(other["image"][inside], expected[inside])


def test_dicts_name_the_pool_and_hold_no_pixels(pool: sa.BackgroundPool, tmp_path: Path) -> None:
    saved = pool.save(tmp_path / "pool")
    for given in (pool, saved):
        carried = json.dumps(A.to_dict(A.Compose([sa.BackMix(given, match_sector=True)])))
        assert len(carried) < 1500
        restored = A.from_dict(json.loads(carried))
        assert restored[0].pool is given
        assert restored[0].match_sector is True
    assert str(tmp_path / "pool") in carried


def test_an_unknown_pool_key_raises(pool: sa.BackgroundPool) -> None:
    carried = A.to_dict(A.Compose([sa.BackMix(pool)]))
    text = json.dumps(carried).replace(pool.key, "memory:0123456789abcdef")
    with pytest.raises(ValueError, match="not alive in this process"):
        A.from_dict(json.loads(text))
    text = json.dumps(carried).replace(pool.key, "/nowhere/pool")
    with pytest.raises(FileNotFoundError, match=r"holds no pool\.json"):
        A.from_dict(json.loads(text))


def test_a_folder_names_its_pool(pool: sa.BackgroundPool, tmp_path: Path) -> None:
    pool.save(tmp_path / "pool")
    assert len(sa.BackMix(str(tmp_path / "pool")).pool) == 12


def test_repr_has_no_pixels(pool: sa.BackgroundPool) -> None:
    shown = repr(A.Compose([sa.BackMix(pool), *(f() for f in FILLS)]))
    assert pool.key in shown
    assert "array" not in shown


def test_it_pickles(images: np.ndarray, sectors: np.ndarray, pool: sa.BackgroundPool) -> None:
    for transform in all_transforms(pool):
        train = pickle.loads(pickle.dumps(A.Compose([transform])))
        torch.manual_seed(0)
        a = train(image=images[0], mask=sectors[0])["image"]
        torch.manual_seed(0)
        b = A.Compose([transform])(image=images[0], mask=sectors[0])["image"]
        assert np.array_equal(a, b)


def test_one_of_the_fills(images: np.ndarray, sectors: np.ndarray, pool: sa.BackgroundPool) -> None:
    train = A.Compose([A.OneOf(all_transforms(pool), p=1)])
    outs = {train(image=images[0], mask=sectors[0])["image"].tobytes() for _ in range(60)}
    assert len(outs) > 10
