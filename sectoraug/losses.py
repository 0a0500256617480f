"""wBackMix: cross-entropy that puts more weight on examples with a swapped background."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from sectoraug import checks


def backmix_weights(mixed: Tensor, lam: float = 1.0, fraction: float = 0.05) -> Tensor:
    """Weights of wBackMix (section 2.3): 1 + lam*(1 - f) where mixed, 1 - lam*f elsewhere.

    Args:
        mixed: (B,) bool, or 0/1 of any dtype; True where the background was swapped.
        lam: strength, >= 0; 0 weighs all examples alike.
        fraction: f, the expected share of mixed examples in 0..1: the share of images with a
            sector, times the probability p of the swap.

    Returns:
        (B,) float32 on the device of `mixed`. Their mean is 1 when the share of mixed examples is f,
        so 1 in expectation, not in each batch.

    Raises:
        ValueError: lam * fraction > 1, where the weight of unmixed examples would be negative.

    Examples:
        >>> import torch, sectoraug as sa
        >>> sa.backmix_weights(torch.tensor([True, False]), lam=1.0, fraction=0.25)
        tensor([1.7500, 0.7500])
    """
    _check(lam, fraction)
    if not isinstance(mixed, Tensor) or mixed.ndim != 1:
        raise TypeError(
            f"mixed is {checks.describe(mixed)}; expected a (B,) bool tensor: "
            "use torch.as_tensor(mixed), as DataLoader's collation does."
        )
    unmixed_weight = 1.0 - lam * fraction
    return unmixed_weight + lam * (mixed != 0).to(torch.float32)


def _check(lam: float, fraction: float) -> None:
    checks.number(lam, 0, float("inf"), "lam")
    checks.number(fraction, 0, 1, "fraction")
    if lam * fraction > 1:
        raise ValueError(
            f"lam * fraction is {lam * fraction:g}; expected at most 1, else unmixed examples get a "
            f"negative weight: use lam <= {1 / fraction:g} with fraction={fraction:g}."
        )


def _check_batch(logits: Tensor, target: Tensor, ignored: int) -> None:
    if not isinstance(logits, Tensor) or not logits.is_floating_point() or logits.ndim < 2:
        raise TypeError(
            f"logits is {checks.describe(logits)}; expected a float tensor (B, C) or (B, C, ...): give the "
            "network's scores, before any softmax."
        )
    is_of_classes = isinstance(target, Tensor) and target.shape == (logits.shape[0], *logits.shape[2:])
    if not is_of_classes and not (isinstance(target, Tensor) and target.shape == logits.shape):
        raise ValueError(
            f"target is {checks.describe(target)} for logits {tuple(logits.shape)}; expected classes "
            "(B,) or (B, ...), or probabilities like logits: one target an example."
        )
    if target.dtype not in (torch.int64, torch.uint8) if is_of_classes else not target.is_floating_point():
        raise TypeError(
            f"target is {checks.describe(target)} and {target.dtype}; expected int64 for classes, floats for "
            "probabilities: use target.long()."
        )
    if is_of_classes and target.device.type == "cpu" and not torch.compiler.is_compiling():
        wrong = (target != ignored) & ((target < 0) | (target >= logits.shape[1]))
        if bool(wrong.any()):
            raise ValueError(
                f"target has classes outside 0..{logits.shape[1] - 1}; expected those that logits score: "
                "number the classes from 0."
            )


class WeightedBackMixLoss(nn.Module):
    """Cross-entropy times `backmix_weights` (BackMix, section 2.3).

    Args:
        lam: strength lambda, >= 0.
        fraction: expected share of mixed examples, in 0..1: f*p.
        weight: (C,) class weights, as in `torch.nn.CrossEntropyLoss`.
        label_smoothing: in 0..1, as there.
        reduction: "mean", "sum" or "none", as there; the mean over class weights stays torch's own.
        ignore_index: target to leave out, as there.

    Shapes:
        logits (B, C) or (B, C, ...); target (B,) or (B, ...) of classes, or like logits of
        probabilities; mixed (B,) bool, or None for plain cross-entropy (validation).

    Examples:
        >>> import torch, sectoraug as sa
        >>> loss = sa.WeightedBackMixLoss(lam=1.0, fraction=0.05)
        >>> logits, target = torch.zeros(2, 4), torch.tensor([0, 3])
        >>> loss(logits, target, torch.tensor([True, False]))
        tensor(2.0101)
    """

    weight: Tensor | None

    def __init__(
        self,
        lam: float = 1.0,
        fraction: float = 0.05,
        weight: Tensor | None = None,
        label_smoothing: float = 0.0,
        reduction: str = "mean",
        ignore_index: int = -100,
    ) -> None:
        super().__init__()
        _check(lam, fraction)
        self.lam = lam
        self.fraction = fraction
        self.label_smoothing = checks.number(label_smoothing, 0, 1, "label_smoothing")
        self.reduction = checks.choice(reduction, ("mean", "sum", "none"), "reduction")
        self.ignore_index = ignore_index
        self.register_buffer("weight", weight)

    def forward(self, logits: Tensor, target: Tensor, mixed: Tensor | None = None) -> Tensor:
        _check_batch(logits, target, self.ignore_index)
        loss = functional.cross_entropy(
            logits,
            target,
            weight=self.weight,
            ignore_index=self.ignore_index,
            reduction="none",
            label_smoothing=self.label_smoothing,
        )
        if mixed is not None:
            weights = backmix_weights(mixed, self.lam, self.fraction).to(loss)
            if weights.shape[0] != loss.shape[0]:
                raise ValueError(
                    f"mixed has {weights.shape[0]} entries for {loss.shape[0]} examples; expected one "
                    "an example: pass the batch's own `backmixed`."
                )
            loss = loss * weights.view(-1, *[1] * (loss.ndim - 1))
        if self.reduction == "none":
            return loss
        if self.reduction == "sum":
            return loss.sum()
        return loss.sum() / self._divisor(loss, target)

    def _divisor(self, loss: Tensor, target: Tensor) -> Tensor | int:
        if target.is_floating_point():
            return loss.numel()
        kept = target != self.ignore_index
        if self.weight is None:
            return kept.sum()
        return self.weight[target.where(kept, 0)].mul(kept).sum()

    def extra_repr(self) -> str:
        return f"lam={self.lam}, fraction={self.fraction}, reduction={self.reduction!r}"
