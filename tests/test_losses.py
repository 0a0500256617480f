from __future__ import annotations

import pytest
import torch
from torch.nn import functional

import sectoraug as sa

torch.manual_seed(0)
LOGITS = torch.randn(40, 4)
TARGET = torch.randint(4, (40,))
MIXED = torch.arange(40) % 4 == 0


@pytest.mark.parametrize(
    ("lam", "fraction"), [(0.0, 0.05), (1.0, 0.05), (2.0, 0.25), (4.0, 0.25), (1.0, 1.0)]
)
def test_weights_are_the_papers(lam: float, fraction: float) -> None:
    weights = sa.backmix_weights(MIXED, lam, fraction)
    assert torch.allclose(weights[MIXED], torch.tensor(1 + lam * (1 - fraction)))
    assert torch.allclose(weights[~MIXED], torch.tensor(1 - lam * fraction))


def test_mean_weight_is_one_where_the_share_is_f() -> None:
    weights = sa.backmix_weights(MIXED, lam=2.0, fraction=0.25)
    assert weights.mean().item() == pytest.approx(1.0, abs=1e-6)


def test_mean_weight_is_one_in_expectation_only() -> None:
    torch.manual_seed(1)
    mixed = torch.rand(200_000) < 0.05
    assert sa.backmix_weights(mixed, 1.0, 0.05).mean().item() == pytest.approx(1, abs=2e-3)
    assert sa.backmix_weights(torch.zeros(64, dtype=torch.bool), 1.0, 0.05).mean() < 1


def test_loss_is_the_formula() -> None:
    loss = sa.WeightedBackMixLoss(lam=1.0, fraction=0.25)(LOGITS, TARGET, MIXED)
    each = -torch.log_softmax(LOGITS.double(), 1)[torch.arange(40), TARGET]
    weights = torch.where(MIXED, 1.75, 0.75).double()
    assert loss.item() == pytest.approx((weights * each).mean().item(), rel=1e-6)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("weight", [None, torch.tensor([1.0, 2.0, 0.5, 3.0])])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_without_mixed_it_is_cross_entropy(
    reduction: str, weight: torch.Tensor | None, smoothing: float
) -> None:
    target = TARGET.clone()
    target[3] = -100
    ours = sa.WeightedBackMixLoss(1.0, 0.05, weight, smoothing, reduction)
    theirs = functional.cross_entropy(LOGITS, target, weight, reduction=reduction, label_smoothing=smoothing)
    assert torch.allclose(ours(LOGITS, target), theirs)
    assert torch.allclose(ours(LOGITS, target, None), theirs)


def test_probabilities_and_dense_targets() -> None:
    probabilities = torch.softmax(torch.randn(40, 4), 1)
    ours = sa.WeightedBackMixLoss(1.0, 0.25)
    assert torch.allclose(ours(LOGITS, probabilities), functional.cross_entropy(LOGITS, probabilities))
    dense, labels = torch.randn(40, 4, 5), torch.randint(4, (40, 5))
    each = functional.cross_entropy(dense, labels, reduction="none")
    weights = sa.backmix_weights(MIXED, 1.0, 0.25)[:, None]
    assert torch.allclose(ours(dense, labels, MIXED), (each * weights).mean())


def test_gradient_is_weighted() -> None:
    logits = LOGITS.clone().requires_grad_()
    sa.WeightedBackMixLoss(1.0, 0.25)(logits, TARGET, MIXED).backward()
    plain = LOGITS.clone().requires_grad_()
    functional.cross_entropy(plain, TARGET).backward()
    assert logits.grad is not None and plain.grad is not None
    ratio = logits.grad / plain.grad
    assert torch.allclose(ratio[MIXED], torch.tensor(1.75), atol=1e-3)
    assert torch.allclose(ratio[~MIXED], torch.tensor(0.75), atol=1e-3)


def test_it_moves_and_saves_its_class_weights() -> None:
    loss = sa.WeightedBackMixLoss(weight=torch.ones(4)).double()
    assert loss.state_dict()["weight"].dtype == torch.float64
    assert "lam=1.0" in repr(loss)


@pytest.mark.parametrize(
    ("call", "kind", "sentence"),
    [
        (lambda: sa.WeightedBackMixLoss(3.0, 0.5), ValueError, r"lam \* fraction is 1.5.*lam <= 2"),
        (lambda: sa.WeightedBackMixLoss(-1.0, 0.5), ValueError, "lam is -1"),
        (lambda: sa.WeightedBackMixLoss(1.0, 1.5), ValueError, "fraction is 1.5"),
        (lambda: sa.WeightedBackMixLoss(float("nan"), 0.5), ValueError, "lam is nan"),
        (lambda: sa.WeightedBackMixLoss(reduction="avg"), ValueError, "reduction is 'avg'"),
        (lambda: sa.backmix_weights([True], 1.0, 0.1), TypeError, "mixed is a list"),  # type: ignore[arg-type]
        (lambda: sa.backmix_weights(torch.ones(2, 2), 1.0, 0.1), TypeError, "expected a .B,. bool"),
        (
            lambda: sa.WeightedBackMixLoss()(LOGITS, TARGET, MIXED[:7]),
            ValueError,
            "mixed has 7 entries for 40 examples",
        ),
    ],
)
def test_bad_arguments(call, kind, sentence) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(kind, match=sentence):
        call()
