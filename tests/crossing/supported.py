"""What peers' tests ask of a transform or metric, asked of ours: rows of test_peers.py and of a docs table.

`PYTHONPATH=.:tests:tests/crossing python tests/crossing/supported.py` rewrites the table.
"""

from __future__ import annotations

from pathlib import Path

import peer_albumentations
import peer_deid
import peer_exports
import peer_kornia
import peer_monai
import peer_torchvision
from peer_row import Row

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "which-plug.md"
BEGIN, END = "<!-- supported, by tests/crossing/supported.py -->\n", "<!-- end of supported -->\n"
ROWS: list[Row] = [
    row
    for module in (peer_albumentations, peer_torchvision, peer_monai, peer_kornia, peer_exports, peer_deid)
    for row in module.ROWS
]


def table() -> str:
    """A line a peer: what works, and what is refused with a sentence."""
    lines = ["| after the tests of | works | is refused |", "|---|---|---|"]
    for peer in dict.fromkeys(row.peer for row in ROWS):
        works, refused = (
            "; ".join(row.what for row in ROWS if row.peer == peer and bool(row.refused) is no)
            for no in (False, True)
        )
        lines.append(f"| {peer} | {works} | {refused} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    before, rest = PAGE.read_text().split(BEGIN)
    PAGE.write_text(before + BEGIN + table() + END + rest.split(END)[1])
