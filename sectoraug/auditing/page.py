"""The report as one HTML page: words first, then plots, then how; nothing is fetched and nothing runs."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sectoraug import __version__
from sectoraug.auditing import words
from sectoraug.auditing.findings import Findings
from sectoraug.auditing.model_answers import ModelAudit
from sectoraug.pool.disk import owner_only, synced, under_way

_LISTED = 20
"""Pairs, images and donors of a list."""


def write_page(
    report: Findings, path: Path, thumbnails: Mapping[int, bytes], remarks: Sequence[str] = ()
) -> None:
    """Write it whole or not at all."""
    page = render(report, thumbnails, remarks)
    with under_way(path) as folder:
        part = folder / path.name
        with open(part, "x", encoding="utf-8", errors="backslashreplace", opener=owner_only) as file:
            file.write(page)
        synced(part)
        part.replace(path)


def render(report: Findings, thumbnails: Mapping[int, bytes], remarks: Sequence[str] = ()) -> str:
    """The page; whatever names of files hold stands there as text."""
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError as error:
        raise ImportError('the page needs jinja2: pip install "sectoraug[audit]".') from error
    folder = os.fspath(Path(__file__).parent / "page_files")
    environment = Environment(
        loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    images = {i: base64.b64encode(png).decode() for i, png in thumbnails.items()}
    return environment.get_template("report.html").render(
        report=report,
        version=__version__,
        today=date.today().isoformat(),
        remarks=remarks,
        titles=words.TITLES,
        verdict=words.verdict(report),
        advice=words.advice(report),
        limits=words.limits(report),
        styles=_styles(report, images),
        cells=_cells(report),
        outline=outline_path(report.sector_share >= 0.5),
        lists=_lists(report),
        flips=[] if report.model is None else _flips(report.model),
        hanging=[] if report.model is None else _hanging(report, report.model),
        donors=[] if report.model is None else _donors(report, report.model),
    )


def _styles(report: Findings, thumbnails: Mapping[int, str]) -> list[dict[str, Any]]:
    table = report.styles.table
    shares = table / np.maximum(table.sum(1, keepdims=True), 1)
    model = report.model
    return [
        {
            "n": int(table[:, k].sum()),
            "counts": list(zip(table[:, k].tolist(), shares[:, k].tolist(), strict=True)),
            "accuracy": None if model is None else model.accuracy_by_style.get(k),
            "thumbnails": [thumbnails[i] for i in report.styles.examples[k].tolist() if i in thumbnails],
        }
        for k in range(table.shape[1])
    ]


def _cells(report: Findings) -> list[tuple[int, int, float]]:
    """Column, row and depth of colour of the places that tell something."""
    most = report.places.max()
    rows, columns = np.nonzero(report.places)
    return [(int(x), int(y), float(report.places[y, x] / most)) for y, x in zip(rows, columns, strict=True)]


def outline_path(inside: NDArray[np.bool_]) -> str:
    """An SVG path around the places."""
    padded = np.pad(inside, 1)
    flat = [f"M{x - 1} {y}h1" for y, x in np.argwhere(padded[1:] != padded[:-1])]
    upright = [f"M{x} {y - 1}v1" for y, x in np.argwhere(padded[:, 1:] != padded[:, :-1])]
    return "".join(flat + upright)


def _lists(report: Findings) -> list[dict[str, Any]]:
    twins, names, groups = report.twins, report.names, report.group_names
    found = [
        ("Nearly the same image in different splits", [(names[a], names[b]) for a, b in twins.across_splits]),
        (
            "Nearly the same image with different labels",
            [(names[a], names[b]) for a, b in twins.across_labels],
        ),
        ("Nearly the same image in different groups", [(names[a], names[b]) for a, b in twins.pairs]),
        (
            "Groups that share writing which no third group has",
            [(groups[a], groups[b]) for a, b, _ in twins.shared_letters],
        ),
    ]
    return [{"title": title, "n": len(pairs), "pairs": pairs[:_LISTED]} for title, pairs in found if pairs]


def _flips(model: ModelAudit) -> list[dict[str, Any]]:
    return [
        {
            "kind": kind,
            "share": each.share,
            "low": each.interval[0],
            "high": each.interval[1],
            "change": each.mean_change,
            "n": each.n_swaps,
        }
        for kind, each in model.flips.items()
    ]


def _hanging(report: Findings, model: ModelAudit) -> list[dict[str, Any]]:
    """The images whose answer changes most often with the background."""
    shares = np.nan_to_num(model.flips_of_image)
    order = np.argsort(-shares, kind="stable")[:_LISTED]
    return [
        {
            "name": report.names[model.images[k]],
            "share": shares[k],
            "low": model.interval_of_image[k, 0],
            "high": model.interval_of_image[k, 1],
        }
        for k in order
        if shares[k] > 0
    ]


def _donors(report: Findings, model: ModelAudit) -> list[dict[str, Any]]:
    worst = list(model.flips_of_donor.items())[:_LISTED]
    return [{"name": report.names[i], "share": share, "n": n} for i, (share, n) in worst if share > 0]
