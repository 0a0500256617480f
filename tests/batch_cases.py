"""Batches of every dtype, layout and size for the batch op, and what NumPy makes of them.

`TRITON_INTERPRET=1 python tests/batch_cases.py` runs the kernel on them without a GPU.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import product

import numpy as np
import torch
from torch import Tensor

DTYPES = (torch.uint8, torch.float16, torch.bfloat16, torch.float32, torch.float64)
SHAPES = ((1, 1, 7, 9), (5, 3, 16, 16), (3, 2, 33, 1), (2, 3, 5, 8, 8), (2, 1, 3, 7, 5))
LAYOUTS = ("contiguous", "channels last", "strided", "cropped", "frames first", "turned")
SECTOR_DTYPES = (torch.bool, torch.uint8, torch.float32)
N_DONORS = 6

Case = tuple[Tensor, Tensor, Tensor, Tensor | None, Tensor | None, Tensor | None, Tensor | None]


def laid_out(images: Tensor, layout: str) -> Tensor:
    """The same values in another place."""
    if layout == "channels last":
        last = torch.channels_last if images.ndim == 4 else torch.channels_last_3d
        return images.contiguous(memory_format=last)
    if layout == "frames first":
        return images.transpose(1, -3).contiguous().transpose(1, -3)
    if layout == "turned":
        return images.mT.contiguous().mT
    height, width = images.shape[-2:]
    if layout == "strided":
        wide = images.new_zeros((*images.shape[:-1], 2 * width))
        return wide[..., ::2].copy_(images)
    if layout == "cropped":
        large = images.new_zeros((*images.shape[:-2], height + 3, width + 2))
        return large[..., 1:-2, 1:-1].copy_(images)
    return images


def cases(every: int = 1) -> Iterator[tuple[str, Case]]:
    """Names and arguments: images, sectors, donors, donor_sectors, donor_index, mixed, donor_values.

    `every` 3 leaves out two thirds, but no pair of dtype and shape, of dtype and layout, or of shape and
    layout.
    """
    rng = torch.Generator().manual_seed(0)

    def pixels(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        values = torch.randint(0, 256, shape, generator=rng)
        return values.to(torch.uint8) if dtype == torch.uint8 else (values / 51 - 2).to(dtype)

    for dtype, shape, layout in product(DTYPES, SHAPES, LAYOUTS):
        if (DTYPES.index(dtype) + SHAPES.index(shape) + LAYOUTS.index(layout)) % every:
            continue
        n, height, width = shape[0], *shape[-2:]
        sectors = torch.rand((n, height, width), generator=rng) < 0.5
        donor_sectors = torch.rand((N_DONORS, height, width), generator=rng) < 0.5
        donor_sectors[1], donor_sectors[2] = True, False
        if n > 2:
            sectors[0], sectors[1] = False, True
        index = torch.randint(-1, N_DONORS, (n,), generator=rng)
        wanted = torch.rand(n, generator=rng) < 0.8
        images = laid_out(pixels(shape, dtype), layout)
        donors = pixels((N_DONORS, *shape[1:]), dtype)
        grey = pixels((N_DONORS, *shape[1:]), torch.uint8)
        values = None if dtype == torch.uint8 else (torch.arange(256) / 255).to(dtype)
        of_kind = SECTOR_DTYPES[len(shape) % 3 + LAYOUTS.index(layout) % 2 - 1]
        scale = 255 if of_kind == torch.uint8 else 1
        as_given, of_donors = (
            m.to(of_kind) * scale if scale > 1 else m.to(of_kind) for m in (sectors, donor_sectors)
        )
        same = torch.tensor([3]).expand(n)
        every_other = torch.rand(2 * n, generator=rng).lt(0.8)[::2]
        name = f"{str(dtype)[6:]} {'x'.join(map(str, shape))} {layout}"
        yield name + ", pool", (images, as_given, donors, None, index, None, None)
        yield name + ", donor sectors", (images, as_given[:, None], donors, of_donors, index, wanted, None)
        yield name + ", one a row", (images, as_given, donors[:n], of_donors[:n], None, wanted, None)
        yield (
            name + ", donors alike",
            (images, thinned(as_given), laid_out(donors, layout), None, same, every_other, None),
        )
        if values is not None:
            yield name + ", grey levels", (images, as_given, grey, of_donors, index, None, values)


def thinned(planes: Tensor) -> Tensor:
    """The same values with a gap after each."""
    return torch.stack([planes, torch.ones_like(planes)], -1)[..., 0]


def as_bits(tensor: Tensor) -> np.ndarray:
    bits = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
    return tensor.detach().cpu().contiguous().view(bits[tensor.element_size()]).numpy()


def expected(
    images: Tensor,
    sectors: Tensor,
    donors: Tensor,
    donor_sectors: Tensor | None,
    donor_index: Tensor | None,
    mixed: Tensor | None,
    donor_values: Tensor | None,
) -> tuple[np.ndarray, list[bool]]:
    """The definition, image by image, in NumPy: bits of the images, and which are mixed."""
    out, kept, grey = as_bits(images).copy(), as_bits(images), as_bits(donors)
    black = 0 if donor_values is None else as_bits(donor_values)[0]
    swapped = []
    for i in range(len(out)):
        row = i if donor_index is None else int(donor_index[i])
        inside = sectors[i].reshape(sectors.shape[-2:]).numpy() != 0
        ok = row >= 0 and inside.any() and (mixed is None or bool(mixed[i]))
        given = np.zeros_like(inside)
        if ok and donor_sectors is not None:
            given = donor_sectors[row].numpy() != 0
            ok = given.any() and not given.all()
        if ok:
            background = grey[row] if donor_values is None else as_bits(donor_values)[grey[row]]
            out[i] = np.where(inside, kept[i], np.where(given, black, background))
        swapped.append(bool(ok))
    return out, swapped


def interpret(every: int) -> None:
    """Run the kernel itself, on the CPU."""
    from sectoraug.batch import kernel as batch_kernel
    from sectoraug.batch.op import empty_for

    n = 0
    for name, case in cases(every):
        images, sectors, *rest = case
        out = empty_for(images)
        mixed = torch.empty(len(images), dtype=torch.bool)
        batch_kernel.swap_into(out, mixed, images, sectors.reshape(-1, *sectors.shape[-2:]), *rest)
        bits, swapped = expected(*case)
        assert np.array_equal(as_bits(out), bits), name
        assert mixed.tolist() == swapped, name
        n += 1
    print(f"{n} batches agree bit for bit")


if __name__ == "__main__":
    interpret(*map(int, sys.argv[1:] or ["1"]))
