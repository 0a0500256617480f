"""What `make_dataset` draws from, by name; tables in papers and docs rest on these."""

from __future__ import annotations

from typing import Any

DOMAINS = ("train", "shifted")

PRESETS: dict[str, dict[str, Any]] = {
    "phantom-v1": {
        # In every domain layout k and opening k are the ones tied to VIEWS[k].
        "train": {
            "layouts": ("aster", "boreal", "cobalt", "dune"),
            "sites": (0, 1, 2, 3),
            "geometries": ("fan",),
            "half_openings_deg": (32.0, 36.0, 40.0, 44.0),
            "depth_share": (0.82, 0.88),
            "gain": (0.75, 1.25),
            "reject": (0.10, 0.17),
            "noise": (0.4, 0.9),
            "haze": (0.2, 0.8),
            "shadow": (0.3, 0.9),
            "blur": (0.3, 0.9),
        },
        "shifted": {
            "layouts": ("ember", "fjord", "grove", "harbor"),
            "sites": (4, 5, 6, 7),
            "geometries": ("fan",),
            "half_openings_deg": (34.0, 38.0, 42.0, 46.0),
            "depth_share": (0.80, 0.90),
            "gain": (0.65, 1.35),
            "reject": (0.07, 0.18),
            "noise": (0.3, 0.95),
            "haze": (0.1, 0.9),
            "shadow": (0.3, 0.9),
            "blur": (0.2, 0.9),
        },
        "frames_per_patient": 8,
        "variety": 1.0,
        "contrast": 1.0,
    },
    "benchmark-v1": {
        # For tables. The shifted sites share two vendors with the training sites, tied to other views there.
        "train": {
            "layouts": ("aster", "boreal", "cobalt", "dune"),
            "sites": (0, 1, 2, 3, 4, 5),
            "geometries": ("fan",),
            "half_openings_deg": (30.0, 34.0, 38.0, 42.0),
            "depth_share": (0.82, 0.90),
            "gain": (0.75, 1.25),
            "reject": (0.10, 0.17),
            "noise": (0.4, 0.9),
            "haze": (0.2, 0.8),
            "shadow": (0.3, 0.9),
            "blur": (0.3, 0.9),
        },
        "shifted": {
            "layouts": ("dune", "ember", "boreal", "grove"),
            "sites": (6, 7, 8, 9, 10, 11),
            "geometries": ("fan", "fan", "fan", "curved"),
            "half_openings_deg": (33.0, 37.0, 41.0, 45.0),
            "depth_share": (0.74, 0.90),
            "gain": (0.60, 1.45),
            "reject": (0.06, 0.19),
            "noise": (0.3, 1.0),
            "haze": (0.1, 1.0),
            "shadow": (0.3, 1.0),
            "blur": (0.2, 1.0),
        },
        "frames_per_patient": 8,
        "variety": 1.2,
        "contrast": 1.0,
    },
}
"""What `make_dataset` draws from, by name. A published preset never changes: a new one gets a new name."""
