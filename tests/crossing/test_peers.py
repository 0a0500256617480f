"""Plugs, ops and metric under what peers' tests ask; recipes for deid under what deid's do."""

from __future__ import annotations

import warnings

import pytest
import torch

pytest.importorskip("torchvision")
pytest.importorskip("monai")
pytest.importorskip("torchmetrics")
pytest.importorskip("deid")

from peer_row import Row
from supported import PAGE, ROWS, table


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.peer}: {row.what}")
def test_what_peers_ask(row: Row) -> None:
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # jit's and export's own
        if not row.refused:
            row.ask()
            return
        with pytest.raises(Exception, match=".*") as caught:
            row.ask()
    said = f"{caught.typename}: {caught.value} {caught.value.__cause__}"
    assert row.refused in said


def test_the_page_says_what_is_supported() -> None:
    assert table() in PAGE.read_text(), "run tests/crossing/supported.py"
