"""The comparison from arguments to tables: what `reproduce.py` starts."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch.distributed as dist
from adapters import ADAPTERS, load_tables
from audited import audit_runs
from data import PHANTOMS, SIZES, Data, load_phantom
from figure import draw_maps
from grids import TABLES, runs_of, sweep
from methods import parse_run
from natural import ONLY, load_natural
from planted import load_planted
from planted_figure import draw_planted
from planted_table import report_planted
from ranks import rank_and_world, start_ranks
from tables import report
from tqdm import tqdm
from train import SETTINGS, finish
from whole_files import write_whole


def parse(usage: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=usage, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=(*PHANTOMS, *ADAPTERS, "planted", "natural"), default="phantom")
    parser.add_argument("--root", type=Path, help="where the real data is")
    parser.add_argument("--layout", choices=tuple(ADAPTERS), default="folders", help="of --data planted")
    parser.add_argument("--strength", type=float, default=0.95, help="of the planted shortcut, 0..1")
    parser.add_argument(
        "--least-background",
        type=float,
        default=0.0,
        help="leave planted images with less out, as a share 0..1",
    )
    parser.add_argument("--merge", nargs="+", default=[], metavar="NEW=OLD,OLD", help="labels that are one")
    parser.add_argument("--only", choices=ONLY, default="all", help="what --data natural shows")
    parser.add_argument("--labels", type=Path, help="the CSV of labels, where it is not in --root")
    parser.add_argument("--sectors", help="a folder of PNGs named as the images, or auto to find them")
    parser.add_argument("--columns", nargs="+", default=[], metavar="OURS=THEIRS", help="renamed columns")
    parser.add_argument("--classes", nargs="+", default=[], help="labels to keep, in order; all by default")
    parser.add_argument(
        "--ood", choices=tuple(ADAPTERS), help="data of another hospital, for the o.o.d. test"
    )
    parser.add_argument("--ood-root", type=Path)
    parser.add_argument("--ood-labels", type=Path)
    parser.add_argument("--ood-sectors")
    parser.add_argument("--setting", choices=tuple(SETTINGS), default="small")
    parser.add_argument("--tables", nargs="+", choices=tuple(TABLES), default=None)
    parser.add_argument("--runs", nargs="+", default=[], metavar="METHOD[@F][,FIELD=VALUE]")
    parser.add_argument("--fractions", type=float, nargs="+", default=[], help="a sweep of f ...")
    parser.add_argument("--lams", type=float, nargs="+", default=[0.0], help="... and of lambda")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    for name, kind in (("size", int), ("epochs", int), ("width", int), ("stem", str), ("layer", str)):
        parser.add_argument(f"--{name}", type=kind, help=f"instead of the setting's {name}")
    parser.add_argument("--precision", choices=("bf16", "f32"))
    parser.add_argument("--images", type=int, help="training images of the phantom; tests shrink alike")
    parser.add_argument("--shard", default="0/1", metavar="K/N", help="do every N-th run from the K-th")
    parser.add_argument("--audit", action="store_true", help="ask each network about swapped backgrounds")
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "output" / "reproduce")
    arguments = parser.parse_args()
    if arguments.data not in PHANTOMS and arguments.root is None:
        parser.error(f"--data {arguments.data} needs --root FOLDER")
    if arguments.ood and arguments.ood_root is None:
        parser.error(f"--ood {arguments.ood} needs --ood-root FOLDER")
    if arguments.tables is None:
        chosen = arguments.runs or arguments.fractions
        usual = ["planted"] if arguments.data in ("planted", "natural") else ["table1", "table2", "samples"]
        arguments.tables = [] if chosen else usual
    return arguments


def load(arguments: argparse.Namespace, size: int) -> Data:
    folder = arguments.out / "data"
    if arguments.data == "planted":
        return load_planted(arguments, size, folder)
    if arguments.data == "natural":
        return load_natural(arguments, size, folder)
    if arguments.data in ADAPTERS:
        return load_tables(arguments, size, folder)
    counts = SIZES["paper" if arguments.setting == "paper" else "small"]
    if arguments.images:
        share = arguments.images / counts["train"]
        counts = {split: max(8, round(n * share)) for split, n in counts.items()}
    return load_phantom(arguments.data, counts, size, folder)


def main(usage: str = "") -> None:
    arguments = parse(usage)
    own = ("size", "epochs", "width", "stem", "layer", "precision")
    changed = {key: getattr(arguments, key) for key in own if getattr(arguments, key) is not None}
    setting = replace(SETTINGS[arguments.setting], **changed)
    rows = [row for table in arguments.tables for row in TABLES[table]]
    rows += [parse_run(text) for text in arguments.runs]
    rows += sweep(arguments.fractions, arguments.lams)
    runs = runs_of(rows, arguments.seeds)
    shard, n_shards = map(int, arguments.shard.split("/"))
    arguments.out.mkdir(parents=True, exist_ok=True, mode=0o700)

    device = start_ranks()
    rank, n_ranks = rank_and_world()
    data = load(arguments, setting.size)
    if rank == 0:
        sizes = ", ".join(f"{name} {len(split.labels)}" for name, split in data.splits.items())
        print(f"{device.type} x {n_ranks}, {setting}; {len(runs)} runs; images: {sizes}", flush=True)
    for run in tqdm(runs[shard::n_shards], desc="runs", disable=rank > 0):
        finish(run, data, setting, arguments.out, device, arguments.workers)
    if dist.is_initialized():
        dist.destroy_process_group()
    if rank > 0:
        return
    if arguments.data in ("planted", "natural"):
        text = report_planted(arguments.out / "runs", data)
        draw_planted(arguments.out / "planted.png", arguments.out / "runs", data)
    else:
        text = report(arguments.out / "runs")
        draw_maps(arguments.out, data, setting, device)
    if arguments.audit:
        away = "neutral" if arguments.data == "planted" else "o.o.d."
        text += f"\n\n## Audit\n\n{audit_runs(arguments.out, data, setting, away)}"
    write_whole(arguments.out / "tables.md", lambda part: part.write_text(text + "\n"))
    print(f"\n{text}\n\nruns, tables and maps are in {arguments.out}")
