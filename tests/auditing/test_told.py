"""The classifier and its permutations: groups keep together, chance is chance, an oracle agrees."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import balanced_accuracy_score

from sectoraug.auditing.attributes import as_categories, attributes_of
from sectoraug.auditing.told import answered, balanced_accuracy, deal, folds, score


def test_a_deal_keeps_every_label_and_the_runs_within_groups() -> None:
    labels = np.repeat(np.arange(10) % 3, 8)
    groups = np.repeat(np.arange(10), 8)
    dealt = deal(labels, groups, 50)
    assert (dealt[:, 0] == labels).all()
    for column in dealt.T:
        assert (np.bincount(column) == np.bincount(labels)).all()
        assert (np.diff(column) != 0).sum() <= 9  # groups of one size and one label stay whole
    assert len({column.tobytes() for column in dealt.T}) > 40


def test_a_deal_turns_labels_that_alternate_within_a_group() -> None:
    labels, groups = np.arange(40) % 4, np.arange(40) // 8
    dealt = deal(labels, groups, 200)
    agree = (dealt[:, 1:] == labels[:, None]).mean()
    assert 0.2 < agree < 0.3
    assert set(np.unique(deal(labels, np.arange(40)[::-1].copy(), 5))) == {0, 1, 2, 3}


def test_a_group_is_in_one_fold() -> None:
    groups = np.random.default_rng(0).integers(0, 23, 400)
    fold_of = folds(np.unique(groups, return_inverse=True)[1], 3)
    assert all(len(np.unique(fold_of[groups == g])) == 1 for g in np.unique(groups))
    assert fold_of.max() == 4 and folds(np.array([0, 0, 1]), 0).max() == 1


def test_what_is_there_is_told_even_where_one_label_is_rare() -> None:
    rng = np.random.default_rng(0)
    labels = (rng.random(600) < 0.1).astype(np.intp)
    features = rng.normal(size=(600, 5)) + 3 * labels[:, None]
    groups = np.arange(600) // 6
    found = score(features, deal(labels, groups, 99), groups)
    assert found.accuracy > 0.95 and found.p_value == 0.01 and found.interval[0] > 0.9


def test_a_shape_that_no_line_tells_is_told() -> None:
    rng = np.random.default_rng(1)
    features = rng.normal(size=(600, 2))
    labels = (np.hypot(*features.T) > 1.2).astype(np.intp)
    groups = np.arange(600)
    assert score(features, deal(labels, groups, 19), groups).accuracy > 0.9


def test_groups_alone_are_no_evidence() -> None:
    """Features that tell the group, and labels of groups by chance: p is uniform, not small."""
    small = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        groups = np.repeat(np.arange(30), 10)
        features = rng.normal(size=(30, 4))[groups] + 0.1 * rng.normal(size=(300, 4))
        labels = rng.permutation(np.arange(30) % 2)[groups]
        small += score(features, deal(labels, groups, 39, seed), groups, seed).p_value <= 0.05
    assert small <= 4


def test_balanced_accuracy_is_sklearns() -> None:
    rng = np.random.default_rng(0)
    labels, answers = rng.integers(0, 4, 200), rng.integers(0, 4, 200)
    assert np.isclose(balanced_accuracy(answers, labels, 4), balanced_accuracy_score(labels, answers))


def test_columns_of_labels_do_not_change_each_other() -> None:
    rng = np.random.default_rng(0)
    features, groups = rng.normal(size=(120, 3)), np.arange(120) // 4
    labels = rng.integers(0, 3, (120, 30))
    together = answered(features, labels, groups)
    assert (together[:, 7] == answered(features, labels[:, 7], groups)).all()


def test_utility_and_detectability_have_the_ends_that_they_should() -> None:
    rng = np.random.default_rng(0)
    labels, groups = rng.integers(0, 2, 800).astype(np.intp), np.arange(800)
    seen, unseen = rng.integers(0, 2, 800), rng.integers(0, 2, 800)
    pixels = np.stack([labels, seen], 1) + 0.05 * rng.normal(size=(800, 2))
    given = {"label": labels, "seen": seen, "unseen": unseen, "measured": rng.normal(size=800)}
    found = {each.name: each for each in attributes_of(given, pixels, deal(labels, groups, 99), groups)}
    assert found["label"].utility > 0.99 and found["seen"].utility < 0.02 < 0.05 < found["seen"].p_value
    assert found["seen"].detectability > 0.95 and found["unseen"].detectability < 0.05
    assert found["measured"].n_values == 5


def test_numbers_are_binned_and_names_are_not() -> None:
    assert as_categories(np.linspace(0, 1, 50)).max() == 4
    assert as_categories(["b", "a", "b"]).tolist() == [1, 0, 1]
    assert as_categories([3, 7, 3]).tolist() == [0, 1, 0] and as_categories([0.0] * 9).max() == 0
