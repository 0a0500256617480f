"""Links, loops, FIFOs and devices where clips are expected."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from fuzzing.confined import Broken, Case
from fuzzing.in_process import command, masks


def _archive(put: Callable[[Path], object], words: tuple[object, ...], folder: Path) -> str:
    """`masks` over a folder with a good clip and what `put` puts beside it."""
    import sectoraug as sa

    place = folder / "in"
    place.mkdir()
    np.save(place / "good.npy", sa.phantom.make_clip(frames=4, size=(64, 64), seed=0).frames)
    put(place)
    return masks([place], folder / "out", good="good.npy", words=words)


def _fifos(place: Path) -> None:
    for ending in ("png", "dcm", "npz", "mkv", "nii.gz", "tif", "webp"):
        os.mkfifo(place / f"a.{ending}")


def _fifo_among_stills(place: Path) -> None:
    import cv2

    (place / "stills").mkdir()
    for k in range(3):
        cv2.imwrite(str(place / "stills" / f"{k}.png"), np.full((64, 64), 40 * k + 9, np.uint8))
    os.mkfifo(place / "stills" / "9.png")
    os.symlink("/dev/zero", place / "stills" / "8.png")


def _devices(place: Path) -> None:
    for name in ("zero", "random", "null", "stdin", "tty"):
        os.symlink(f"/dev/{name}", place / f"{name}.dcm")
        os.symlink(f"/dev/{name}", place / f"{name}.npy")


def _loops(place: Path) -> None:
    os.symlink("b.npy", place / "a.npy")
    os.symlink("a.npy", place / "b.npy")
    os.symlink(".", place / "here")
    os.symlink("..", place / "above")
    os.symlink("/", place / "root")
    (place / "sub").mkdir()
    os.symlink("..", place / "sub" / "back")


def _links_out(place: Path) -> None:
    outside = place.parent / "outside"
    outside.mkdir()
    np.save(outside / "secret.npy", np.zeros((3, 64, 64), np.uint8))
    os.symlink(outside, place / "folder")
    os.symlink("/nowhere/at.npy", place / "broken.npy")


def _no_link_was_followed(folder: Path) -> str:
    said = _archive(_links_out, (), folder)
    if "secret" in (folder / "out" / "manifest.jsonl").read_text():
        raise Broken("a link to a folder outside was followed")
    return said


def _given(make: Callable[[Path], object], *words: str) -> Case:
    """A command to which something that is no file is given."""

    def case(folder: Path) -> str:
        from fuzzing.in_process import _one_sentence

        make(folder / "it.npy")
        np.save(folder / "good.npy", np.zeros((3, 8, 8), np.uint8))
        return _one_sentence(*command(*(str(folder / w[1:]) if w.startswith("@") else w for w in words)))

    return case


def _loop(path: Path) -> None:
    os.symlink(path.name, path)


def _function(name: str, make: Callable[[Path], object], ending: str, folder: Path) -> str:
    import sectoraug as sa
    from sectoraug.workbench.formats.drawn import read_drawn

    make(folder / f"it{ending}")
    path = folder / f"it{ending}"
    if name == "read_clip":
        sa.read_clip(path)
    elif name == "read_clip of a folder":
        sa.read_clip(folder)
    elif name == "drawn":
        read_drawn(path, "", path)
    else:
        sa.BackgroundPool.from_files([path], [path], size=(8, 8), progress=False)
    return "done"


_MASKS = ("masks", "@it.npy", "--out", "@out", "--no-progress")
PLACES: dict[str, Case] = {
    "FIFOs in an archive": partial(_archive, _fifos, ()),
    "a FIFO and a device among the stills of a clip": partial(
        _archive, _fifo_among_stills, ("--folders-are-clips",)
    ),
    "devices in an archive": partial(_archive, _devices, ()),
    "loops of links in an archive": partial(_archive, _loops, ()),
    "links out of an archive": _no_link_was_followed,
    "a FIFO given to masks": _given(os.mkfifo, *_MASKS),
    "a loop given to masks": _given(_loop, *_MASKS),
    "a device given to masks": _given(partial(os.symlink, "/dev/zero"), *_MASKS),
    "a FIFO given as --drawn": _given(
        os.mkfifo, "masks", "@good.npy", "--out", "@out", "--no-progress", "--drawn", "@it.npy"
    ),
    "a loop given as --out": _given(_loop, "masks", "@good.npy", "--out", "@it.npy", "--no-progress"),
    "a FIFO given as --out": _given(os.mkfifo, "masks", "@good.npy", "--out", "@it.npy", "--no-progress"),
    **{
        f"{what}, {name} {ending}": partial(_function, name, make, ending)
        for what, make in (
            ("a FIFO", os.mkfifo),
            ("a device", partial(os.symlink, "/dev/zero")),
            ("a loop", _loop),
        )
        for name, ending in (
            ("read_clip", ".png"),
            ("read_clip", ".npz"),
            ("read_clip of a folder", ".png"),
            ("from_files", ".png"),
            ("from_files", ".npy"),
            ("drawn", ".json"),
            ("drawn", ".nii"),
            ("drawn", ".dcm"),
        )
    },
}
