"""After kornia's TestRandomTransplantation, its BaseTester (cardinality, exceptions, gradients, dynamo)
and its tests of conventions."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import kornia.augmentation as K
import torch
from peer_row import SIDE, N, Row, batch, images_of, pool_of
from torch import Tensor

import sectoraug as sa


def kept_inside(new: Tensor, images: Tensor, sectors: Tensor) -> None:
    assert new.shape == images.shape and new.dtype == images.dtype
    inside = sectors.reshape(len(sectors), 1, *sectors.shape[-2:]).expand_as(images) != 0
    assert torch.equal(new[inside], images[inside])


def cardinality() -> None:
    for shape in ((1, 2, 3, 4), (2, 3, 5, 7), (1, 1, 1, 1), (4, 8, 6, 6)):
        images, sectors = torch.rand(shape), torch.rand(shape[0], *shape[2:]) < 0.5
        kept_inside(sa.RandomBackMix()(images, sectors), images, sectors)


def dtypes() -> None:
    for dtype in (torch.uint8, torch.float16, torch.bfloat16, torch.float32, torch.float64):
        images, sectors = batch(dtype)
        new = sa.RandomBackMix()(images, sectors)
        kept_inside(new, images, sectors)
        assert not torch.equal(new, images)


def clips() -> None:
    images, sectors = batch()
    whole = images[:, :, None].expand(-1, 2, 3, -1, -1)
    new = sa.RandomBackMix()(whole, sectors)
    assert new.shape == (N, 2, 3, SIDE, SIDE) and torch.equal(new[:, 0, 0], new[:, 1, 2])


def inputs_stay_as_they_are() -> None:
    images, sectors = batch()
    before = images.clone(), sectors.clone()
    for op in (sa.RandomBackMix(), sa.RandomBackMix(p=0.5, pool=floats())):
        op(images, sectors)
    assert torch.equal(images, before[0]) and torch.equal(sectors, before[1])


def floats() -> sa.BackgroundPool:
    import numpy as np

    return pool_of(images_of(np.float32))


def p_0() -> None:
    images, sectors = batch()
    op = sa.RandomBackMix(p=0)
    assert torch.equal(op(images, sectors), images)
    assert not op._params["batch_prob"].any() and not op.mixed.any()


def same_on_batch() -> None:
    images, sectors = batch()
    op = sa.RandomBackMix(p=0.5, same_on_batch=True)
    told = set()
    for seed in range(20):
        torch.manual_seed(seed)
        op(images, sectors)
        assert op.mixed.all() or not op.mixed.any()
        told.add(bool(op.mixed.any()))
    assert told == {True, False}


def repeated(wrap: Callable[[Any], Any]) -> Callable[[], None]:
    def ask() -> None:
        images, sectors = batch()
        op = wrap(sa.RandomBackMix(p=0.5))
        given = images, sectors.float()[:, None]
        new, _ = op(*given, data_keys=["input", "mask"])
        params = copy.deepcopy(op._params)
        other, _ = op(*given, data_keys=["input", "mask"])
        again, _ = op(*given, params=params, data_keys=["input", "mask"])
        assert torch.equal(new, again) and not torch.equal(new, other)

    return ask


def either_order() -> None:
    images, sectors = batch()
    planes = sectors.float()[:, None]
    for wrap in (K.AugmentationSequential, lambda op: op):
        op = wrap(sa.RandomBackMix())
        torch.manual_seed(3)
        new, _ = op(images, planes, data_keys=["input", "mask"])
        torch.manual_seed(3)
        same, again = op(planes, images, data_keys=["mask", "input"])
        assert torch.equal(new, again) and torch.equal(same, planes)


def dicts() -> None:
    images, sectors = batch()
    planes = sectors.float()[:, None]
    train = K.AugmentationSequential(K.RandomHorizontalFlip(p=1), sa.RandomBackMix(), data_keys=None)
    out = train({"image": images, "mask": planes})
    assert torch.equal(out["mask"], planes.flip(-1))
    kept_inside(out["image"], images.flip(-1), sectors.flip(-1))


def alone_as_in_a_container() -> None:
    images, sectors = batch()
    op = sa.RandomBackMix(p=0.7)
    torch.manual_seed(2)
    alone = op(images, sectors)
    torch.manual_seed(2)
    contained, _ = K.AugmentationSequential(op, data_keys=["input", "mask"])(images, sectors.float()[:, None])
    assert torch.equal(alone, contained)


def labels_pass_by() -> None:
    images, sectors = batch()
    train = K.AugmentationSequential(sa.RandomBackMix(), data_keys=["input", "mask", "class"])
    train(images, sectors.float()[:, None], torch.arange(N))


def a_second_mask_stays() -> None:
    images, sectors = batch()
    organ = torch.rand(N, 1, SIDE, SIDE)
    train = K.AugmentationSequential(sa.RandomBackMix(), data_keys=["input", "mask", "mask"])
    new, _, same = train(images, sectors.float()[:, None], organ)
    assert torch.equal(same, organ)
    kept_inside(new, images, sectors)


def masks_alone() -> None:
    _, sectors = batch()
    sa.RandomBackMix()(sectors.float()[:, None], data_keys=["mask"])


def three_inputs_alone() -> None:
    images, sectors = batch()
    sa.RandomBackMix()(images, sectors, sectors)


def an_empty_batch() -> None:
    images, sectors = torch.rand(0, 1, SIDE, SIDE), torch.zeros(0, SIDE, SIDE)
    sa.RandomBackMix()(images, sectors)


def gradients() -> None:
    images, sectors = batch(torch.float64)
    op = sa.RandomBackMix(pool=floats().to("cpu", torch.float64, progress=False))
    op(images[:2], sectors[:2])
    params = op._params
    given = images[:2].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda given: op(given, sectors[:2], params=params), (given,))


def gradients_of_donors() -> None:
    images, sectors = batch(torch.float64)
    given = images[:2].clone().requires_grad_()
    op = sa.RandomBackMix()
    op(given, sectors[:2])
    params = op._params
    torch.autograd.gradcheck(lambda given: op(given, sectors[:2], params=params), (given,))


def one_graph() -> None:
    """BaseTester's test_dynamo: compiled and not compiled give the same; the draws are fixed by params."""
    images, sectors = batch()
    op = sa.RandomBackMix()
    wanted = op(images, sectors)
    params = op._params
    compiled = torch.compile(lambda i, s: op(i, s, params=params), fullgraph=True, backend="aot_eager")
    assert torch.equal(compiled(images, sectors), wanted)


