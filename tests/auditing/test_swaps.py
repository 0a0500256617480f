"""Models whose answers are known: one reads the sector, one the background, and the audit says which."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import sectoraug as sa
from sectoraug.auditing.model_answers import KINDS, ModelAudit
from sectoraug.auditing.swaps import audit_model

N, SIZE = 80, 32


class Reads(nn.Module):
    """Answers by how bright one corner of the image is, or its middle."""

    def __init__(self, middle: bool) -> None:
        super().__init__()
        self.place = nn.Conv2d(1, 1, 1)  # a layer to look at
        nn.init.ones_(self.place.weight)
        nn.init.zeros_(self.place.bias)
        self.rows = slice(12, 20) if middle else slice(0, 4)

    def forward(self, images: Tensor) -> Tensor:
        seen = self.place(images)
        level = seen[:, 0, self.rows, self.rows].mean((1, 2))
        return torch.stack([0.5 - level, level - 0.5], 1) * 20


def screens() -> dict[str, Any]:
    """Corner and middle tell the label; the corner tells the style."""
    labels = np.arange(N) % 2
    rng = np.random.default_rng(0)
    images = rng.integers(0, 60, (N, SIZE, SIZE), dtype=np.uint8)
    images[:, 8:24, 8:24] = (40 + 170 * labels)[:, None, None]
    images[:, :4, :4] = (200 * labels)[:, None, None]
    sectors = np.zeros((N, SIZE, SIZE), bool)
    sectors[:, 8:24, 8:24] = True
    return {
        "images": images,
        "sectors": sectors,
        "labels": labels,
        "groups": np.arange(N) // 4,
        "style_of": labels,
    }


def asked(model: Any, **changes: Any) -> ModelAudit:
    return audit_model(model, **{**screens(), "n_donors": 8, "progress": False, **changes})


def test_a_network_that_reads_the_sector_changes_no_answer() -> None:
    found = asked(Reads(middle=True))
    assert set(found.flips) == set(KINDS) and found.accuracy == 1
    assert all(each.share == 0 and each.mean_change < 1e-6 for each in found.flips.values())
    assert (found.mirror.sector, found.mirror.background, found.mirror.neither) == (1, 0, 0)
    assert not found.flips_of_image.any() and found.interval_of_image[0, 1] < 0.4


def test_a_network_that_reads_the_background_follows_it() -> None:
    found = asked(Reads(middle=False))
    assert found.accuracy == 1 and found.accuracy_by_style == {0: (1, 40), 1: (1, 40)}
    assert found.flips["other style"].share == found.flips["other label"].share == 1
    assert found.flips["same style"].share == 0
    assert 0.4 < found.flips["any other image"].share < 0.6
    assert found.flips["black"].share == 0.5  # the half whose corner was bright
    assert (found.mirror.sector, found.mirror.background) == (0, 1)
    low, high = found.flips["any other image"].interval
    assert low < found.flips["any other image"].share < high
    worst = next(iter(found.flips_of_donor.values()))
    assert worst[0] > 0.4 and worst[1] >= 5


def test_donors_are_of_other_groups_and_black_has_no_style() -> None:
    found = asked(Reads(middle=False), groups=np.arange(N) % 2)
    assert found.flips["any other image"].share == 1  # all of the other group have the other label
    assert "same style" not in found.flips and "other style" in found.flips


def test_full_frame_sectors_give_no_background() -> None:
    given = screens()
    given["sectors"][::4] = True  # half of those with a dark corner
    found = audit_model(Reads(middle=False), **given, n_donors=8, progress=False)
    assert not set(found.flips_of_donor) & set(range(0, N, 4))
    assert found.flips["black"].share == 0.5


def test_where_it_looks() -> None:
    found = asked(Reads(middle=True), layer="place")
    assert found.focus["coverage_percent"] == 25 and 0 < found.focus["energy_percent"] <= 100


def test_one_logit_for_two_labels_and_another_size() -> None:
    whole = Reads(middle=False)
    single = asked(lambda images: whole(images)[:, 1])
    assert single.flips["other style"].share == 1
    small = asked(Reads(middle=True), size=(40, 40))
    assert small.accuracy == 1 and small.flips["any other image"].share == 0


def test_floats_and_preprocess() -> None:
    given = screens()
    floats = (given["images"] / 255).astype(np.float32)
    seen = []

    def prepared(images: Tensor) -> Tensor:
        seen.append((images.dtype, images.shape[1:]))
        return images / 255

    found = asked(Reads(middle=True), images=floats, preprocess=prepared)
    assert found.accuracy == 1 and set(seen) == {(torch.uint8, (1, SIZE, SIZE))}


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (nn.Conv2d(3, 2, 1), "the model failed on a batch of shape"),
        (lambda images: torch.zeros(len(images), 5), "one for each label in sorted order"),
        (lambda images: None, "expected a tensor of logits"),
        ("resnet18", "expected a module"),
    ],
)
def test_a_model_that_does_not_fit_is_one_sentence(model: Any, sentence: str) -> None:
    with pytest.raises((TypeError, ValueError), match=sentence):
        asked(model)


def test_images_of_several_sizes_need_a_size() -> None:
    given = screens()
    images = [image if i % 3 else image[:, :30] for i, image in enumerate(given["images"])]
    sectors = [each if i % 3 else each[:, :30] for i, each in enumerate(given["sectors"])]
    with pytest.raises(ValueError, match="give model_size"):
        asked(Reads(middle=True), images=images, sectors=sectors)
    assert asked(Reads(middle=True), images=images, sectors=sectors, size=(SIZE, SIZE)).accuracy == 1


def test_the_whole_audit_says_what_the_model_does() -> None:
    given = screens()
    given.pop("style_of")
    report = sa.audit(**given, model=Reads(middle=False), progress=False)
    assert "it follows the sector in 0 of 100 cases and the background in 100" in str(report)


def test_a_model_that_answers_all_alike_is_not_praised() -> None:
    given = screens()
    given.pop("style_of")
    report = sa.audit(**given, model=lambda x: torch.tensor([[0.0, 1.0]]).repeat(len(x), 1), progress=False)
    assert "gives every image the same answer" in str(report) and "of 100 answers" not in str(report)


def test_a_model_that_reads_what_tells_nothing_is_advised_upon() -> None:
    given = screens()
    given.pop("style_of")
    given["images"][:, :4, :4] = (200 * (np.arange(N) // 4 % 2))[:, None, None]
    report = sa.audit(**given, model=Reads(middle=False), progress=False)
    assert not report.tells["background"] and "train with BackMix" in str(report)
