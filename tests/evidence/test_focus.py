"""%E, %F and coverage by hand and against the formula written out, and their averages."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

import sectoraug as sa

HALF = torch.tensor([[[1, 1, 0, 0]] * 4]).bool()
QUARTER = torch.tensor([[[1, 0, 0, 0]] * 4]).bool()


def relevance_mass(cam: np.ndarray, sector: np.ndarray) -> float:
    """Quantus' RelevanceMassAccuracy, as a percentage: relevance inside over all relevance."""
    return float(100 * cam[sector.astype(bool)].astype(float).sum() / cam.astype(float).sum())


def fan(apex: tuple[float, float] = (4, 56), size: int = 112) -> Tensor:
    y, x = np.mgrid[:size, :size]
    depth, angle = np.hypot(y - apex[0], x - apex[1]), np.arctan2(x - apex[1], y - apex[0])
    return torch.as_tensor((depth < 100) & (abs(angle) < 0.65))[None]


@pytest.mark.parametrize("sector", [HALF, QUARTER, fan()])
def test_a_uniform_cam_scores_the_coverage(sector: Tensor) -> None:
    cam = torch.full(sector.shape, 0.7)
    coverage = sa.coverage_percent(sector)
    assert coverage.item() == pytest.approx(100 * sector.numpy().mean(), rel=1e-6)
    assert torch.allclose(sa.energy_percent(cam, sector), coverage)
    assert torch.allclose(sa.focus_percent(cam, sector), coverage)


def test_the_sector_itself_scores_100_and_its_outside_0() -> None:
    sector = torch.cat([HALF, QUARTER])
    assert sa.energy_percent(sector.float(), sector).tolist() == [100, 100]
    assert sa.focus_percent(sector.float(), sector).tolist() == [100, 100]
    assert sa.energy_percent((~sector).float(), sector).tolist() == [0, 0]
    assert sa.focus_percent((~sector).float(), sector).tolist() == [0, 0]


def test_by_hand() -> None:
    cam = torch.tensor([[[1.0, 0.6, 0.5, 0.3]] * 4])
    assert sa.energy_percent(cam, HALF).item() == pytest.approx(100 * 1.6 / 2.4)
    assert sa.focus_percent(cam, HALF).item() == 100  # 0.5 is not above 0.5
    assert sa.focus_percent(cam, HALF, threshold=0.4).item() == pytest.approx(100 * 2 / 3)
    assert sa.energy_percent(cam, QUARTER).item() == pytest.approx(100 / 2.4)
    assert sa.focus_percent(cam, QUARTER).item() == 50


@pytest.mark.parametrize(("grid", "expected"), [(4, 73.5), (7, 84.8), (14, 92.7)])
def test_the_grid_limits_energy(grid: int, expected: float) -> None:
    """Even a CAM that is the pooled sector itself scores less on a coarse grid."""
    sector = fan()
    cam = functional.adaptive_avg_pool2d(sector[None].float(), grid)
    cam = functional.interpolate(cam, size=(112, 112), mode="bilinear")[0]
    assert sa.energy_percent(cam, sector).item() == pytest.approx(expected, abs=0.5)


arrays = st.integers(0, 2**32 - 1).map(np.random.default_rng)


@settings(max_examples=50, deadline=None)
@given(rng=arrays, scale=st.floats(1e-3, 1e3))
def test_energy_is_the_formula_and_its_scale_cancels(rng: np.random.Generator, scale: float) -> None:
    shape = (3, *rng.integers(1, 30, 2))
    cam = rng.random(shape, dtype=np.float32) ** 4
    sector = rng.random(shape) < rng.random()
    sector[:, 0, 0] = True
    ours = sa.energy_percent(torch.as_tensor(cam), torch.as_tensor(sector))
    assert ours.dtype == torch.float32
    assert ours.min() >= 0
    assert ours.max() <= 100 + 1e-4
    expected = [relevance_mass(c, s) for c, s in zip(cam, sector, strict=True)]
    assert np.allclose(ours, expected, rtol=1e-4)
    divided = torch.as_tensor(cam / cam.max((1, 2), keepdims=True) * np.float32(scale))
    assert torch.allclose(sa.energy_percent(divided, torch.as_tensor(sector)), ours, rtol=1e-4)
    above = cam > 0.5
    kept = above.any((1, 2))
    focus = sa.focus_percent(torch.as_tensor(cam), torch.as_tensor(sector))
    assert np.array_equal(focus.isnan(), ~kept)
    expected = [relevance_mass(c, s) for c, s in zip(above[kept], sector[kept], strict=True)]
    assert np.allclose(focus[torch.as_tensor(kept)], expected, rtol=1e-5)


