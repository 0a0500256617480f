"""The commands over folders of changed files, options that are wrong, masks and journals that are damaged."""

from __future__ import annotations

import json
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import sectoraug as sa
from fuzzing.confined import Broken
from fuzzing.in_process import command, masks
from fuzzing.readers import mutated, valid_files
from fuzzing.values import Rng, broken

_OPTIONS = (
    ("--quality-at-least", "0"),
    ("--quality-at-least", "1.5"),
    ("--quality-at-least", "nan"),
    ("--parts", "each"),
    ("--parts", "x"),
    ("--miscounted", "keep"),
    ("--folders-are-clips",),
    ("--retry-failed",),
    ("--workers", "0"),
    ("--exclude", "/nowhere"),
    ("--engine", "x"),
    ("--timeout", "-1"),
    ("--unknown",),
    ("--reviewed-only",),
    ("--drawn", "/nowhere"),
    ("--scheduler", "x"),
)
_FORMATS = ("--coco", "--nifti", "--slicer-ultrasound", "--dicom-seg", "--deid", "--ctp")


@cache
def archive() -> Path:
    """Two clips and a still with their masks, made once; cases work on copies."""
    top = Path(tempfile.mkdtemp(prefix="fuzz-archive-"))
    (top / "in").mkdir()
    for seed in range(2):
        np.save(top / "in" / f"{seed}.npy", sa.phantom.make_clip(frames=3, size=(40, 48), seed=seed).frames)
    from dicom_clips import make_dicom

    make_dicom(top / "in" / "2.dcm", sa.phantom.make_clip(frames=3, size=(40, 48), seed=5).frames)
    command("masks", top / "in", "--out", top / "masks", "--no-progress")
    lines = (top / "masks" / "manifest.jsonl").read_text().replace(str(top), "@TOP@")
    (top / "masks" / "manifest.jsonl").write_text(lines)
    return top


def _copied(folder: Path) -> tuple[Path, Path]:
    for name in ("in", "masks"):
        shutil.copytree(archive() / name, folder / name)
    manifest = folder / "masks" / "manifest.jsonl"
    manifest.write_text(manifest.read_text().replace("@TOP@", str(folder)))
    return folder / "in", folder / "masks"


def _words(rng: Rng) -> tuple[str, ...]:
    return _OPTIONS[int(rng.integers(len(_OPTIONS)))] if rng.random() < 0.4 else ()


def _said(code: int, said: str) -> str:
    """No traceback and no bare name of an exception; an error of the arguments is typer's."""
    if "Traceback" in said or "unexpected" in said:
        raise Broken(f"the command ended with {code}: {said[-300:]}")
    if code in (0, 1) or "Usage:" in said:
        return "done"
    from sentences import fault_of

    last = said.strip().splitlines()[-1] if said.strip() else ""
    if last.startswith("[Errno"):
        return last
    fault = fault_of(ValueError(last))
    if fault:
        raise Broken(f"the command ended with {code} and {fault}: {last}")
    return last


def make_masks(rng: Rng, folder: Path) -> str:
    """`masks` over changed files, some with a drawn mask that is changed, too."""
    files = valid_files()
    (folder / "in").mkdir()
    (folder / "drawn").mkdir()
    for _ in range(2):
        name = str(rng.choice(list(files)))
        (folder / "in" / name).write_bytes(mutated(rng, files[name], files["clip.npy"]))
    words = list(_words(rng))
    if rng.random() < 0.4:
        make = _DRAWN[int(rng.integers(len(_DRAWN)))]
        ending, data = make(rng)
        (folder / "drawn" / f"{name}{ending}").write_bytes(
            mutated(rng, data, b"0123") if rng.random() < 0.5 else data
        )
        words += ["--drawn", str(folder / "drawn")]
    return masks([folder / "in"], folder / "out", words=tuple(words))


def _drawn_json(rng: Rng) -> tuple[str, bytes]:
    from fuzzing.bomb_masks import SLICER

    about = dict(SLICER)
    key = str(rng.choice(list(about)))
    about[key] = broken(rng, about[key])
    return ".json", json.dumps(about, default=str).encode()


