"""What an audit found: numbers for programs, words for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from sectoraug.auditing import words
from sectoraug.auditing.findings import Findings
from sectoraug.auditing.model_answers import ModelAudit
from sectoraug.auditing.page import write_page


class AuditReport(Findings):
    """What `audit` found. `str()` says it in words; no pixel is in it."""

    def __str__(self) -> str:
        return "\n".join(words.verdict(self) + [f"Next: {each}" for each in words.advice(self)])

    def __repr__(self) -> str:
        return f"AuditReport(n={sum(self.counts)}, labels={len(self.labels)}, tells={self.tells})"

    def to_dict(self) -> dict[str, Any]:
        """All numbers, as JSON takes them; images and groups by name, without pixels."""
        found = {
            "labels": dict(zip(self.labels, self.counts, strict=True)),
            "groups": {
                "n": self.n_groups,
                "given": self.groups_given,
                "of_label": dict(zip(self.labels, self.groups_of_label, strict=True)),
            },
            "seed": self.seed,
            "scores": {key: asdict(each) for key, each in self.scores.items()},
            "tells": self.tells,
            "attributes": [asdict(each) for each in self.attributes],
            "styles": self._styles(),
            "places": self.places.round(4),
            "sector_share": self.sector_share.round(4),
            "twins": self._twins(),
            "model": None if self.model is None else self._model(self.model),
            "verdict": words.verdict(self),
            "advice": words.advice(self),
            "limits": words.limits(self),
        }
        plain: dict[str, Any] = _plain(found)
        return plain

    def to_html(
        self,
        path: str | Path,
        thumbnails: Mapping[int, bytes] | None = None,
        remarks: Sequence[str] = (),
    ) -> None:
        """Write the report as one page that needs nothing else, readable by its owner only.

        Args:
            path: of the page; its folder exists.
            thumbnails: PNGs of images by their index, shown with their style; they show what was burned in,
                patients' names included. None by default.
            remarks: sentences that stand under the heading, such as what was left out of the data.
        """
        write_page(self, Path(path), thumbnails or {}, remarks)

    def _styles(self) -> dict[str, Any]:
        label, style = self.styles.worst
        return {
            "table": self.styles.table,
            "cramers_v": self.styles.cramers_v,
            "p_value": self.styles.p_value,
            "worst": {"label": self.labels[label], "style": style},
            "style_of": self.styles.style_of,
        }

    def _twins(self) -> dict[str, Any]:
        by_name = {
            key: [[self.names[a], self.names[b]] for a, b in getattr(self.twins, key)]
            for key in ("pairs", "across_labels", "across_splits")
        }
        letters = [[self.group_names[a], self.group_names[b], n] for a, b, n in self.twins.shared_letters]
        return {**by_name, "shared_letters": letters}

    def _model(self, model: ModelAudit) -> dict[str, Any]:
        found = asdict(model)
        found["images"] = [self.names[i] for i in model.images]
        found["flips_of_donor"] = {self.names[i]: each for i, each in model.flips_of_donor.items()}
        return found


def _plain(value: Any) -> Any:
    """The same of what JSON knows; NaN is None."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence):
        return [_plain(each) for each in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    return None if isinstance(value, float) and value != value else value