def test_kinds_of_sector() -> None:
    cam = torch.rand(1, 4, 4)
    for sector in (HALF[:, None], HALF.byte(), 255 * HALF.byte(), 0.3 * HALF, HALF.long()):
        for measure in (sa.energy_percent, sa.focus_percent):
            assert torch.equal(measure(cam, sector), measure(cam, HALF))
        assert torch.equal(sa.coverage_percent(sector), sa.coverage_percent(HALF))


def test_kinds_of_cam() -> None:
    cam = torch.rand(1, 112, 112)
    for dtype, tolerance in ((torch.float64, 1e-4), (torch.float16, 0.1), (torch.bfloat16, 0.5)):
        energy = sa.energy_percent(cam.to(dtype), fan())
        assert energy.dtype == torch.float32
        assert energy.item() == pytest.approx(sa.energy_percent(cam, fan()).item(), abs=tolerance)


def test_nan() -> None:
    nan, low = torch.full((4, 4), torch.nan), torch.full((4, 4), 0.1)
    partly = low * 9
    partly[0, 0] = torch.nan
    cam, sector = torch.stack([nan, torch.zeros(4, 4), partly, low, low * 9]), HALF.expand(5, 4, 4)
    assert sa.energy_percent(cam, sector).isnan().tolist() == [True, True, True, False, False]
    assert sa.focus_percent(cam, sector).isnan().tolist() == [True, True, True, True, False]


@pytest.mark.parametrize(
    ("cam", "sector", "kind", "sentence"),
    [
        (np.ones((1, 4, 4), np.float32), HALF, TypeError, "cam is a float32 array"),
        (torch.ones(1, 4, 4, dtype=torch.long), HALF, TypeError, "torch.int64; expected a .* float"),
        (torch.ones(1, 4, 5), HALF, ValueError, r"\(1, 4, 5\) but the sectors are \(1, 4, 4\)"),
        (torch.ones(2, 4, 4), HALF, ValueError, "bring the sectors to the size"),
        (torch.ones(4, 4), HALF, ValueError, "expected both .B, H, W."),
        (torch.ones(1, 4, 4, device="meta"), HALF, ValueError, "cam is on meta"),
        (torch.ones(1, 4, 4) - 2, HALF, ValueError, "values below 0"),
        (torch.ones(1, 4, 4), HALF.numpy(), TypeError, "use torch.as_tensor"),
        (torch.ones(1, 4, 4), HALF[0], ValueError, r"sector\[None\]"),
        (torch.ones(1, 4, 4), HALF.expand(3, 4, 4)[None], ValueError, r"\(1, 3, 4, 4\)"),
        (torch.ones(2, 4, 4), torch.cat([HALF, HALF & ~HALF]), ValueError, "image 1 is missing"),
        (torch.ones(1, 4, 4), HALF / 0, ValueError, "with NaN"),
        (torch.ones(0, 4, 4), HALF[:0], ValueError, r"\(0, 4, 4\)"),
    ],
)
def test_bad_arguments(cam: Any, sector: Any, kind: Any, sentence: str) -> None:
    for measure in (sa.energy_percent, sa.focus_percent):
        with pytest.raises(kind, match=sentence) as raised:
            measure(cam, sector)
        assert str(raised.value).endswith(".")


def test_bad_thresholds() -> None:
    with pytest.raises(ValueError, match="threshold is 50"):
        sa.focus_percent(torch.ones(1, 4, 4), HALF, threshold=50)


# The metric

torch.manual_seed(0)
SECTORS = torch.rand(12, 8, 8) < 0.6
CAMS = torch.rand(12, 8, 8)
CAMS[3] = torch.nan
CAMS[7] = 0
CAMS[9] *= 0.1
KEPT = torch.tensor([i not in (3, 7, 9) for i in range(12)])


