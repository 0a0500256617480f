"""After kornia's test_torch_export.py and torchmetrics' MetricTester: what exports as one program, and what
`Focus` does as a metric among others."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from peer_row import SIDE, N, Row, batch, images_of, pool_of
from torch import Tensor, nn
from torchmetrics import MetricCollection
from torchmetrics.aggregation import MeanMetric

import sectoraug as sa


class Called(nn.Module):
    """A function as a module, since torch.export takes modules."""

    def __init__(self, call: Callable[..., Any]) -> None:
        super().__init__()
        self.call = call

    def forward(self, *inputs: Tensor) -> Any:
        return self.call(*inputs)


def same(module: nn.Module, inputs: tuple[Tensor, ...], seed: int = 0) -> None:
    """The exported program gives what the module gives, also for values that it was not traced with."""
    program = torch.export.export(module, inputs).module()
    for given in (inputs, tuple(each.flip(0) for each in inputs)):
        outs = []
        for each in (module, program):
            torch.manual_seed(seed)
            out = each(*given)
            outs.append(out if isinstance(out, tuple) else (out,))
        assert all(torch.equal(a, b) for a, b in zip(*outs, strict=True))


def the_swap() -> None:
    images, sectors = batch()
    index = torch.arange(N).roll(1)
    same(
        Called(lambda i, s, d: sa.swap_background_batch(i, s, i, s, donor_index=d)), (images, sectors, index)
    )


def the_swap_of_any_batch() -> None:
    images, sectors = batch()
    n = torch.export.Dim("n", min=2)
    module = Called(lambda i, s: sa.swap_background_batch(i, s, i.flip(0), s.flip(0))[0])
    program = torch.export.export(module, (images, sectors), dynamic_shapes=(({0: n}, {0: n}),)).module()
    for k in (2, 5):
        assert torch.equal(program(images[:k], sectors[:k]), module(images[:k], sectors[:k]))


def compiled_once() -> None:
    """Batches of other sizes do not compile anew each: once for the first, once for all others."""
    graphs = []

    def count(graph: Any, _: Any) -> Any:
        graphs.append(graph)
        return graph.forward

    images, sectors = batch()
    for call in (
        lambda i, s: sa.swap_background_batch(i, s, i.flip(0), s.flip(0))[0],
        sa.RandomBackMix(p=0.5),
    ):
        torch._dynamo.reset()
        graphs.clear()
        compiled = torch.compile(call, fullgraph=True, backend=count)
        for n in (6, 5, 4, 3):
            compiled(images[:n], sectors[:n])
        assert len(graphs) == 2, len(graphs)


def random_mix(with_pool: bool) -> Callable[[], None]:
    def ask() -> None:
        images, sectors = batch()
        pool = pool_of(images_of(np.float32)) if with_pool else None
        same(sa.RandomBackMix(p=0.5, pool=pool), (images, sectors))

    return ask


def the_loss() -> None:
    logits, target = torch.randn(N, 4), torch.arange(N) % 4
    mixed = torch.tensor([True, False] * (N // 2))
    same(sa.WeightedBackMixLoss(fraction=0.5), (logits, target, mixed))
    same(Called(sa.backmix_weights), (mixed,))


def percentages() -> None:
    cam, sector = torch.rand(N, SIDE, SIDE), batch()[1]
    same(Called(sa.energy_percent), (cam, sector))


def cams(n: int = 4) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(n, 3, SIDE, SIDE, generator=generator), torch.from_numpy(_sectors()).expand(
        n, -1, -1, -1
    )


def _sectors() -> np.ndarray:
    from peer_row import SECTORS

    return SECTORS[:3] != 0


def as_a_metric() -> None:
    metric = sa.Focus()
    for name in ("is_differentiable", "higher_is_better"):
        try:
            setattr(metric, name, True)
        except RuntimeError:
            continue
        raise AssertionError(f"{name} could be set")
    assert metric.clone() is not metric and type(metric.clone()) is sa.Focus
    assert metric.state_dict() == {} and isinstance(hash(metric), int)
    cam, sector = cams()
    metric = pickle.loads(pickle.dumps(metric))
    other = copy.deepcopy(metric)
    batch_result = metric(cam[0], sector[0])
    other.update(cam[0], sector[0])
    assert {k: float(v) for k, v in other.compute().items()} == {k: float(v) for k, v in batch_result.items()}
    assert not any(value.requires_grad for value in batch_result.values())


def halves() -> None:
    cam, sector = cams()
    wanted = sa.Focus()
    wanted.update(cam[0], sector[0])
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        metric = sa.Focus().set_dtype(dtype)
        metric.update(cam[0].to(dtype), sector[0])
        for name, value in metric.compute().items():
            assert torch.isclose(value.float(), wanted.compute()[name].float(), rtol=2e-2), (dtype, name)


def of_parts() -> None:
    """The peer's ddp test: states of two ranks' batches, summed as ranks sum them, are the whole's."""
    cam, sector = cams()
    whole = sa.Focus()
    ranks = [sa.Focus(), sa.Focus()]
    for k in range(4):
        whole.update(cam[k], sector[k])
        ranks[k % 2].update(cam[k], sector[k])
    for reduced in (ranks[0], copy.deepcopy(ranks[0])):
        assert set(reduced._reductions) == {"percent_sums", "n_images", "n_empty"}
    for name in whole._reductions:
        assert torch.allclose(sum(getattr(rank, name) for rank in ranks), getattr(whole, name))


