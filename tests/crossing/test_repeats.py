"""The page on reproducibility shows what is tried, and the small check holds the list to what is tried."""

from __future__ import annotations

from pathlib import Path

import pytest

TRUST = Path(__file__).parents[2] / "benchmarks" / "trust"


@pytest.fixture(autouse=True)
def trust(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(TRUST)


def test_the_page_shows_the_list() -> None:
    from repeats import PAGE, section

    assert section() in PAGE.read_text(), "run benchmarks/trust/repeats.py"


def test_the_page_on_trust_shows_the_results_and_all_held() -> None:
    from run import PAGE, section

    assert section() in PAGE.read_text(), "run benchmarks/trust/run.py --page"
    assert "**broken**" not in section()


def test_every_artifact_has_a_row_and_every_row_a_letter_a_change() -> None:
    pytest.importorskip("monai")
    from artifacts import ARTIFACTS
    from repeats import CHANGES, EXPECTED, EXPECTED_OF_LOADERS, LOADER_CHANGES, WORDS, rows

    assert list(EXPECTED) == list(ARTIFACTS)
    for expected, changes in ((EXPECTED, CHANGES), (EXPECTED_OF_LOADERS, LOADER_CHANGES)):
        for _, letters in rows(expected, list(changes)):
            assert set(letters.values()) <= set(WORDS)


def test_an_artifact_that_changes_breaks_the_check() -> None:
    from determinism import otherwise
    from repeats import EXPECTED

    before = dict.fromkeys(EXPECTED, "one")
    assert otherwise("hash", before, before) == []
    changed = {**before, "phantom": "other"}
    assert otherwise("hash", before, changed) == ["phantom: differs"]
    wrong = otherwise("rank", before, before)  # a rank that draws what rank 0 draws
    assert "donors: torchvision: same" in wrong and not any(one.startswith("phantom") for one in wrong)


def test_skewed_and_tied_draws_are_noticed() -> None:
    """The statistics of draws.py can fail."""
    pytest.importorskip("monai")
    import numpy as np
    from draws import ALPHA, independent, information, neighbours, uniform

    rng = np.random.default_rng(0)
    fair = rng.integers(0, 7, 20_000)
    assert uniform(fair, 7) > ALPHA and neighbours(fair) > ALPHA
    assert uniform(fair, 6) == 0
    skewed = np.where(rng.random(20_000) < 0.05, 0, fair)
    assert uniform(skewed, 7) < ALPHA
    tied = fair.copy()
    tied[1::2] = np.where(rng.random(10_000) < 0.1, tied[::2], tied[1::2])
    assert neighbours(tied) < ALPHA
    assert independent(fair[1:], (fair[:-1] + fair[1:]) % 2) < ALPHA
    assert information(fair, fair) > 2.7 and information(fair, np.zeros(20_000, int)) == 0
