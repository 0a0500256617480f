"""Do the networks of finished runs read the background? `sa.audit` of each, on the test with the tie."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from data import Data
from frames import standardised
from methods import Run
from scipy.stats import kendalltau
from tables import mean_and_spread, read, values
from tqdm import tqdm
from train import Setting, model_of
from whole_files import write_whole

import sectoraug as sa


def audit_runs(out: Path, data: Data, setting: Setting, away: str) -> str:
    """A table: how many answers flip, whom the network follows, and what it loses from i.d. to `away`.

    Writes audits/*.json, one a run; those that are there are read.
    """
    groups = read(out / "runs")
    audits = {
        name: [_audited(out, result, data, setting) for result in tqdm(results, desc=name, leave=False)]
        for name, results in groups.items()
    }
    lines = [
        f"| method | flips, any background | other style | follows background | i.d. minus {away} |",
        "|---|---|---|---|---|",
    ]
    flips, drops = [], []
    for name, results in groups.items():
        lost = np.subtract(*(values(results, test, "accuracy") for test in ("i.d.", away)))
        shares = {
            kind: [100 * each["flips"][kind]["share"] for each in audits[name] if kind in each["flips"]]
            for kind in ("any other image", "other style")
        }
        follows = [100 * each["mirror"]["background"] for each in audits[name] if each["mirror"]]
        cells = [mean_and_spread(list(each)) for each in (*shares.values(), follows, lost)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
        flips += shares["any other image"]
        drops += list(lost)
    tau = kendalltau(flips, drops)
    return "\n".join(lines) + (
        f"\n\nPercent, mean ± standard deviation over the seeds; on the i.d. test. Over all {len(flips)} "
        f"networks, flips and loss go together by Kendall's tau {tau.statistic:.2f} (p {tau.pvalue:.2g})."
    )


def _audited(out: Path, result: dict[str, Any], data: Data, setting: Setting) -> dict[str, Any]:
    run = Run(**result["run"])
    path = out / "audits" / f"{run.file}.json"
    if path.exists():
        return json.loads(path.read_text())
    model = model_of(run, setting, len(data.classes))
    model.load_state_dict(torch.load(out / "weights" / f"{run.file}.pt", weights_only=True))
    test = data.at(run.seed).splits["i.d."]
    found = sa.audit(
        test.images,
        test.sectors,
        test.labels,
        test.patients,
        model,
        preprocess=standardised,
        n_permutations=19,
        progress=False,
    ).to_dict()["model"]
    path.parent.mkdir(exist_ok=True, mode=0o700)
    write_whole(path, lambda part: part.write_text(json.dumps(found)))
    return found