def among_others() -> None:
    cam, sector = cams()
    both = MetricCollection({"low": sa.Focus(), "high": sa.Focus(threshold=0.9)})
    for k in range(4):
        both.update(cam[k], sector[k])
    alone = sa.Focus(threshold=0.9)
    for k in range(4):
        alone.update(cam[k], sector[k])
    found = {name: float(value) for name, value in both.compute().items()}
    for name, value in alone.compute().items():
        assert abs(found[f"high_{name}"] - float(value)) < 1e-4, sorted(found)
    assert found["low_focus_percent"] != found["high_focus_percent"]


def tracked() -> None:
    """Reset gives a metric as new, and MeanMetric beside it is not needed for averages of images."""
    cam, sector = cams()
    metric, mean = sa.Focus(), MeanMetric()
    for k in range(4):
        metric.update(cam[k], sector[k])
        mean.update(sa.energy_percent(cam[k], sector[k]))
    assert torch.isclose(metric.compute()["energy_percent"], mean.compute())
    metric.reset()
    assert metric.compute()["n_images"] == 0


def scripted() -> None:
    torch.jit.script(sa.Focus())


EXPORT, METRIC = "test_torch_export.py", "MetricTester"
ROWS = [
    Row("torch.export", EXPORT, "`swap_background_batch`", the_swap),
    Row("torch.export", EXPORT, "`swap_background_batch`, any batch size", the_swap_of_any_batch),
    Row("torch.export", EXPORT, "`torch.compile` once for all batch sizes", compiled_once),
    Row("torch.export", EXPORT, "`RandomBackMix`, donors from the batch", random_mix(False)),
    Row("torch.export", EXPORT, "`RandomBackMix` with a pool", random_mix(True)),
    Row("torch.export", EXPORT, "`WeightedBackMixLoss`, `backmix_weights`", the_loss),
    Row("torch.export", EXPORT, "`energy_percent`", percentages, "guard on data"),
    Row(
        "torchmetrics",
        f"{METRIC}.run_class_metric_test",
        "`Focus` clones, copies, pickles, hashes",
        as_a_metric,
    ),
    Row("torchmetrics", f"{METRIC}.run_precision_test_cpu", "float16, bfloat16, float64", halves),
    Row("torchmetrics", f"{METRIC}.run_class_metric_test, ddp", "states of ranks add up", of_parts),
    Row("torchmetrics", "test_collections.py", "two thresholds in a `MetricCollection`", among_others),
    Row("torchmetrics", "test_metric.py", "`reset`", tracked),
    Row("torchmetrics", f"{METRIC}, check_scriptable", "`torch.jit.script`", scripted, "type annotation"),
]
