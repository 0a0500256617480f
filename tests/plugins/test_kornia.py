"""RandomBackMix: who takes from whom, alone and in kornia's containers."""

from __future__ import annotations

import subprocess
import sys

import kornia
import kornia.augmentation as K
import pytest
import torch
from kornia_batches import DEVICES, SIDE, N

import sectoraug as sa


def donors_seen(new: torch.Tensor) -> list[int]:
    """Whose background stands in the corner, which is outside every sector."""
    return [round(float(value) * 100) - 1 for value in new[:, 0, 0, 0]]


@pytest.mark.parametrize("device", DEVICES)
def test_each_takes_another_ones_background(batch: tuple[torch.Tensor, torch.Tensor], device: str) -> None:
    images, sectors = (value.to(device) for value in batch)
    op = sa.RandomBackMix()
    counts = torch.zeros(N, N)
    for seed in range(300):
        torch.manual_seed(seed)
        new = op(images, sectors)
        assert op.mixed is not None
        assert op.mixed.all()
        donors = donors_seen(new)
        assert sorted(donors) == list(range(N))
        for i, donor in enumerate(donors):
            counts[i, donor] += 1
        assert torch.equal(new[:, 0][sectors], images[:, 0][sectors])
    assert counts.diagonal().sum() == 0
    others = counts[~torch.eye(N, dtype=torch.bool)]
    expected = 300 / (N - 1)
    assert others.min() > expected - 5 * expected**0.5
    assert others.max() < expected + 5 * expected**0.5


