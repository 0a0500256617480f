"""After albumentations' tests over all of its transforms: test_transforms.py, test_augmentations.py,
test_core.py, test_serialization.py, test_targets.py, test_batch_transforms.py."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import albumentations as A
import numpy as np
import torch
from peer_row import IMAGES, SECTORS, SIDE, Row, images_of, is_swapped, pool_of

import sectoraug as sa

FILLS = (sa.BlackBackground, sa.NoiseBackground, sa.ShuffleBackground, sa.DimBackground, sa.BlurBackground)


def zoo(images: np.ndarray) -> list[Any]:
    return [sa.BackMix(pool_of(images)), *(fill() for fill in FILLS)]


def for_all(images: np.ndarray, ask: Callable[[Any, np.ndarray], None]) -> None:
    for transform in zoo(images):
        ask(transform, images[0])


def inputs_stay_as_they_are() -> None:
    def ask(transform: Any, image: np.ndarray) -> None:
        given, sector = image.copy(), SECTORS[0].copy()
        given.flags.writeable = sector.flags.writeable = False
        is_swapped(transform(image=given, mask=sector)["image"], image, sector)

    for dtype in (np.uint8, np.float32):
        for_all(images_of(dtype, 3), ask)


def shapes_stay() -> None:
    for channels in (None, 1, 3, 5):
        for_all(
            images_of(np.uint8, channels),
            lambda t, image: is_swapped(t(image=image, mask=SECTORS[0])["image"], image, SECTORS[0]),
        )


def results_are_contiguous() -> None:
    image = np.moveaxis(np.ascontiguousarray(np.moveaxis(images_of(np.uint8, 3)[0], -1, 0)), 0, -1)
    assert not image.flags.c_contiguous

    def ask(transform: Any, _: np.ndarray) -> None:
        turned = np.asfortranarray(SECTORS[0])
        for call in (transform, A.Compose([transform])):
            out = call(image=image, mask=turned)
            assert out["image"].flags.c_contiguous and out["mask"].flags.c_contiguous
            is_swapped(out["image"], image, turned)

    for_all(images_of(np.uint8, 3), ask)


def further_images_get_the_same() -> None:
    def ask(transform: Any, image: np.ndarray) -> None:
        compose = A.Compose([transform], additional_targets={"image2": "image"})
        for each in (compose, A.from_dict(A.to_dict(compose))):
            out = each(image=image, image2=image.copy(), mask=SECTORS[0])
            assert np.array_equal(out["image"], out["image2"])
            is_swapped(out["image2"], image, SECTORS[0])

    for_all(images_of(), ask)


def targets_added_later() -> None:
    def ask(transform: Any, image: np.ndarray) -> None:
        compose = A.Compose([transform])
        compose.add_targets({"image2": "image"})
        out = compose(image=image, image2=image.copy(), mask=SECTORS[0])
        assert np.array_equal(out["image"], out["image2"])

    for_all(images_of(), ask)


def kept_in_files() -> None:
    def ask(transform: Any, image: np.ndarray) -> None:
        compose = A.Compose([A.HorizontalFlip(p=0.5), transform], seed=3)
        with tempfile.TemporaryDirectory() as folder:
            for ending in ("json", "yaml"):
                path = Path(folder) / f"transform.{ending}"
                A.save(compose, path, data_format=ending)
                again = A.load(path, data_format=ending)
                for each in (compose, again):
                    each.set_random_seed(5)
                outs = [each(image=image, mask=SECTORS[0])["image"] for each in (compose, again)]
                assert np.array_equal(*outs)

    for_all(images_of(), ask)


def dicts_have_every_argument() -> None:
    """As the peer's test of serialisation does for its own: what a constructor takes comes back."""
    import inspect

    pool = pool_of(images_of())
    given: dict[Any, dict[str, Any]] = {
        sa.BackMix: {"pool": pool, "missing": "skip", "match_sector": True, "resize": "pad"},
        sa.NoiseBackground: {"high": 12.0},
        sa.DimBackground: {"factor": 0.5},
        sa.BlurBackground: {"sigma_px": 1.5},
        sa.ReshapeSector: {"opening": (0.9, 1.1), "depth": (0.7, 1.0), "shift": 0.1},
    }
    for kind, arguments in given.items():
        transform = kind(**arguments, p=0.25, sector_key="sector")
        again = A.from_dict(json.loads(json.dumps(A.to_dict(transform))))
        for name in inspect.signature(kind.__init__).parameters:
            if name != "self":
                found, wanted = getattr(again, name), getattr(transform, name)
                assert found is wanted if name == "pool" else found == wanted, (kind, name)


def clips_equal_their_frames() -> None:
    clip = np.stack([IMAGES[0], IMAGES[1], IMAGES[0]])
    for transform in zoo(images_of()):
        compose = A.Compose([transform])
        torch.manual_seed(1)
        whole = compose(images=clip, mask=SECTORS[0])["images"]
        for frame, out in zip(clip, whole, strict=True):
            torch.manual_seed(1)
            assert np.array_equal(compose(image=frame, mask=SECTORS[0])["image"], out), transform


