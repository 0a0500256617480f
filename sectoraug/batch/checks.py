"""Argument errors of the batch op, one sentence each: what came, what was expected, what to do.

Shapes, dtypes and devices are known without waiting for a device. Values are not: they have a function of
their own.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sectoraug.checks import describe as _describe

DTYPES = (torch.uint8, torch.float16, torch.bfloat16, torch.float32, torch.float64)


def describe(value: object) -> str:
    """Name a value by type, dtype, shape and device, without its contents."""
    if not isinstance(value, Tensor):
        return _describe(value)
    dtype = str(value.dtype).removeprefix("torch.")
    article = "an" if dtype[0] == "i" else "a"
    return f"{article} {dtype} tensor of shape {tuple(value.shape)} on {value.device}"


def images(value: object) -> None:
    """Raise unless `value` is a batch of images or clips."""
    if not isinstance(value, Tensor):
        raise TypeError(
            f"images is {describe(value)}; expected a tensor (B, C, H, W) or (B, C, T, H, W): "
            "for one NumPy image use swap_background."
        )
    if value.dtype not in DTYPES:
        raise TypeError(
            f"images is {describe(value)}; expected uint8, float16, bfloat16, float32 or float64: "
            "use images.float() or images.to(torch.uint8)."
        )
    if value.ndim not in (4, 5) or 0 in value.shape:
        raise ValueError(
            f"images is {describe(value)}; expected (B, C, H, W), or (B, C, T, H, W) for clips, none of "
            "them 0: use images[None] for one image, images[:, None] to add the channel."
        )


def sectors(value: object, of: Tensor, name: str) -> Tensor:
    """Return `value` as (B, H, W); raise unless it fits the images or donors `of`."""
    if not isinstance(value, Tensor):
        raise TypeError(
            f"{name} is {describe(value)}; expected a tensor (B, H, W) or (B, 1, H, W), nonzero inside."
        )
    if value.dtype not in (torch.bool, *DTYPES):
        raise TypeError(
            f"{name} is {describe(value)}; expected bool, uint8 or floating point: use {name} != 0."
        )
    expected = (of.shape[0], *of.shape[-2:])
    planes = value[:, 0] if value.ndim == 4 and value.shape[1] == 1 else value
    if planes.shape != expected:
        raise ValueError(
            f"{name} is {describe(value)} for images or donors of shape {tuple(of.shape)}; expected "
            f"{expected}, or the same with one channel: send sectors through the same resize and crop."
        )
    _same_device(value, of, name)
    return planes


def donors(value: object, of: Tensor, donor_values: object) -> Tensor:
    """Return `value` with as many dimensions as the images `of`; raise unless its donors fit them."""
    if not isinstance(value, Tensor):
        raise TypeError(f"donors is {describe(value)}; expected a tensor like images, {describe(of)}.")
    still_for_clip = of.ndim == 5 and value.ndim == 4
    if still_for_clip:
        value = value.unsqueeze(2).expand(-1, -1, of.shape[2], -1, -1)
    if value.ndim != of.ndim or value.shape[1:] != of.shape[1:] or not value.shape[0]:
        raise ValueError(
            f"donors is {describe(value)} for images of shape {tuple(of.shape)}; expected the same channels, "
            "height and width (and frames, or stills): build the pool with size=, or resize the donors."
        )
    _same_device(value, of, "donors")
    if donor_values is None:
        if value.dtype != of.dtype:
            raise TypeError(
                f"donors is {describe(value)} but images is {describe(of)}; expected one dtype: convert one "
                "of them, or for uint8 donors give donor_values, such as torch.arange(256) / 255 for images "
                "in 0..1."
            )
    elif (
        not isinstance(donor_values, Tensor) or donor_values.shape != (256,) or donor_values.dtype != of.dtype
    ):
        raise TypeError(
            f"donor_values is {describe(donor_values)}; expected a tensor (256,) of the images' dtype, "
            f"{of.dtype}: what each grey level becomes."
        )
    else:
        _same_device(donor_values, of, "donor_values")
        if value.dtype != torch.uint8 or of.dtype == torch.uint8:
            raise TypeError(
                f"donor_values came with {value.dtype} donors for {of.dtype} images; expected uint8 donors "
                "and floating-point images: leave it out."
            )
    return value


def rows(donor_index: object, mixed: object, of: Tensor, donors: Tensor) -> None:
    """Raise unless `donor_index` and `mixed` have an entry for each of the images `of`."""
    n = of.shape[0]
    if donor_index is None:
        if donors.shape[0] != n:
            raise ValueError(
                f"there are {donors.shape[0]} donors for {n} images and no donor_index; expected one donor "
                "an image, or donor_index (B,) to pick them."
            )
    elif (
        not isinstance(donor_index, Tensor)
        or donor_index.shape != (n,)
        or donor_index.dtype not in (torch.int64, torch.int32)
    ):
        raise TypeError(f"donor_index is {describe(donor_index)}; expected an int64 tensor of shape ({n},).")
    else:
        _same_device(donor_index, of, "donor_index")
    if mixed is None:
        return
    if not isinstance(mixed, Tensor) or mixed.shape != (n,) or mixed.dtype != torch.bool:
        raise TypeError(f"mixed is {describe(mixed)}; expected a bool tensor of shape ({n},).")
    _same_device(mixed, of, "mixed")


def output(value: object, of: Tensor) -> None:
    """Raise unless `value` can take the result for the images `of`."""
    if not isinstance(value, Tensor) or value.shape != of.shape or value.dtype != of.dtype:
        raise TypeError(
            f"out is {describe(value)} but images is {describe(of)}; expected one dtype and shape: use "
            "torch.empty_like(images)."
        )
    _same_device(value, of, "out")
    last = torch.channels_last if of.ndim == 4 else torch.channels_last_3d
    if not (value.is_contiguous() or value.is_contiguous(memory_format=last)):
        raise ValueError(
            f"out is {describe(value)}, strided; expected contiguous or channels-last memory: use "
            "torch.empty_like(images)."
        )
    if torch.is_grad_enabled() and (of.requires_grad or value.requires_grad):
        raise ValueError("out came with images that need gradients; expected none: call it without out=.")


def apart(out: Tensor, *inputs: Tensor | None) -> None:
    """Raise if `out` shares memory with an input."""
    start, end = _span(out)
    for tensor in inputs:
        if tensor is not None and _span(tensor)[0] < end and start < _span(tensor)[1]:
            raise ValueError(
                "out shares memory with an input; expected memory of its own, as inputs are never written "
                "to: use torch.empty_like(images)."
            )


def _span(tensor: Tensor) -> tuple[int, int]:
    last = sum((n - 1) * stride for n, stride in zip(tensor.shape, tensor.stride(), strict=True))
    start = tensor.data_ptr()
    return start, start + (last + 1) * tensor.element_size()


def values(sectors: Tensor, donor_sectors: Tensor | None, donor_index: Tensor | None, n_donors: int) -> None:
    """Raise unless sectors are binary and rows exist; waits for the device."""
    for name, planes in (("sectors", sectors), ("donor_sectors", donor_sectors)):
        if planes is not None and not _binary(planes):
            raise ValueError(
                f"{name} is {describe(planes)} with values other than 0/1 or 0/255; expected binary sectors: "
                "resample them with nearest neighbours, or use sectors > 0.5."
            )
    if donor_index is None:
        return
    lowest, highest = donor_index.aminmax()
    if lowest < -1 or highest >= n_donors:
        raise ValueError(
            f"donor_index has entries outside -1..{n_donors - 1}; expected rows of the {n_donors} donors, or "
            "-1."
        )


def _binary(planes: Tensor) -> bool:
    if planes.dtype == torch.bool:
        return True
    top = 255 if planes.max() > 1 else 1
    return bool(((planes == 0) | (planes == top)).all())


def _same_device(value: Tensor, of: Tensor, name: str) -> None:
    if value.device != of.device:
        raise ValueError(
            f"{name} is on {value.device} but the images are on {of.device}; expected one device: use "
            f"{name}.to(images.device)."
        )


def one_a_clip(sectors: Tensor, validate: bool) -> Tensor:
    """(B, H, W) of the sectors (B, T, H, W), (B, T, 1, H, W) or (B, 1, T, H, W) beside a clip."""
    planes = sectors.flatten(1, -3)
    if not planes.shape[1]:
        raise ValueError(f"sectors is {describe(sectors)}; expected one sector a clip, (B, H, W).")
    if validate and not torch.compiler.is_compiling() and not bool((planes == planes[:, :1]).all()):
        raise ValueError(
            f"sectors of shape {tuple(sectors.shape)} differ between frames; expected one sector a clip: use "
            "VideoSequential(same_on_frame=True)."
        )
    return planes[:, 0]