def pickles_and_copies() -> None:
    images, sectors = batch()
    op = sa.RandomBackMix(p=0.5, donor_values=None)
    for again in (pickle.loads(pickle.dumps(op)), copy.deepcopy(op)):
        outs = []
        for each in (op, again):
            torch.manual_seed(6)
            outs.append(each(images, sectors))
        assert torch.equal(*outs)
    assert not op.state_dict()


def pickles_with_a_pool() -> None:
    pickle.dumps(sa.RandomBackMix(pool=floats()))


def undone() -> None:
    images, sectors = batch()
    train = K.AugmentationSequential(
        K.RandomHorizontalFlip(p=1), sa.RandomBackMix(), data_keys=["input", "mask"]
    )
    new, planes = train(images, sectors.float()[:, None])
    train.inverse(new, planes)


def scripted() -> None:
    torch.jit.script(sa.RandomBackMix())


ROWS = [
    Row("kornia", "TestRandomTransplantation.test_cardinality", "any batch of (B, C, H, W)", cardinality),
    Row("kornia", "BaseTester's dtypes", "uint8, float16, bfloat16, float32, float64", dtypes),
    Row("kornia", "TestRandomTransplantation.test_module", "clips (B, C, T, H, W)", clips),
    Row("kornia", "TestRandomTransplantation.test_module", "inputs are only read", inputs_stay_as_they_are),
    Row("kornia", "TestRandomTransplantation.test_apply_none", "p=0 is the identity", p_0),
    Row("kornia", "TestRandomJigsaw.test_p", "`same_on_batch`", same_on_batch),
    Row(
        "kornia",
        "TestRandomTransplantation.test_repeating",
        "`params` repeat, alone",
        repeated(lambda op: op),
    ),
    Row(
        "kornia",
        "TestRandomTransplantation.test_repeating",
        "`params` repeat, in a container",
        repeated(K.AugmentationSequential),
    ),
    Row("kornia", "TestRandomTransplantation.test_data_keys", "`data_keys` in either order", either_order),
    Row("kornia", "TestRandomTransplantation.test_dict_input", "dicts (`data_keys=None`)", dicts),
    Row(
        "kornia",
        "TestRandomTransplantation.test_sequential",
        "alone as in a container",
        alone_as_in_a_container,
    ),
    Row(
        "kornia", "TestRandomTransplantation.test_module", "a second mask in a container", a_second_mask_stays
    ),
    Row(
        "kornia",
        "TestRandomTransplantation.test_module",
        "a third input alone",
        three_inputs_alone,
        "got 3 tensors",
    ),
    Row("kornia", "TestRandomTransplantation.test_mask_only", "masks alone", masks_alone, "got 1 tensors"),
    Row(
        "kornia",
        "test_convention_zero_sized_spatial_axis_is_a_no_op",
        "an empty batch",
        an_empty_batch,
        "images is",
    ),
    Row(
        "kornia",
        "test_augmentation_sequential.py",
        "labels in a container",
        labels_pass_by,
        "not yet supported",
    ),
    Row("kornia", "test_augmentation_sequential.py", "a container's `inverse`", undone, "not supported"),
    Row("kornia", "TestRandomTransplantation.test_gradcheck", "gradients to images", gradients),
    Row(
        "kornia",
        "TestRandomTransplantation.test_gradcheck",
        "gradients to donors of the batch",
        gradients_of_donors,
        "Jacobian mismatch",
    ),
    Row("kornia", "BaseTester.test_dynamo", "`torch.compile(fullgraph=True)`", one_graph),
    Row("kornia", "test_conventions_6d_serialization.py", "pickles and copies", pickles_and_copies),
    Row(
        "kornia",
        "test_conventions_6d_serialization.py",
        "a pickle with a pool",
        pickles_with_a_pool,
        "not pickled",
    ),
    Row("kornia", "BaseTester's scripting", "`torch.jit.script`", scripted, "not supported"),
]