@pytest.fixture
def metric() -> Any:
    pytest.importorskip("torchmetrics")
    return sa.Focus()


def check(result: dict[str, Tensor]) -> None:
    assert {k: v for k, v in result.items() if k.startswith("n_")} == {"n_images": 12, "n_empty": 3}
    for name, values in (
        ("energy_percent", sa.energy_percent(CAMS, SECTORS)),
        ("focus_percent", sa.focus_percent(CAMS, SECTORS)),
        ("coverage_percent", sa.coverage_percent(SECTORS)),
    ):
        assert result[name].item() == pytest.approx(values[KEPT].mean().item(), rel=1e-5), name


def test_it_averages_images_not_batches(metric: Any) -> None:
    for rows in (slice(0, 5), slice(5, 6), slice(6, 12)):
        metric.update(CAMS[rows], SECTORS[rows])
    check(metric.compute())
    metric.reset()
    metric.update(CAMS, SECTORS[:, None].byte())
    check(metric.compute())


def test_forward_gives_the_batch_and_adds_it(metric: Any) -> None:
    metric(CAMS[:5], SECTORS[:5])
    batch = metric(CAMS[5:], SECTORS[5:])
    assert batch["n_images"] == 7
    assert batch["n_empty"] == 2
    check(metric.compute())


@pytest.mark.parametrize("cut", [1, 4, 11])
def test_processes_merge_by_summing(metric: Any, cut: int) -> None:
    """What two ranks hold is summed state by state, so ranks of different size weigh by their images."""
    other = sa.Focus()
    other.update(CAMS[cut:], SECTORS[cut:])
    states = iter(list(other.metric_state.values()))
    metric = sa.Focus(
        dist_sync_fn=lambda state, group: [state, next(states)], distributed_available_fn=lambda: True
    )
    metric.update(CAMS[:cut], SECTORS[:cut])
    check(metric.compute())


def test_only_empty_images(metric: Any) -> None:
    metric.update(CAMS[[3, 7]], SECTORS[[3, 7]])
    result = metric.compute()
    assert result["n_images"] == result["n_empty"] == 2
    assert all(result[name].isnan() for name in ("energy_percent", "focus_percent", "coverage_percent"))


def test_results_stay_when_more_comes(metric: Any) -> None:
    metric.update(CAMS, SECTORS)
    result = metric.compute()
    metric.update(CAMS, SECTORS)
    check(result)


def test_threshold(metric: Any) -> None:
    metric = sa.Focus(threshold=0.05)
    metric.update(CAMS, SECTORS)
    assert metric.compute()["n_empty"] == 2
    with pytest.raises(ValueError, match="threshold is 2"):
        sa.Focus(threshold=2)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_cuda(metric: Any) -> None:
    for each in (metric, sa.Focus().cuda()):
        each.update(CAMS.cuda(), SECTORS.cuda())
        check({name: value.cpu() for name, value in each.compute().items()})


def test_without_torchmetrics_only_focus_fails() -> None:
    code = """
import sys
sys.modules["torchmetrics"] = None
import sectoraug as sa
sa.GradCAM, sa.energy_percent, sa.focus_percent, sa.coverage_percent
try:
    sa.Focus
except ImportError as error:
    print(error)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said == 'Focus needs torchmetrics: pip install "sectoraug[evidence]".\n'


def test_the_metric_draws_itself() -> None:
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pytest.importorskip("torchmetrics")
    metric, sector = sa.Focus(), torch.zeros(1, 4, 4)
    sector[:, :2] = 1
    steps = []
    for _ in range(2):
        metric.update(torch.rand(1, 4, 4), sector)
        steps.append(metric.compute())
    for value in (None, steps[0], steps):
        figure, axis = metric.plot(value)
        drawn = axis if isinstance(axis, np.ndarray) else [axis]
        labels = {
            text.get_text() for a in drawn for text in (a.get_legend().get_texts() if a.get_legend() else [])
        }
        labels |= {a.get_title() for a in drawn}
        assert {"energy_percent", "focus_percent", "coverage_percent"} <= labels
        pyplot.close(figure)