def _drawn_png(rng: Rng) -> tuple[str, bytes]:
    plane = (rng.random((24, 32)) < 0.5).astype(np.uint8) * 255
    return ".png", cv2.imencode(".png", plane)[1].tobytes()


def _drawn_other(rng: Rng) -> tuple[str, bytes]:
    name = ("clip.nii", "clip.nii.gz", "dicom.dcm")[rng.integers(3)]
    return name[name.index(".") :], valid_files()[name]


_DRAWN = (_drawn_json, _drawn_png, _drawn_other)


def use_masks(rng: Rng, folder: Path) -> str:
    """apply, pool, export, review: over masks, a manifest or a journal that is damaged."""
    clips, kept = _copied(folder)
    if rng.random() < 0.3:
        made = command("masks", clips, "--out", kept, "--no-progress")  # what a journal's verdict is about
        _said(*made)
    files = [path for path in kept.rglob("*") if path.is_file() and not path.name.startswith(".")]
    files += [path for path in clips.iterdir() if rng.random() < 0.5]
    if rng.random() < 0.7:
        path = files[int(rng.integers(len(files)))]
        path.write_bytes(mutated(rng, path.read_bytes(), b'{"a": null, "size": [1, 2]}\n'))
    if rng.random() < 0.3:
        line = {"clip": "0" * 64, "mask": "0", "verdict": "in", "how": "hand", "session": "a", "time": 1.0}
        key = str(rng.choice(list(line)))
        line[key] = broken(rng, line[key])
        (kept / "review.jsonl").write_text(json.dumps(line, default=str) + "\n")
    way = int(rng.integers(4))
    out, words = folder / "out", _words(rng)
    if way == 0:
        done = command("apply", kept, clips, "--out", out, "--no-progress", *words)
        _check_copies(out)
    elif way == 1:
        done = command("pool", kept, clips, "--out", out, "--size", 16, 16, "--no-progress", *words)
    elif way == 2:
        done = command("review", kept, "--list", rng.choice(["in", "out", "x"]))
    else:
        done = command("export", kept, _FORMATS[int(rng.integers(6))], out, "--no-progress")
    return _said(*done)


def _check_copies(out: Path) -> None:
    if not (out / "manifest.jsonl").exists():
        return
    for line in (out / "manifest.jsonl").read_text().splitlines():
        about: dict[str, Any] = json.loads(line)
        if about["file"]:
            copied = sa.read_clip(out / about["file"], grey=True)
            if copied[:, 0, 0].any() or copied[:, 0, -1].any():
                raise Broken("the corners of a copy are not black")
    if (out / ".part").exists():
        raise Broken("half-written files are left")


def decide(rng: Rng, folder: Path) -> str:
    """What a page may send: what is not of its form is refused by the errors that the page answers."""
    from sectoraug.workbench.review.sorting import Review

    kept = folder / "masks"
    shutil.copytree(archive() / "masks", kept)
    request: dict[str, Any] = {"session": "a1", "how": "hand", "changes": [[0, "in", [None, "in", "out"]]]}
    key = str(rng.choice(list(request)))
    if rng.random() < 0.8:
        request[key] = broken(rng, request[key])
    try:
        request = json.loads(json.dumps(request))
    except (TypeError, ValueError):
        return "no JSON."
    try:
        Review(kept).decide(request)
    except (TypeError, KeyError, IndexError, ValueError):
        return "not of the form that the page sends."
    return "done"


def audited(rng: Rng, folder: Path) -> str:
    """audit of a table of labels that is damaged."""
    clips, kept = _copied(folder)
    rows = ["image,label,patient"] + [f"{k}.npy,{k % 2},{k}" for k in range(2)]
    table = folder / "labels.csv"
    table.write_bytes(mutated(rng, "\n".join(rows).encode(), b'",\n\r\0\xff'))
    words = ("audit", clips, "--masks", kept, "--labels", table, "--out", folder / "out", "--no-progress")
    return _said(*command(*words, *_words(rng)))
