"""Every command of `sectoraug`, run over one archive of made-up patients, and all that they say and write."""

from __future__ import annotations

import csv
import http.client
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from dicom_encodings import SECTOR, Encoding, header, native, write
from pydicom.dataset import Dataset

import sectoraug as sa

SIZE = (64, 64)
_FOUND = ("regions", "character set", "JPEG")  # those whose sectors are looked for, too
PLANTED = ("PLANTEDNAME", "PLANTEDID", "19340506", "PLANTEDWARD", "PLANTEDWORD")


@dataclass
class Said:
    """What commands printed, by command, and what the review's page answered."""

    words: dict[str, bytes] = field(default_factory=dict)
    pages: dict[str, bytes] = field(default_factory=dict)


def make_archive(folder: Path, broken: dict[str, Callable[[Path], object]], full: bool) -> None:
    """DICOM clips of named patients, drawn masks, labels, broken files; if `full` more, some undrawn."""
    n = 40 if full else 16
    data = sa.phantom.make_dataset(n, 0.95, size=SIZE)
    rows = []
    for i in range(n):
        name = f"p{data.patients[i]}/{i}.dcm"
        clip, drawn = folder / "clips" / name, folder / "drawn" / name.replace(".dcm", ".png")
        for path in (clip, drawn):
            path.parent.mkdir(parents=True, exist_ok=True)
        frames = np.stack([data.images[i]] * 2)
        write(clip, Encoding(lambda d, frames=frames: native(d, frames)), named_header(frames))
        cv2.imwrite(str(drawn), data.sectors[i] * np.uint8(255))
        rows.append({"image": name, "label": sa.phantom.VIEWS[data.labels[i]], "patient": data.patients[i]})
    (folder / "clips" / "broken").mkdir()
    (folder / "drawn" / "broken").mkdir()
    for k, (name, make) in enumerate(broken.items()):  # those that can be read at all go through all commands
        make(folder / "clips" / "broken" / f"{name}.dcm")
        cv2.imwrite(str(folder / "drawn" / "broken" / f"{name}.png"), SECTOR * np.uint8(255))
        if full and name in _FOUND:
            make(folder / "clips" / "broken" / f"{name}, not drawn.dcm")
        label = sa.phantom.VIEWS[k % 4]
        rows.append({"image": f"broken/{name}.dcm", "label": label, "patient": "broken"})
    with open(folder / "labels.csv", "w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def named_header(frames: np.ndarray) -> Dataset:
    """With a name, a number, a date of birth, a place and a comment that are found again."""
    data = header()
    data.NumberOfFrames, data.Rows, data.Columns = frames.shape
    data.PatientName, data.PatientID, data.PatientBirthDate = "PLANTEDNAME^A", "PLANTEDID7", "19340506"
    data.InstitutionName, data.StudyDescription = "PLANTEDWARD", "PLANTEDWORD study"
    data.OtherPatientNames, data.ImageComments = "PLANTEDNAME^B", "PLANTEDWORD comment"
    data.add_new(0x00090010, "LO", "PLANTEDWORD")
    return data


def run_all(folder: Path, umask: int, watched: Path) -> Said:
    """Run them over `folder`, which `make_archive` has filled, writing to `watched` alone."""
    said = Said()
    clips, out = folder / "clips", watched / "out"
    home, temporary = watched / "home", watched / "tmp"
    for path in (out, home, temporary):
        path.mkdir(parents=True, mode=0o700)
    places = {"HOME": str(home), "TMPDIR": str(temporary), "XDG_CACHE_HOME": str(home)}
    environment = {**os.environ, **places, "PYTHONUNBUFFERED": "1"}

    def call(name: str, *words: object) -> None:
        command = [sys.executable, "-m", "sectoraug.workbench.cli", *map(str, words)]
        done = subprocess.run(command, capture_output=True, env=environment, umask=umask, timeout=500)
        assert done.returncode in (0, 1), (name, done.stderr)
        said.words[name] = done.stdout + done.stderr

    quiet = ("--no-progress", "--workers", 1)
    masks = out / "masks"
    call("masks", "masks", clips, "--out", masks, "--drawn", folder / "drawn", *quiet)
    with _reviewing(masks, environment, umask) as (ask, talk):
        for path in ("/", "/state", "/sprites/0", "/tiles/0", "/frames/0", "/frames/9999", "/none"):
            said.pages[path] = ask(path)
        decision = {"session": "abc", "how": "hand", "changes": [[0, "in", [None]]]}
        said.pages["/decisions"] = ask("/decisions", json.dumps(decision).encode())
    said.words["review"] = b"".join(talk)
    call("apply", "apply", masks, clips, "--out", out / "copies", *quiet)
    call("pool", "pool", masks, clips, "--out", out / "pool", "--size", 32, 32, "--no-progress")
    ways = [
        word
        for way, to in (
            ("coco", "masks.json"),
            ("slicer-ultrasound", "slicer"),
            ("dicom-seg", "seg"),
            ("nifti", "nifti"),
            ("deid", "deid.recipe"),
            ("ctp", "ctp.script"),
        )
        for word in (f"--{way}", out / to)
    ]
    call("export", "export", masks, *ways, "--no-progress")
    table = ("--labels", folder / "labels.csv", "--groups", "patient")
    call("audit", "audit", "--images", clips, "--sectors", masks, "--out", out / "audit", *table, *quiet)
    saved = (
        f"import sectoraug as sa; sa.BackgroundPool.open({str(out / 'pool')!r}).save({str(out / 'again')!r})"
    )
    done = subprocess.run(
        [sys.executable, "-c", saved], capture_output=True, env=environment, umask=umask, check=True
    )
    said.words["pool.save"] = done.stdout + done.stderr
    return said


@contextmanager
def _reviewing(
    masks: Path, environment: dict[str, str], umask: int
) -> Iterator[tuple[Callable[..., bytes], list[bytes]]]:
    """A function that asks the running page, and a list that holds what was printed once it has ended."""
    talk: list[bytes] = []
    process = subprocess.Popen(
        [sys.executable, "-m", "sectoraug.workbench.cli", "review", str(masks)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        umask=umask,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    talk.append(line)
    found = re.search(rb"127\.0\.0\.1:(\d+)/\?token=(\S+)", line)
    assert found, line
    host, token = f"127.0.0.1:{found[1].decode()}", found[2].decode()
    cookie = f"sectoraug-review-{found[1].decode()}={token}"

    def ask(path: str, body: bytes | None = None) -> bytes:
        connection = http.client.HTTPConnection(host, timeout=60)
        headers = {"Cookie": cookie}
        if body is not None:
            headers |= {"Origin": f"http://{host}", "Content-Type": "application/json"}
        connection.request("GET" if body is None else "POST", path, body, headers)
        answer = connection.getresponse()
        return str(answer.getheaders()).encode() + answer.read()

    try:
        yield ask, talk
    finally:
        process.send_signal(signal.SIGINT)
        talk.extend(process.communicate(timeout=60))
