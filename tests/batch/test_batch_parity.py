"""NumPy, plain torch and the kernel give the same bits."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import batch_cases
import numpy as np
import pytest
import torch
from devices import NEEDS_CUDA

import sectoraug as sa
from sectoraug.batch import op as batch


def has_recent_triton() -> bool:
    """Earlier ones compile the kernel, but their interpreter and their compiler's interface differ."""
    try:
        from triton import __version__
    except ImportError:
        return False
    return tuple(map(int, __version__.split(".")[:2])) >= (3, 3)


NEEDS_TRITON = pytest.mark.skipif(not has_recent_triton(), reason="no triton 3.3 or newer")


def moved(value: Any, device: str) -> Any:
    return value.to(device) if isinstance(value, torch.Tensor) else value


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=NEEDS_CUDA)])
def test_it_agrees_with_numpy_bit_for_bit(device: str) -> None:
    for name, case in batch_cases.cases():
        bits, swapped = batch_cases.expected(*case)
        images, sectors, donors, donor_sectors, index, wanted, values = (moved(v, device) for v in case)
        before = [None if v is None else v.clone() for v in case]
        new, mixed = sa.swap_background_batch(
            images,
            sectors,
            donors,
            donor_sectors,
            donor_index=index,
            mixed=wanted,
            donor_values=values,
        )
        assert np.array_equal(batch_cases.as_bits(new), bits), name
        assert mixed.tolist() == swapped, name
        assert new.dtype == images.dtype
        assert new.device == images.device
        for was, now in zip(before, case, strict=True):
            assert was is None or torch.equal(was, now), name


def test_plain_torch_agrees_bit_for_bit() -> None:
    for name, case in batch_cases.cases():
        images, sectors, *rest = case
        out, mixed = torch.empty_like(images), torch.empty(len(images), dtype=torch.bool)
        batch.swap_into(out, mixed, images, sectors.reshape(-1, *sectors.shape[-2:]), *rest)
        bits, swapped = batch_cases.expected(*case)
        assert np.array_equal(batch_cases.as_bits(out), bits), name
        assert mixed.tolist() == swapped, name


@NEEDS_TRITON
@pytest.mark.parametrize(("every", "n"), [(3, 240), pytest.param(1, 720, marks=pytest.mark.slow)])
def test_the_kernel_agrees_bit_for_bit_in_tritons_interpreter(every: int, n: int) -> None:
    done = subprocess.run(
        [sys.executable, batch_cases.__file__, str(every)],
        env={**os.environ, "TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-1500:]
    assert done.stdout.startswith(f"{n} batches")


def compiled_for_a_gpu(pixel: str, group: int, donor: str | None = None, **constants: Any) -> list[str]:
    """PTX of the kernel for a Hopper GPU, with some arguments as constants; needs no GPU."""
    from triton import compile as compile_kernel
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from sectoraug.batch import kernel as batch_kernel

    kernel = batch_kernel._swap
    constants = {"CHANNELS": 1, "GROUPS": 256, "WIDTH": group, "PROBE": 1024, **constants}
    constants = {"IMAGE_DENSE": True, "DONOR_DENSE": True, "image_pixel": 1, "donor_pixel": 1, **constants}
    kinds = dict.fromkeys(("out", "image", "values"), f"*{pixel}") | {"donor": f"*{donor or pixel}"}
    kinds |= dict.fromkeys(("mixed", "sector", "donor_sector", "wanted"), "*u8") | {"donor_index": "*i64"}
    unaligned = {"n_planes", "n_frames", "n_donors"}
    source = ASTSource(
        fn=kernel,
        signature={n: "constexpr" if n in constants else kinds.get(n, "i32") for n in kernel.arg_names},
        constexprs={(kernel.arg_names.index(name),): value for name, value in constants.items()},
        attrs={
            (i,): [["tt.divisibility", 16]]
            for i, name in enumerate(kernel.arg_names)
            if name not in constants and name not in unaligned
        },
    )
    code: str = compile_kernel(source, target=GPUTarget("cuda", 90, 32)).asm["ptx"]
    return code.splitlines()


@NEEDS_TRITON
@pytest.mark.parametrize(("pixel", "group"), [("u8", 16), ("i16", 8), ("i32", 4), ("i64", 2)])
@pytest.mark.parametrize("in_batch", [False, True])
def test_the_kernel_compiles_to_16_byte_accesses(pixel: str, group: int, in_batch: bool) -> None:
    absent = {"wanted": None, "values": None} | ({} if in_batch else {"donor_sector": None})
    lines = compiled_for_a_gpu(pixel, group, **absent)
    wide = "v2.b64" if pixel == "i64" else "v4.b32"
    stores = [line for line in lines if "st.global" in line]
    assert sum(f"st.global.{wide}" in line for line in stores) == 2
    assert len(stores) == 3, "two of pixels, one of the flag"
    assert sum(f"ld.global.{wide}" in line for line in lines) >= 4


@NEEDS_TRITON
@pytest.mark.parametrize(
    "constants",
    [
        {"n_donors": 1, "n_planes": 1, "n_frames": 1, "donor_sector": None, "donor_index": None},
        {"CHANNELS": 3, "n_frames": 1, "wanted": None},
        {"CHANNELS": 3, "DONOR_DENSE": False, "IMAGE_DENSE": False},
        {"WIDTH": 1, "GROUPS": 1024},
        {"donor": "u8"},
    ],
    ids=str,
)
def test_the_kernel_compiles_for_every_kind_of_argument(constants: dict[str, Any]) -> None:
    values = {} if "donor" in constants else {"values": None}
    assert any(
        "st.global" in line
        for line in compiled_for_a_gpu("i32", constants.pop("WIDTH", 4), **values, **constants)
    )
