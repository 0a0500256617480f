"""The two verbs of every plug: it draws a donor, then it applies to an example what was drawn.

What is drawn is a small value, so that it can be kept and applied again.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Drawn:
    """What one call draws for one example."""

    donor: int | None
    """Index in the pool; None: the coin says that the example stays as it is."""
