"""The whole audit: what is planted is found, what is not is not, and every bad argument is one sentence."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import sectoraug as sa

SIZE = (64, 64)


def made(n: int = 240, **planted: Any) -> sa.phantom.PhantomDataset:
    return sa.phantom.make_dataset(n, **{"shortcut": 0.0, "seed": 11, "size": SIZE, **planted})


def audited(data: sa.phantom.PhantomDataset, **changes: Any) -> sa.AuditReport:
    given = {"groups": data.patients, "progress": False, **changes}
    return sa.audit(data.images, data.sectors, data.labels, **given)


def test_a_planted_overlay_is_found_and_the_outline_is_not() -> None:
    report = audited(made(shortcut=0.8))
    assert report.tells["background"] and not report.tells["outline"]
    assert report.scores["background"].accuracy > 0.7 > report.scores["outline"].accuracy + 0.3
    low, high = report.scores["background"].interval
    assert low < report.scores["background"].accuracy < high and report.scores["background"].chance == 0.25
    assert report.styles.cramers_v > 0.5 and report.styles.p_value == 1 / 200
    assert report.attributes[0].name == "overlay style" and report.attributes[0].detectability > 0.8
    assert "The background alone tells the label" in str(report).splitlines()[0]
    assert "BackMix" in str(report)


def test_a_planted_outline_is_found_and_told_apart_from_the_background() -> None:
    report = audited(made(outline_shortcut=0.9))
    assert report.tells["outline"]
    assert report.scores["outline"].accuracy > report.scores["background"].accuracy
    assert report.styles.p_value > 0.05
    assert "match_sector" in str(report)


def test_nothing_planted_nothing_found() -> None:
    report = audited(made())
    assert not any(report.tells[part] for part in ("background", "outline"))
    assert not report.places.any() and "No sign that the background" in str(report)


def test_it_repeats_under_a_seed_and_order_within_groups_of_scores_is_by_images_alone() -> None:
    data = made(80, shortcut=0.5)
    first, again = audited(data), audited(data)
    assert json.dumps(first.to_dict()) == json.dumps(again.to_dict())
    other = audited(data, seed=1)
    assert first.scores["background"].p_value == other.scores["background"].p_value == 1 / 200


def test_float_colour_lists_and_names_are_the_same_data() -> None:
    data = made(60, shortcut=0.5)
    whole = audited(data)
    colour = np.repeat(data.images[..., None], 3, axis=3)
    names = [f"view {label}" for label in data.labels]
    given = {"groups": [f"p{k:02}" for k in data.patients], "progress": False}
    listed = sa.audit(list(colour), [each * np.uint8(255) for each in data.sectors], names, **given)
    assert listed.scores["background"] == whole.scores["background"]
    floats = sa.audit((data.images / 255).astype(np.float32), data.sectors, data.labels, **given)
    assert floats.scores["outline"] == whole.scores["outline"]


def test_images_of_several_sizes_are_a_fact() -> None:
    data = made(120)
    images = [img if label else img[:, :56] for img, label in zip(data.images, data.labels, strict=True)]
    sectors = [each if label else each[:, :56] for each, label in zip(data.sectors, data.labels, strict=True)]
    report = sa.audit(images, sectors, data.labels, data.patients, progress=False)
    assert report.tells["facts"]
    size = next(each for each in report.attributes if each.name == "image size")
    assert size.p_value == 1 / 200 and size.utility > 0.3


def test_without_groups_neighbours_are_one_and_it_says_so() -> None:
    report = audited(made(80), groups=None)
    assert report.n_groups == 4 and not report.groups_given
    assert "No groups were given" in report.to_dict()["limits"][0]


def test_a_file_can_tell_the_label() -> None:
    data = made(160)
    formats = np.array([".png", ".dcm"])[(data.labels == 0).astype(int)]
    counted, listed = audited(data, facts={"format": formats}), audited(data, attributes={"format": formats})
    assert counted.tells["facts"]
    assert counted.scores["facts"].accuracy > listed.scores["facts"].accuracy + 0.1
    for report in (counted, listed):
        assert "format" in {each.name for each in report.attributes}


def test_attributes_of_ones_own_are_judged() -> None:
    data = made(240, shortcut=0.9)
    report = audited(data, attributes={"layout": data.layouts, "site": data.sites, "one": ["x"] * 240})
    found = {each.name: each for each in report.attributes}
    assert found["layout"].utility > 0.5 and found["layout"].detectability > 0.8 and "one" not in found
    assert found["site"].p_value > 0.05


def test_the_report_is_json_without_pixels(tmp_path: Any) -> None:
    report = audited(made(40))
    plain = json.loads(json.dumps(report.to_dict()))
    assert plain["labels"] == {str(k): 10 for k in range(4)} and np.shape(plain["places"]) == (24, 24)
    assert repr(report).startswith("AuditReport(n=40") and len(repr(report)) < 200
    assert report.embeddings["background"].shape[0] == 40


BAD = {
    "one label": (lambda d: {"labels": np.zeros(40, int)}, "expected two labels or more"),
    "a label short": (lambda d: {"labels": d.labels[:-1]}, "expected one an image"),
    "measured labels": (lambda d: {"labels": d.labels + 0.5}, "bin what is measured"),
    "a label in one group": (lambda d: {"groups": d.labels}, "is in one group only"),
    "groups in two splits": (lambda d: {"splits": ["a", "b"] * 20}, "groups are in several splits"),
    "an attribute short": (lambda d: {"attributes": {"site": [1, 2]}}, "one value for each of 40"),
    "an attribute unknown": (lambda d: {"attributes": {"age": [np.nan] * 40}}, "not finite"),
    "a sector short": (lambda d: {"sectors": d.sectors[:-1]}, "one sector an image"),
    "a sector of zeros": (lambda d: {"sectors": d.sectors & False}, r"sectors\[0\] is missing"),
    "a sector of another size": (lambda d: {"sectors": d.sectors[:, :32]}, "same height and width"),
    "levels over 1": (lambda d: {"images": d.images.astype(np.float32)}, "undo its normalisation"),
    "one number for all sectors": (lambda d: {"sectors": np.array(3)}, "expected an array, a list"),
    "permutations in a list": (
        lambda d: {"n_permutations": []},
        "n_permutations is a list; expected a number",
    ),
    "no permutations": (lambda d: {"n_permutations": 0}, "n_permutations is 0; expected a number in"),
    "clips": (lambda d: {"images": np.stack([d.images] * 2, 1)}, r"images\[0\]"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_arguments_are_one_sentence(what: str) -> None:
    data = made(40)
    given = {"images": data.images, "sectors": data.sectors, "labels": data.labels, "groups": data.patients}
    change, sentence = BAD[what]
    with pytest.raises((TypeError, ValueError), match=sentence):
        sa.audit(**{**given, **change(data)}, progress=False)