def test_only_images_with_a_sector_give_or_take(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    images, sectors = batch
    sectors[[1, 4, 6]] = False
    op = sa.RandomBackMix()
    for seed in range(50):
        torch.manual_seed(seed)
        new = op(images, sectors)
        assert op.mixed is not None
        assert op.mixed.tolist() == [i not in (1, 4, 6) for i in range(N)]
        assert torch.equal(new[[1, 4, 6]], images[[1, 4, 6]])
        taken = {donor for i, donor in enumerate(donors_seen(new)) if i not in (1, 4, 6)}
        assert taken == {0, 2, 3, 5, 7}


def test_has_sector_overrules_the_sectors(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    images, sectors = batch
    has_sector = torch.tensor([True, False] * (N // 2))
    op = sa.RandomBackMix()
    new = op(images, sectors, has_sector=has_sector)
    assert torch.equal(op.mixed, has_sector)
    assert {donor for i, donor in enumerate(donors_seen(new)) if i % 2 == 0} == {0, 2, 4, 6}
    sectors[2] = False
    with pytest.raises(ValueError, match="1 sectors are all zero though has_sector names them"):
        op(images, sectors, has_sector=has_sector)


@pytest.mark.parametrize("kept", [[], [3]])
def test_too_few_sectors_leave_the_batch_as_it_is(
    batch: tuple[torch.Tensor, torch.Tensor], kept: list[int]
) -> None:
    images, sectors = batch
    sectors[[i for i in range(N) if i not in kept]] = False
    op = sa.RandomBackMix()
    assert torch.equal(op(images, sectors), images)
    assert op.mixed is not None
    assert not op.mixed.any()


def test_a_full_frame_sector_takes_but_does_not_give(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    images, sectors = batch
    sectors[2] = True
    op = sa.RandomBackMix()
    for seed in range(50):
        torch.manual_seed(seed)
        new = op(images, sectors)
        assert op.mixed is not None
        assert op.mixed.all()
        assert torch.equal(new[2], images[2])
        assert sorted(donor for i, donor in enumerate(donors_seen(new)) if i != 2) == [0, 1, 3, 4, 5, 6, 7]


def test_p_is_how_often(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    images, sectors = batch
    torch.manual_seed(0)
    for p in (0.0, 0.3, 1.0):
        op = sa.RandomBackMix(p=p)
        n = sum(int(op.mixed.sum()) for _ in range(250) if op(images, sectors) is not None)  # type: ignore[union-attr]
        assert abs(n / (250 * N) - p) <= 0.04 * (p not in (0, 1))


@pytest.mark.parametrize("device", DEVICES)
def test_one_seed_repeats_and_batches_differ(batch: tuple[torch.Tensor, torch.Tensor], device: str) -> None:
    images, sectors = (value.to(device) for value in batch)
    op = sa.RandomBackMix(p=0.7)
    runs = []
    for _ in range(2):
        torch.manual_seed(5)
        runs.append([op(images, sectors) for _ in range(4)])
    assert all(torch.equal(a, b) for a, b in zip(*runs, strict=True))
    assert len({value.cpu().numpy().tobytes() for value in runs[0]}) == 4


RANKS = """
import os, sys, torch, sectoraug as sa
images, sectors = torch.rand(16, 1, 6, 6), torch.zeros(16, 6, 6)
sectors[:, 2:4, 2:4] = 1
pool = sa.BackgroundPool.from_arrays((images[:, 0] * 255).byte().numpy(), sectors.bool().numpy())
for os.environ["RANK"] in sys.argv[1:]:
    torch.manual_seed(0)
    for op in (sa.RandomBackMix(p=0.5), sa.RandomBackMix(pool=pool, donor_values=torch.arange(256) / 255)):
        op(images, sectors)
        print(op._params["donor_index"].tolist(), op.mixed.tolist())
"""


def said_by_ranks(*ranks: str) -> list[list[str]]:
    done = subprocess.run([sys.executable, "-c", RANKS, *ranks], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) == 2 * len(ranks)
    return [lines[k : k + 2] for k in range(0, len(lines), 2)]


def test_ranks_differ_under_one_seed() -> None:
    ranks = said_by_ranks("0", "1", "2")
    assert said_by_ranks("1") == ranks[1:2]
    assert all(len(set(line)) == 3 for line in zip(*ranks, strict=True))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("channel", [False, True])
def test_after_geometric_ops(batch: tuple[torch.Tensor, torch.Tensor], device: str, channel: bool) -> None:
    images, sectors = (value.to(device) for value in batch)
    mask = sectors[:, None] if channel else sectors
    train = K.AugmentationSequential(
        K.RandomHorizontalFlip(p=0.5),
        K.RandomRotation(20.0, p=1.0),
        sa.RandomBackMix(p=0.7),
        data_keys=["input", "mask"],
    )
    without = K.AugmentationSequential(*list(train.children())[:2], data_keys=["input", "mask"])
    new, new_mask = train(images, mask.float())
    moved, moved_mask = without(images, mask.float(), params=train._params[:2])
    inside = moved_mask.reshape(N, SIDE, SIDE) != 0
    assert torch.equal(new_mask, moved_mask)
    assert torch.equal(new[:, 0][inside], moved[:, 0][inside])
    mixed = train[2].mixed
    assert mixed.any()
    assert torch.equal((new != moved).flatten(1).any(1), mixed)
    again, _ = train(images, mask.float(), params=train._params)
    assert torch.equal(again, new)
    other, _ = train(images, mask.float())
    assert not torch.equal(other, new)


def test_replay_alone(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    images, sectors = batch
    op = sa.RandomBackMix(p=0.6)
    new = op(images, sectors)
    drawn = op._params
    op(images, sectors)
    assert torch.equal(op(images, sectors, params=drawn), new)
    with pytest.raises(TypeError, match=r"donor_index is an int64 tensor of shape \(8,\)"):
        op(images[:4], sectors[:4], params=drawn)


def test_clips_share_one_sector_and_one_donor(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    images, sectors = batch
    clips = images[:, :, None] + torch.arange(3)[:, None, None] * 0.001
    new = sa.RandomBackMix()(clips, sectors)
    assert new.shape == clips.shape
    kept = sectors[:, None, None].expand_as(clips)
    assert torch.equal(new[kept], clips[kept])
    donors = [donors_seen(new[:, :, t] - 0.001 * t) for t in range(3)]
    assert donors[0] == donors[1] == donors[2]


def test_a_sector_for_each_of_no_frames_is_refused(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    images, sectors = batch
    with pytest.raises(ValueError, match="expected one sector a clip"):
        sa.RandomBackMix()(images[:, :, None], sectors[:, None, None][:, :0])


@pytest.mark.parametrize("channel", [False, True])
def test_video_containers(batch: tuple[torch.Tensor, torch.Tensor], channel: bool) -> None:
    if not channel and kornia.__version__.startswith("0.8."):
        pytest.skip("kornia 0.8 wants a channel in masks beside clips")
    images, sectors = batch
    clips = images[:, None].expand(-1, 3, -1, -1, -1)
    masks = sectors[:, None].expand(-1, 3, -1, -1).float()
    op = sa.RandomBackMix()
    train = K.AugmentationSequential(
        K.VideoSequential(K.RandomAffine(10.0, p=1.0)), op, data_keys=["input", "mask"]
    )
    new, _ = train(clips, masks[:, :, None] if channel else masks)
    assert new.shape == clips.shape
    assert op.mixed is not None
    assert op.mixed.all()
    assert torch.equal(new[:, 0], new[:, 2])


def test_one_image_is_a_batch_of_one(
    batch: tuple[torch.Tensor, torch.Tensor], backgrounds: sa.BackgroundPool
) -> None:
    images, sectors = ((batch[0][0] * 255).to(torch.uint8), batch[1][0])
    assert sa.RandomBackMix(pool=backgrounds)(images, sectors).shape == (1, 1, SIDE, SIDE)
    assert sa.RandomBackMix(pool=backgrounds, keepdim=True)(images, sectors).shape == (1, SIDE, SIDE)


@pytest.mark.parametrize(
    "container",
    [
        lambda op: K.AugmentationSequential(op, data_keys=["input"]),
        lambda op: K.ImageSequential(op),
        lambda op: K.AugmentationSequential(K.ImageSequential(op), data_keys=["input"]),
    ],
)
def test_a_container_that_gives_no_sectors_is_told(
    batch: tuple[torch.Tensor, torch.Tensor], container: object
) -> None:
    with pytest.raises(ValueError, match="got images without sectors"):
        container(sa.RandomBackMix())(batch[0])  # type: ignore[operator]


@pytest.mark.parametrize("with_pool", [False, True])
def test_it_compiles_as_one_graph(
    batch: tuple[torch.Tensor, torch.Tensor], backgrounds: sa.BackgroundPool, with_pool: bool
) -> None:
    images, sectors = batch
    pool = backgrounds.to("cpu", torch.float32) if with_pool else None
    op = sa.RandomBackMix(p=0.5, pool=pool)
    compiled = torch.compile(op, fullgraph=True, backend="aot_eager")
    n_mixed = 0
    for _ in range(10):
        new = compiled(images, sectors)
        assert op.mixed is not None
        assert torch.equal((new != images).flatten(1).any(1), op.mixed)
        n_mixed += int(op.mixed.sum())
    assert 10 < n_mixed < 70


def test_kornias_own_call_style() -> None:
    images, sectors = torch.rand(4, 1, 8, 8), torch.zeros(4, 1, 8, 8)
    sectors[..., 2:6, 2:6] = 1
    op = sa.RandomBackMix()
    new, same = op(images, sectors, data_keys=["input", "mask"])
    assert torch.equal(new, op(images, sectors, params=op._params))
    assert same is sectors
    same, again = op(sectors, images, data_keys=["mask", "input"], params=op._params)
    assert torch.equal(again, new) and same is sectors
    with pytest.raises(ValueError, match="images without sectors"):
        op(images, sectors, data_keys=["input", "class"])


@pytest.mark.parametrize("keyword", ["has_sectors", "generator"])
def test_an_unknown_keyword_is_an_error(keyword: str) -> None:
    images, sectors = torch.rand(2, 1, 8, 8), torch.ones(2, 8, 8)
    with pytest.raises(TypeError, match=f"the keyword '{keyword}'; expected params, data_keys or has_sector"):
        sa.RandomBackMix()(images, sectors, **{keyword: None})


def test_one_image_and_the_sectors_of_two_do_not_pair() -> None:
    with pytest.raises(ValueError, match="sectors"):
        sa.RandomBackMix()(torch.zeros(1, 8, 8, dtype=torch.uint8), torch.ones(2, 8, 8, dtype=torch.bool))
