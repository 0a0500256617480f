"""`Focus`: the averages of %E, %F and coverage over a test set, in torchmetrics' form."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sectoraug import checks
from sectoraug.evidence.focus import coverage_percent, energy_percent, focus_percent

try:
    from torchmetrics import Metric
except ImportError as error:
    raise ImportError('Focus needs torchmetrics: pip install "sectoraug[evidence]".') from error


class Focus(Metric):
    """%E, %F and coverage averaged over a test set, across processes too (BackMix, section 2.4).

    Args:
        threshold: of `focus_percent`, in 0..1.
        **kwargs: torchmetrics' own, such as `sync_on_compute`.

    `update(cam, sector)` takes what `energy_percent` and `focus_percent` take, and raises as they do.
    `compute()` returns a dict of scalar tensors: energy_percent, focus_percent and coverage_percent
    in 0..100, each over the same images; n_images, all that came; n_empty, those left out of the three
    averages because their %E or %F is NaN (a dead CAM, or none of it above the threshold). With no
    image left, the averages are NaN.

    Raises:
        ImportError: torchmetrics is missing.

    Examples:
        >>> import torch, sectoraug as sa
        >>> metric, sector = sa.Focus(), torch.tensor([[[1, 0], [0, 0]]]).bool()
        >>> metric.update(torch.tensor([[[0.9, 0.1], [0.2, 0.8]]]), sector)
        >>> metric.update(torch.zeros(1, 2, 2), sector)
        >>> {name: round(value.item(), 1) for name, value in metric.compute().items()}
        {'energy_percent': 45.0, 'focus_percent': 50.0, 'coverage_percent': 25.0, 'n_images': 2, 'n_empty': 1}
    """

    is_differentiable = False
    higher_is_better = None
    full_state_update = False

    percent_sums: Tensor
    n_images: Tensor
    n_empty: Tensor

    def __init__(self, threshold: float = 0.5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.threshold = checks.number(threshold, 0, 1, "threshold")
        self.add_state("percent_sums", torch.zeros(3), dist_reduce_fx="sum")
        self.add_state("n_images", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")
        self.add_state("n_empty", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    def update(self, cam: Tensor, sector: Tensor) -> None:
        """Add a batch: cam (B, H, W) float, sector (B, H, W) or (B, 1, H, W), nonzero inside."""
        energy = energy_percent(cam, sector)
        focus = focus_percent(cam, sector, self.threshold)
        coverage = coverage_percent(sector)
        empty = energy.isnan() | focus.isnan()
        # The states may be elsewhere: a Focus() is on the CPU until it is moved.
        sums = torch.stack([each.masked_fill(empty, 0).sum() for each in (energy, focus, coverage)])
        self.percent_sums += sums.to(self.percent_sums.device)
        self.n_images += len(cam)
        self.n_empty += empty.sum().to(self.n_empty.device)

    def compute(self) -> dict[str, Tensor]:
        """Return the averages and the two counts."""
        energy, focus, coverage = self.percent_sums / (self.n_images - self.n_empty)
        return {
            "energy_percent": energy,
            "focus_percent": focus,
            "coverage_percent": coverage,
            "n_images": self.n_images.clone(),
            "n_empty": self.n_empty.clone(),
        }

    def plot(self, val: Any = None, ax: Any = None) -> Any:
        """Draw the three percentages of `val`, results of `compute` or a list of them, or of one made now.

        Returns:
            matplotlib's figure and axis.
        """
        given = self.compute() if val is None else val
        results = [given] if isinstance(given, dict) else list(given)
        percents = [{name: value for name, value in r.items() if name.endswith("_percent")} for r in results]
        return self._plot(percents[0] if isinstance(given, dict) else percents, ax)