def volumes() -> None:
    volume = np.stack([IMAGES[0]] * 3)
    for transform in zoo(images_of()):
        out = A.Compose([transform])(volume=volume, mask=SECTORS[0])["volume"]
        is_swapped(out[1], volume[1], SECTORS[0])


def volumes_with_their_own_masks() -> None:
    volume = np.stack([IMAGES[0]] * 3)
    planes = np.stack([SECTORS[0]] * 3)
    A.Compose([sa.BackMix(pool_of(images_of()), sector_key="mask3d")])(volume=volume, mask3d=planes)


def several_masks_as_sector() -> None:
    mix = A.Compose([sa.BackMix(pool_of(images_of()), sector_key="masks")])
    mix(image=IMAGES[0], masks=[SECTORS[0], SECTORS[1]])


def before_tensors() -> None:
    from albumentations.pytorch import ToTensorV2

    compose = A.Compose([sa.BackMix(pool_of(images_of())), ToTensorV2()])
    out = compose(image=IMAGES[0], mask=SECTORS[0])
    assert out["image"].shape == (1, SIDE, SIDE)
    is_swapped(out["image"][0].numpy(), IMAGES[0], SECTORS[0])


def other_numbers(dtype: Any) -> Callable[[], None]:
    def ask() -> None:
        sa.BackMix(pool_of(images_of()))(image=IMAGES[0].astype(dtype), mask=SECTORS[0])

    return ask


def unknown_arguments() -> None:
    sa.BlurBackground(sigma=3)  # type: ignore[call-arg]


def in_other_composes() -> None:
    image, pool = IMAGES[0], pool_of(images_of())
    for kind in (A.Sequential, A.OneOf, A.RandomOrder):
        parts = [sa.BackMix(pool)] * (1 if kind is A.Sequential else 2)
        options = {"n": 1} if kind is A.RandomOrder else {}
        out = A.Compose([kind(parts, p=1, **options)])(image=image, mask=SECTORS[0], backmixed=False)
        assert out["backmixed"] is True
        is_swapped(out["image"], image, SECTORS[0])


def seeded_composes_repeat() -> None:
    for transform in (sa.BackMix(pool_of(images_of()), p=0.5), sa.NoiseBackground(p=0.5)):
        runs = []
        for seed in (4, 4, 5):
            compose = A.Compose([transform], seed=seed)
            runs.append([compose(image=IMAGES[0], mask=SECTORS[0])["image"].tobytes() for _ in range(12)])
        assert runs[0] == runs[1] != runs[2]


ROWS = [
    Row(
        "albumentations",
        "test_augmentations_wont_change_input",
        "inputs are only read",
        inputs_stay_as_they_are,
    ),
    Row(
        "albumentations",
        "test_augmentations_wont_change_shape_grayscale, test_multichannel_image_augmentations",
        "(H, W), and 1, 3 or 5 channels last",
        shapes_stay,
    ),
    Row(
        "albumentations",
        "test_contiguous_output_imageonly, test_non_contiguous_input_with_compose",
        "turned arrays in, contiguous ones out",
        results_are_contiguous,
    ),
    Row(
        "albumentations",
        "test_additional_targets_for_image_only_serialization",
        "`additional_targets`, also after `to_dict` and `from_dict`",
        further_images_get_the_same,
    ),
    Row(
        "albumentations", "test_additional_targets_for_image_only", "`add_targets` later", targets_added_later
    ),
    Row(
        "albumentations",
        "test_augmentations_serialization",
        "`A.save` and `A.load`, JSON and YAML",
        kept_in_files,
    ),
    Row(
        "albumentations",
        "test_augmentations_serialization_with_custom_parameters",
        "every argument comes back from `to_dict`",
        dicts_have_every_argument,
    ),
    Row("albumentations", "test_batch_transforms.py", "a clip equals its frames", clips_equal_their_frames),
    Row("albumentations", "transforms3d/test_targets.py", "`volume` with one `mask`", volumes),
    Row(
        "albumentations",
        "transforms3d/test_targets.py",
        "`volume` with a `mask3d`",
        volumes_with_their_own_masks,
        "expected one (H, W) plane",
    ),
    Row(
        "albumentations",
        "test_targets.py",
        "`masks` as the sector",
        several_masks_as_sector,
        "expected one (H, W)",
    ),
    Row("albumentations", "pytorch/test_pytorch.py", "`ToTensorV2` after it", before_tensors),
    Row("albumentations", "test_core.py", "in `OneOf`, `Sequential`, `RandomOrder`", in_other_composes),
    Row("albumentations", "test_random.py", "a seeded Compose repeats", seeded_composes_repeat),
    *(
        Row("albumentations", "test_transforms.py", f"{name} images", other_numbers(dtype), "uint8 or")
        for name, dtype in (("uint16", np.uint16), ("float64", np.float64), ("int32", np.int32))
    ),
    Row("albumentations", "test_transforms.py", "unknown arguments", unknown_arguments, "unexpected keyword"),
]
