"""The batch op: the same bits everywhere, and at home in autograd, the compiler and CUDA graphs."""

from __future__ import annotations

import shutil

import batch_cases
import numpy as np
import pytest
import torch
from devices import NEEDS_CUDA

import sectoraug as sa

BACKENDS = ["aot_eager", *["inductor"] * (shutil.which("g++") is not None)]


def some(n: int = 4, channels: int = 1, side: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(n)
    images = torch.rand((n, channels, side, side), generator=rng) + 0.5
    sectors = torch.zeros((n, side, side), dtype=torch.bool)
    for i in range(n):
        sectors[i, 2 + i % 3 : 9, 3:10] = True
    return images, sectors


def test_no_pixel_of_a_donors_sector_appears() -> None:
    images, sectors = some()
    images[sectors[:, None]] = 9
    new, mixed = sa.swap_background_batch(
        images, sectors, images, sectors, donor_index=torch.tensor([1, 2, 3, 0])
    )
    assert mixed.all()
    assert (new[sectors[:, None]] == 9).all()
    assert (new[~sectors[:, None]] < 9).all()


@pytest.mark.parametrize("layout", ["contiguous", "channels last"])
def test_out_takes_the_result(layout: str) -> None:
    images, sectors = some(channels=3)
    donors = images.flip(0)
    wanted, mixed = sa.swap_background_batch(images, sectors, donors)
    out = torch.empty_like(batch_cases.laid_out(images, layout))
    place = out.data_ptr()
    given, also_mixed = sa.swap_background_batch(images, sectors, donors, out=out)
    assert given is out
    assert out.data_ptr() == place
    assert torch.equal(out, wanted)
    assert torch.equal(mixed, also_mixed)


def test_the_result_keeps_the_layout_of_the_images() -> None:
    images, sectors = some(channels=3)
    last = images.contiguous(memory_format=torch.channels_last)
    new, _ = sa.swap_background_batch(last, sectors, images.flip(0))
    assert new.is_contiguous(memory_format=torch.channels_last)


def test_nan_and_infinity_keep_their_bits() -> None:
    images, sectors = some()
    images[:, :, :, ::2] = float("nan")
    images[:, :, ::3] = float("inf")
    new, _ = sa.swap_background_batch(images, sectors, images.flip(0).clone())
    kept = sectors[:, None]
    assert np.array_equal(batch_cases.as_bits(new)[kept.numpy()], batch_cases.as_bits(images)[kept.numpy()])


def test_the_gradient_flows_inside_the_sector() -> None:
    images, sectors = some()
    images.requires_grad_()
    index = torch.tensor([1, 2, 3, -1])
    new, mixed = sa.swap_background_batch(images, sectors, images, sectors, donor_index=index)
    (new * 3).sum().backward()
    assert images.grad is not None
    kept = sectors | ~mixed[:, None, None]
    assert torch.equal(images.grad[:, 0], kept * 3.0)


def test_gradcheck() -> None:
    images, sectors = some(2, 1, 11)
    images = images.double().requires_grad_()
    donors = torch.rand_like(images).detach()
    assert torch.autograd.gradcheck(lambda x: sa.swap_background_batch(x, sectors, donors)[0], images)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=NEEDS_CUDA)])
def test_opcheck(device: str) -> None:
    images, sectors = (value.to(device) for value in some())
    images.requires_grad_()
    index = torch.tensor([1, 2, 3, -1], device=device)
    donors = images.detach().clone()
    arguments = (sectors, donors, sectors, index, None, None, False)
    torch.library.opcheck(torch.ops.sectoraug.swap_background.default, (images, *arguments))
    out = torch.empty_like(donors)
    torch.library.opcheck(
        torch.ops.sectoraug.swap_background_into.default, (out, images.detach(), *arguments)
    )
    torch.library.opcheck(torch.ops.sectoraug.sector_areas.default, (sectors,))


def test_fake_tensors_know_the_shapes() -> None:
    with torch._subclasses.FakeTensorMode():
        images = torch.empty((4, 3, 8, 8), dtype=torch.bfloat16, device="cuda")
        sectors = torch.empty((4, 8, 8), dtype=torch.bool, device="cuda")
        new, mixed = sa.swap_background_batch(images, sectors, images)
    assert (new.shape, new.dtype, new.device.type) == (images.shape, torch.bfloat16, "cuda")
    assert (mixed.shape, mixed.dtype) == ((4,), torch.bool)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=NEEDS_CUDA)])
