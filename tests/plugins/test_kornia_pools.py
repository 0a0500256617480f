"""RandomBackMix with donors of a pool."""

from __future__ import annotations

import copy
import pickle
from collections import Counter

import numpy as np
import pytest
import torch
from kornia_batches import DEVICES, SIDE

import sectoraug as sa


def test_a_batch_of_one_needs_a_pool(
    batch: tuple[torch.Tensor, torch.Tensor], backgrounds: sa.BackgroundPool
) -> None:
    images, sectors = (value[:1] for value in batch)
    op = sa.RandomBackMix()
    assert torch.equal(op(images, sectors), images)
    op = sa.RandomBackMix(pool=backgrounds.to("cpu", torch.float32))
    op(images, sectors)
    assert op.mixed is not None
    assert op.mixed.all()


@pytest.mark.parametrize("device", DEVICES)
def test_donors_come_from_the_pool(
    batch: tuple[torch.Tensor, torch.Tensor], backgrounds: sa.BackgroundPool, device: str
) -> None:
    images, sectors = (value.to(device) for value in batch)
    pool = backgrounds.to(device)
    op = sa.RandomBackMix(pool=pool, donor_values=torch.arange(256) / 255).to(device)
    seen = Counter()
    for _ in range(60):
        new = op(images, sectors)
        seen.update((new[:, 0, 0, 0] * 255).round().int().tolist())
        assert torch.equal(new[:, 0][sectors], images[:, 0][sectors])
        outside = ~sectors
        outside[:, 5:12, 5:12] = False
        assert (new[:, 0][outside] > 0.2).all()
    assert set(seen) == {60, 70, 80, 90, 100}


def test_bytes_need_no_conversion(
    batch: tuple[torch.Tensor, torch.Tensor], backgrounds: sa.BackgroundPool
) -> None:
    images, sectors = batch
    op = sa.RandomBackMix(pool=backgrounds)
    new = op((images * 255).to(torch.uint8), sectors)
    assert new.dtype == torch.uint8
    assert set(new[:, 0, 0, 0].tolist()) <= {60, 70, 80, 90, 100}


def test_same_on_batch_is_one_draw(
    batch: tuple[torch.Tensor, torch.Tensor], backgrounds: sa.BackgroundPool
) -> None:
    images, sectors = ((batch[0] * 255).to(torch.uint8), batch[1])
    op = sa.RandomBackMix(p=0.5, pool=backgrounds, same_on_batch=True)
    seen = set()
    for _ in range(60):
        new = op(images, sectors)
        assert op.mixed is not None
        assert op.mixed.all() or not op.mixed.any()
        if op.mixed.all():
            assert len(new[:, 0, 0, 0].unique()) == 1
        seen.add(int(new[0, 0, 0, 0]))
    assert len(seen) == 6


def test_a_pool_moves_whole_and_in_parts(
    backgrounds: sa.BackgroundPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sectoraug.pool import device as pool_device

    monkeypatch.setattr(pool_device, "_CHUNK_BYTES", 2 * SIDE * SIDE)
    pool = backgrounds.to("cpu", progress=False)
    assert pool.backgrounds.shape == (5, 1, SIDE, SIDE)
    for i in range(5):
        assert np.array_equal(pool[i][0].numpy(), backgrounds[i][0])
    part = backgrounds.subset(0.4, seed=1)
    assert np.array_equal(part.to("cpu")[1][0].numpy(), part[1][0])
    floats = backgrounds.to("cpu", torch.float32)
    assert torch.equal(floats.backgrounds, pool.backgrounds.float() / 255)


def test_colour_pools_have_channels_first() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(1, 256, (3, 6, 8, 3), dtype=np.uint8)
    sectors = np.zeros((3, 6, 8), bool)
    sectors[:, 1:3, 1:3] = True
    pool = sa.BackgroundPool.from_arrays(images, sectors)
    assert np.array_equal(pool.to("cpu")[2].permute(1, 2, 0).numpy(), pool[2][0])


def test_a_pool_larger_than_the_device_says_so(
    backgrounds: sa.BackgroundPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (100, 1000))
    with pytest.raises(MemoryError, match=r"pool needs 0\.0 GiB and cuda has .* use pool\.subset"):
        backgrounds.to("cuda")


def test_a_pool_on_a_device_keeps_its_pixels_to_itself(backgrounds: sa.BackgroundPool) -> None:
    pool = backgrounds.to("cpu")
    op = sa.RandomBackMix(pool=pool)
    assert repr(op) == (
        "RandomBackMix(p=1.0, pool=DevicePool(n=5, size=(20, 20), channels=1, dtype=torch.uint8, "
        "device='cpu'), same_on_batch=False)"
    )
    assert not op.state_dict()
    assert copy.deepcopy(op).pool is pool
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(op)


def test_a_pool_elsewhere_is_named(
    batch: tuple[torch.Tensor, torch.Tensor], backgrounds: sa.BackgroundPool
) -> None:
    images, sectors = batch
    op = sa.RandomBackMix(pool=sa.DevicePool(backgrounds.to("cpu").backgrounds.to("meta")))
    with pytest.raises(ValueError, match="the pool is on meta but the images are on cpu"):
        op(images, sectors)
