"""The swap of a batch as one Triton kernel.

Each program writes one tile of one example, plane by plane. It reads the sectors of its tile, then the image
only where some pixel is inside, the donor only where some pixel is outside, both in groups of 16 bytes. A
masked load is one instruction only where its mask is the same for the whole group, so tiles are (groups,
elements a group).

Whether an example has a sector, and its donor a background, is a property of whole planes. A tile looks for
one pixel that proves it, from where such pixels are likely; only planes without any are read to the end.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

_GROUP_BYTES = 16
_GROUPS = 256
_PROBE = 1024
_BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


@triton.jit
def _holds(plane, n_pixels, start, NONZERO: tl.constexpr, PROBE: tl.constexpr):  # type: ignore
    """1 if the plane holds a nonzero pixel (or a zero one), searched from block `start` on."""
    n_blocks = tl.cdiv(n_pixels, PROBE)
    found = 0
    step = 0
    while (found == 0) & (step < n_blocks):
        at = (start + step) % n_blocks * PROBE + tl.arange(0, PROBE)
        pixels = tl.load(plane + at, mask=at < n_pixels, other=0 if NONZERO else 1)
        found = tl.max(((pixels != 0) == NONZERO).to(tl.int32), axis=0)
        step += 1
    return found


@triton.jit
def _swap(  # type: ignore
    out,
    mixed,
    image,
    sector,
    donor,
    donor_sector,
    donor_index,
    wanted,
    values,
    n_donors,
    n_pixels,
    n_planes,
    n_frames,
    out_example,
    out_channel,
    out_frame,
    image_example,
    image_channel,
    image_frame,
    image_pixel,
    donor_example,
    donor_channel,
    donor_frame,
    donor_pixel,
    sector_example,
    donor_sector_example,
    CHANNELS: tl.constexpr,
    IMAGE_DENSE: tl.constexpr,
    DONOR_DENSE: tl.constexpr,
    GROUPS: tl.constexpr,
    WIDTH: tl.constexpr,
    PROBE: tl.constexpr,
):
    # CHANNELS is 1 for planes of pixels, else the channels that lie side by side in each pixel.
    n_elements = n_pixels * CHANNELS
    n_tiles = tl.cdiv(n_elements, GROUPS * WIDTH)
    program = tl.program_id(0)
    example = (program // n_tiles).to(tl.int64)
    tile = program % n_tiles

    row = example
    if donor_index is not None:
        row = tl.load(donor_index + example).to(tl.int64)
    swaps = ((row >= 0) & (row < n_donors)).to(tl.int32)
    if wanted is not None:
        swaps &= (tl.load(wanted + example) != 0).to(tl.int32)
    row = tl.minimum(tl.maximum(row, 0), n_donors - 1)

    sector += example * sector_example
    if swaps != 0:
        swaps = _holds(sector, n_pixels, tl.cdiv(n_pixels, PROBE) // 2, True, PROBE)
    if donor_sector is not None:
        donor_sector += row * donor_sector_example
        if swaps != 0:
            swaps = _holds(donor_sector, n_pixels, tl.cdiv(n_pixels, PROBE) // 2, True, PROBE)
        if swaps != 0:
            swaps = _holds(donor_sector, n_pixels, 0, False, PROBE)
    if tile == 0:
        tl.store(mixed + example, swaps.to(tl.uint8))

    group = tile * GROUPS + tl.arange(0, GROUPS)
    element = group[:, None] * WIDTH + tl.arange(0, WIDTH)[None, :]
    exists = (group < n_elements // WIDTH)[:, None]
    pixel = element // CHANNELS
    channel = element % CHANNELS
    inside = (tl.load(sector + pixel, mask=exists, other=1) != 0) | (swaps == 0)
    open_ = ~inside
    if donor_sector is not None:
        open_ = open_ & (tl.load(donor_sector + pixel, mask=exists, other=1) == 0)
    reads_image = (tl.max(inside.to(tl.int32), axis=1)[:, None] != 0) & exists
    reads_donor = (tl.max(open_.to(tl.int32), axis=1)[:, None] != 0) & exists

    image_at = element if IMAGE_DENSE else pixel * image_pixel + channel * image_channel
    donor_at = element if DONOR_DENSE else pixel * donor_pixel + channel * donor_channel
    out += example * out_example
    image += example * image_example
    donor += row * donor_example
    for plane in range(n_planes):
        c = plane // n_frames
        t = plane % n_frames
        kept = tl.load(
            image + (c.to(tl.int64) * image_channel + t.to(tl.int64) * image_frame) + image_at,
            mask=reads_image,
            other=0,
        )
        put = tl.load(
            donor + (c.to(tl.int64) * donor_channel + t.to(tl.int64) * donor_frame) + donor_at,
            mask=reads_donor,
            other=0,
        )
        if values is not None:
            put = tl.load(values + tl.where(open_, put, 0).to(tl.int32))
        else:
            put = tl.where(open_, put, 0)
        tl.store(
            out + (c.to(tl.int64) * out_channel + t.to(tl.int64) * out_frame) + element,
            tl.where(inside, kept, put),
            mask=exists,
        )


def swap_into(
    out: Tensor,
    mixed: Tensor,
    images: Tensor,
    sectors: Tensor,
    donors: Tensor,
    donor_sectors: Tensor | None,
    donor_index: Tensor | None,
    wanted: Tensor | None,
    values: Tensor | None,
) -> None:
    """Write the swap into `out` and what was swapped into `mixed`, as `batch` lays them down.

    `out` is dense, with channels first or last; sectors are (B, H, W).
    """
    channels_last = channels_lie_together(out)
    images, donors, sectors = _of_pixels(images), _of_pixels(donors), _of_bytes(sectors)
    if donor_sectors is not None:
        donor_sectors = _of_bytes(donor_sectors)
    n_examples, n_channels, n_frames, height, width = _with_frames(out).shape
    n_pixels = height * width
    inner = n_channels if channels_last else 1
    of_out, of_image, of_donor = _strides(out), _strides(images), _strides(donors)
    bits = _BITS[images.element_size()]
    group = _GROUP_BYTES // images.element_size()
    if n_pixels * inner % group:
        group = 1
    groups = _GROUPS * (1 if group > 1 else 4)
    n_tiles = -(-n_pixels * inner // (groups * group))
    _swap[(n_examples * n_tiles,)](
        out.view(bits),
        mixed.view(torch.uint8),
        images.view(bits),
        sectors,
        donors.view(_BITS[donors.element_size()]),
        donor_sectors,
        None if donor_index is None else donor_index.contiguous(),
        None if wanted is None else wanted.contiguous().view(torch.uint8),
        None if values is None else values.contiguous().view(bits),
        donors.shape[0],
        n_pixels,
        n_frames if channels_last else n_channels * n_frames,
        n_frames,
        *of_out[:3],
        *of_image,
        *of_donor,
        sectors.stride(0),
        0 if donor_sectors is None else donor_sectors.stride(0),
        CHANNELS=inner,
        IMAGE_DENSE=_dense(of_image, inner),
        DONOR_DENSE=_dense(of_donor, inner),
        GROUPS=groups,
        WIDTH=group,
        PROBE=_PROBE,
    )


def channels_lie_together(tensor: Tensor) -> bool:
    """Whether the channels of a pixel are neighbours in memory; False for one channel."""
    return tensor.shape[1] > 1 and tensor.stride(1) == 1 and tensor.stride(-1) == tensor.shape[1]


def _with_frames(tensor: Tensor) -> Tensor:
    return tensor.unsqueeze(2) if tensor.ndim == 4 else tensor


def _strides(tensor: Tensor) -> tuple[int, int, int, int]:
    """Elements from one example, channel, frame and pixel to the next."""
    example, channel, frame, _, pixel = _with_frames(tensor).stride()
    return example, channel, frame, pixel


def _dense(strides: tuple[int, int, int, int], inner: int) -> bool:
    _, channel, _, pixel = strides
    return pixel == 1 if inner == 1 else (pixel == inner and channel == 1)


def _of_pixels(tensor: Tensor) -> Tensor:
    """The tensor, or a copy of it, whose rows follow each other, so that a pixel's place is one number."""
    rows_follow = tensor.shape[-2] == 1 or tensor.stride(-2) == tensor.shape[-1] * tensor.stride(-1)
    return tensor if rows_follow else tensor.contiguous()


def _of_bytes(sectors: Tensor) -> Tensor:
    """The sectors, or a copy of them, whose pixels follow each other; bool as bytes."""
    height, width = sectors.shape[-2:]
    if sectors.stride()[-2:] != (width, 1) and (height, width) != (1, 1):
        sectors = sectors.contiguous()
    return sectors.view(torch.uint8) if sectors.dtype == torch.bool else sectors
