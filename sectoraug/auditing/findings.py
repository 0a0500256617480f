"""What an audit found, as numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sectoraug.auditing.attributes import Attribute
from sectoraug.auditing.model_answers import ModelAudit
from sectoraug.auditing.styles import Styles
from sectoraug.auditing.told import Score
from sectoraug.auditing.twins import Twins


@dataclass(frozen=True, repr=False)
class Findings:
    """Numbers and names, no pixels."""

    labels: list[str]
    """The labels' names, sorted; everything else counts them from 0."""
    counts: list[int]
    """Images of each label."""
    groups_of_label: list[int]
    """Groups that have images of each label."""
    n_groups: int
    groups_given: bool
    """False: neighbouring images were taken for groups."""
    scores: dict[str, Score]
    """How well "background", "outline", "facts" and "sector" tell the label."""
    tells: dict[str, bool]
    """Which of background, outline and facts tell more than chance, after Holm's correction at 5%."""
    styles: Styles
    attributes: list[Attribute]
    """The riskiest first: utility times detectability."""
    places: NDArray[np.float64]
    """(24, 24), over the whole image: the share of a place's variance that goes with the label."""
    sector_share: NDArray[np.float64]
    """(24, 24), likewise: the share of images whose sector covers a place."""
    twins: Twins
    model: ModelAudit | None
    names: list[str]
    """Of the images: those given, or their indices."""
    group_names: list[str]
    seed: int
    embeddings: dict[str, NDArray[Any]] = field(default_factory=dict)
    """(N, D) of "background", "outline" and "sector", for tools that look for shortcuts in embeddings."""
