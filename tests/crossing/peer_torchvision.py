"""After torchvision's test_transforms_v2.py: check_transform and its samples with parts of every kind, over
image types, dtypes, shapes and containers."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peer_row import IMAGES, SECTORS, SIDE, Row, images_of, is_swapped, pool_of
from PIL import Image
from torch.utils._pytree import tree_flatten
from torchvision import tv_tensors
from torchvision.transforms import v2

from sectoraug.plugins.torchvision import BackMix

PLANE = torch.from_numpy(SECTORS[0])


def sample(image: Any) -> dict[str, Any]:
    """An image among parts of every kind that a transform has to hand on."""
    corners = torch.tensor([[1, 2, 5, 6]])
    return {
        "image": image,
        "boxes": tv_tensors.BoundingBoxes(corners, format="XYXY", canvas_size=(SIDE, SIDE)),
        "sector": tv_tensors.Mask(PLANE),
        "int": 0,
        "float": 0.5,
        "bool": True,
        "none": None,
        "str": "A4C",
        "path": Path("a"),
        "object": object(),
        "tensor": torch.empty(5),
        "array": np.empty(5),
    }


def every_container(image: Any, layout: Callable[[Any], np.ndarray]) -> Callable[[], None]:
    def ask() -> None:
        op = BackMix(pool_of(images_of(np.uint8, 3)))
        for kind in (dict, list, tuple):
            given = sample(image) if kind is dict else kind(sample(image).values())
            out = op(given)
            parts, spec = tree_flatten(out)
            givens, given_spec = tree_flatten(given)
            assert spec == given_spec
            for new, old in zip(parts, givens, strict=True):
                if old is image:
                    assert type(new) is type(old)
                    is_swapped(layout(new), layout(old), PLANE)
                else:
                    assert new is old

    return ask


def channels_last(image: Any) -> np.ndarray:
    return np.moveaxis(np.asarray(image), -3, -1)


def last_frame(video: Any) -> np.ndarray:
    return channels_last(video)[-1]


COLOUR = tv_tensors.Image(torch.from_numpy(images_of(np.uint8, 3)[0]).permute(2, 0, 1))
VIDEO = tv_tensors.Video(torch.stack([COLOUR, COLOUR.flip(-1)]))


def floats() -> None:
    image = tv_tensors.Image(torch.from_numpy(images_of(np.float32)[0])[None])
    new, _ = BackMix(pool_of(images_of(np.float32)))(image, tv_tensors.Mask(PLANE))
    is_swapped(new[0], image[0], PLANE)


def other_numbers(dtype: torch.dtype) -> Callable[[], None]:
    def ask() -> None:
        image = tv_tensors.Image(torch.from_numpy(IMAGES[0])[None].to(dtype))
        BackMix(pool_of(images_of()))(image, tv_tensors.Mask(PLANE))

    return ask


def layouts() -> None:
    pool = pool_of(images_of(np.uint8, 3))
    turned = COLOUR.as_subclass(torch.Tensor).mT.contiguous().mT
    last = COLOUR.as_subclass(torch.Tensor)[None].contiguous(memory_format=torch.channels_last)[0]
    for image in (turned, last):
        assert not image.is_contiguous()
        new, _ = BackMix(pool)(tv_tensors.Image(image), tv_tensors.Mask(PLANE.T.contiguous().T))
        is_swapped(channels_last(new), channels_last(image), PLANE)


def modes(mode: str, channels: int | None) -> Callable[[], None]:
    def ask() -> None:
        image = Image.fromarray(IMAGES[0]).convert(mode)
        new, _ = BackMix(pool_of(images_of(np.uint8, channels)))(image, tv_tensors.Mask(PLANE))
        assert new.mode == mode
        is_swapped(np.asarray(new), np.asarray(image), PLANE)

    return ask


def a_batch() -> None:
    images = tv_tensors.Image(torch.from_numpy(IMAGES)[:, None])
    new, _ = BackMix(pool_of(images_of()))(images, tv_tensors.Mask(torch.from_numpy(SECTORS)))
    for k in range(len(IMAGES)):
        assert np.array_equal(np.asarray(new[k, 0])[SECTORS[k] != 0], IMAGES[k][SECTORS[k] != 0])


def more_batch_axes() -> None:
    images = tv_tensors.Image(torch.from_numpy(IMAGES).view(2, 3, 1, SIDE, SIDE))
    BackMix(pool_of(images_of()))(images, tv_tensors.Mask(torch.from_numpy(SECTORS).view(2, 3, SIDE, SIDE)))


def videos_in_a_batch() -> None:
    videos = tv_tensors.Video(torch.from_numpy(IMAGES).view(2, 3, 1, SIDE, SIDE))
    BackMix(pool_of(images_of()))(videos, tv_tensors.Mask(torch.from_numpy(SECTORS[:2])))


def plain_tensors() -> None:
    BackMix(pool_of(images_of()))(torch.from_numpy(IMAGES[0])[None], tv_tensors.Mask(PLANE))


def no_parts() -> None:
    BackMix(pool_of(images_of()))()


def pickles() -> None:
    op = BackMix(pool_of(images_of()), p=0.5)
    given = tv_tensors.Image(torch.from_numpy(IMAGES[0])[None]), tv_tensors.Mask(PLANE)
    runs = []
    for each in (op, pickle.loads(pickle.dumps(op))):
        torch.manual_seed(0)
        runs.append([each(*given)[0].numpy().tobytes() for _ in range(8)])
    assert runs[0] == runs[1]


def containers() -> None:
    op, image, plane = BackMix(pool_of(images_of(np.uint8, 3))), COLOUR, tv_tensors.Mask(PLANE)
    flip = v2.RandomHorizontalFlip(p=0)
    for train in (
        v2.Compose([flip, op]),
        v2.RandomApply([op], p=1.0),
        v2.RandomChoice([op, op]),
        v2.RandomOrder([flip, op]),
        torch.nn.Sequential(v2.Identity(), op),
    ):
        new, same = train((image, plane)) if isinstance(train, torch.nn.Sequential) else train(image, plane)
        assert isinstance(new, tv_tensors.Image) and same is plane
        is_swapped(channels_last(new), channels_last(image), PLANE)


def scripted() -> None:
    torch.jit.script(BackMix(pool_of(images_of())))


ROWS = [
    Row(
        "torchvision",
        "check_transform",
        "an `Image` among other parts",
        every_container(COLOUR, channels_last),
    ),
    Row("torchvision", "check_transform", "a `Video` among other parts", every_container(VIDEO, last_frame)),
    Row(
        "torchvision",
        "check_transform",
        "a PIL image among other parts",
        every_container(Image.fromarray(images_of(np.uint8, 3)[0]), np.asarray),
    ),
    Row("torchvision", "make_image's dtypes", "float32 images", floats),
    *(
        Row(
            "torchvision", "make_image's dtypes", f"{str(t)[6:]} images", other_numbers(t), "but the image is"
        )
        for t in (torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.uint16)
    ),
    Row("torchvision", "make_image's memory_format", "channels last, and turned", layouts),
    Row("torchvision", "make_image_pil", "PIL modes L", modes("L", None)),
    Row("torchvision", "make_image_pil", "PIL mode RGB", modes("RGB", 3)),
    Row("torchvision", "make_image_pil", "PIL mode RGBA", modes("RGBA", 4)),
    Row("torchvision", "make_image_pil", "PIL mode LA", modes("LA", 2)),
    Row("torchvision", "make_image_pil", "PIL mode F", modes("F", None), "but the image is"),
    Row("torchvision", "make_image_pil", "PIL mode 1", modes("1", None), "but the image is"),
    Row("torchvision", "batch_dims of kernels", "a batch (B, C, H, W)", a_batch),
    Row("torchvision", "batch_dims of kernels", "two batch axes", more_batch_axes, "expected"),
    Row("torchvision", "batch_dims of kernels", "a batch of videos", videos_in_a_batch, "expected"),
    Row(
        "torchvision",
        "TestSmoke's pure tensors",
        "a plain tensor for an image",
        plain_tensors,
        "has 0 images",
    ),
    Row("torchvision", "check_transform", "a call without parts", no_parts, "has 0 images"),
    Row("torchvision", "check_transform", "pickles", pickles),
    Row("torchvision", "TestContainerTransforms", "in containers", containers),
    Row(
        "torchvision",
        "check_functional's scripting",
        "`torch.jit.script`",
        scripted,
        "cannot be JIT scripted",
    ),
]