def test_it_compiles_as_one_graph(device: str, backend: str) -> None:
    images, sectors = (value.to(device) for value in some())
    index = torch.tensor([1, 2, 3, 0], device=device)

    def step(x: torch.Tensor) -> torch.Tensor:
        new, mixed = sa.swap_background_batch(x * 2, sectors, x, sectors, donor_index=index)
        return new + mixed.view(-1, 1, 1, 1)

    def into(x: torch.Tensor) -> torch.Tensor:
        out = torch.empty_like(x)
        sa.swap_background_batch(x, sectors, x * 3, out=out)
        return out * 2

    for function in (step, into):
        compiled = torch.compile(function, fullgraph=True, backend=backend)
        assert torch.equal(compiled(images), function(images))
    compiled = torch.compile(step, fullgraph=True, backend=backend)
    leaf, other = images.clone().requires_grad_(), images.clone().requires_grad_()
    compiled(leaf).sum().backward()
    step(other).sum().backward()
    assert leaf.grad is not None
    assert other.grad is not None
    assert torch.equal(leaf.grad, other.grad)


@NEEDS_CUDA
def test_it_is_captured_in_a_cuda_graph() -> None:
    images, sectors = (value.cuda() for value in some())
    op = sa.RandomBackMix(p=0.5)
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        op(images, sectors)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        new = op(images, sectors)
        mixed = op.mixed
    assert mixed is not None
    seen = set()
    for _ in range(20):
        graph.replay()
        changed = (new != images).flatten(1).any(1)
        assert torch.equal(changed, mixed)
        seen.add(tuple(mixed.tolist()))
    assert len(seen) > 3, "every replay draws anew"


@NEEDS_CUDA
def test_nothing_waits_for_the_device() -> None:
    images, sectors = (value.cuda() for value in some())
    pool = sa.DevicePool(images.clone())
    ops = (sa.RandomBackMix(p=0.5), sa.RandomBackMix(p=0.5, pool=pool))
    for op in ops:
        op(images, sectors)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for op in ops:
            op(images, sectors)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=NEEDS_CUDA)])
def test_a_thousand_steps_take_no_more_memory(device: str) -> None:
    import resource

    images, sectors = (value.to(device) for value in some(16, 1, 64))
    op = sa.RandomBackMix(p=0.5)

    def used() -> int:
        if device == "cuda":
            return torch.cuda.memory_allocated()
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

    for _ in range(200):
        op(images, sectors)
    before = used()
    for _ in range(1000):
        op(images, sectors)
    assert used() - before < images.nbytes * 8


def test_values_are_checked_on_a_cpu_only_on_request_elsewhere() -> None:
    images, sectors = some()
    soft = sectors * 0.5
    with pytest.raises(ValueError, match="binary"):
        sa.swap_background_batch(images, soft, images)
    sa.swap_background_batch(images, soft, images, validate=False)
    with pytest.raises(ValueError, match="rows of the 4 donors"):
        sa.swap_background_batch(images, sectors, images, donor_index=torch.tensor([0, 1, 2, 4]))


def test_rows_that_do_not_exist_leave_the_image_as_it_is() -> None:
    images, sectors = some()
    index = torch.tensor([0, -5, 4, 1])
    new, mixed = sa.swap_background_batch(images, sectors, images.flip(0), donor_index=index, validate=False)
    assert mixed.tolist() == [True, False, False, True]
    assert torch.equal(new[1:3], images[1:3])


def test_values_are_checked_inside_compiled_code_too() -> None:
    images, sectors = some()
    compiled = torch.compile(
        lambda i, s: sa.swap_background_batch(i, s, i)[0], fullgraph=True, backend="aot_eager"
    )
    compiled(images, sectors.float())
    with pytest.raises(ValueError, match="binary"):
        compiled(images, sectors * 0.5)


def test_out_must_lie_apart() -> None:
    images, sectors = some()
    for out in (images, images.view_as(images)):
        with pytest.raises(ValueError, match="shares memory"):
            sa.swap_background_batch(images, sectors, images.flip(0), out=out)
    halves = torch.empty((2, *images.shape))
    halves[0] = images
    sa.swap_background_batch(halves[0], sectors, images.flip(0), out=halves[1])
