"""The package's rooms: which imports which, and the files that a frame and an image pass.

python tests/crossing/rooms.py     # writes them into CONTRIBUTING.md, where a test holds them
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "sectoraug"
PAGE = ROOT / "CONTRIBUTING.md"
BEGIN, END = "<!-- rooms, by tests/crossing/rooms.py -->\n", "<!-- end of rooms -->\n"
LAYERS = [
    ["checks", "categories", "draws", "progress"],
    ["swap", "fills", "evidence"],
    ["reading", "phantom"],
    ["pool", "sectors", "shortcut"],
    ["batch", "losses"],
    ["plugins", "auditing"],
    ["workbench"],
]
"""Rooms, from the ground up: a room imports its own layer and lower ones."""


def modules() -> dict[str, Path]:
    """The package's modules but its face: dotted names without `sectoraug`."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
        if name != "__init__":
            found[name] = path
    return found


def room(name: str) -> str:
    return name.split(".")[0]


def imports_of(name: str, path: Path) -> set[str]:
    """The package's own modules that a module imports, for a name its module or, of a face, the face."""
    known = set(modules())
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.ImportFrom) or not str(node.module).startswith("sectoraug"):
            continue
        for alias in node.names:
            whole = f"{node.module}.{alias.name}".removeprefix("sectoraug.")
            found.add(whole if whole in known else str(node.module).removeprefix("sectoraug").lstrip("."))
    return found & known - {name}


def rooms() -> dict[str, set[str]]:
    """Which other rooms each room imports."""
    found: dict[str, set[str]] = {name: set() for layer in LAYERS for name in layer}
    for name, path in modules().items():
        found[room(name)] |= {room(other) for other in imports_of(name, path)} - {room(name)}
    return found


def table() -> str:
    """Rooms from the ground up: files, and the rooms that each imports."""
    rows = ["| room | files | imports |", "|---|---|---|"]
    needs = rooms()
    for layer in LAYERS:
        for name in layer:
            files = sum(room(module) == name for module in modules())
            imported = ", ".join(f"`{other}`" for other in sorted(needs[name])) or "-"
            rows.append(f"| `{name}` | {files} | {imported} |")
    return "\n".join(rows)


def way(call: Callable[[], Any]) -> list[str]:
    """The package's files that a call goes through, in the order in which it first enters them."""
    import sectoraug

    call()  # what is imported or made once is made now
    seen: list[str] = []
    running = Path(sectoraug.__file__).parent  # which may be an installed copy

    def watch(frame: FrameType, event: str, _: Any) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and running in path.parents and frame.f_code.co_name != "<module>":
            name = path.relative_to(running).as_posix()
            if name not in seen:
                seen.append(name)

    sys.setprofile(watch)
    try:
        call()
    finally:
        sys.setprofile(None)
    return seen


def ways() -> str:
    """The way of a clip's frames through `sector_from_clip`, and of an image through `BackMix`."""
    import albumentations as A

    import sectoraug as sa

    clips = [sa.phantom.make_clip(seed=seed, frames=8) for seed in range(3)]
    pool = sa.BackgroundPool.from_arrays([c.frames[0] for c in clips], [c.sector for c in clips])
    train = A.Compose([sa.BackMix(pool)])
    image, sector = clips[0].frames[0], clips[0].sector
    calls = {
        "`sector_from_clip(frames)`": lambda: sa.sector_from_clip(clips[0].frames),
        "`A.Compose([BackMix(pool)])(image=image, mask=sector)`": lambda: train(image=image, mask=sector),
    }
    return "\n".join(
        f"- {name}: {', '.join(f'`{file}`' for file in way(call))}." for name, call in calls.items()
    )


def section() -> str:
    """What stands between BEGIN and END in CONTRIBUTING.md."""
    return (
        f"{table()}\n\nThe files that a call goes through, in the order in which it first enters them:\n\n"
        f"{ways()}\n"
    )


if __name__ == "__main__":
    before, rest = PAGE.read_text().split(BEGIN)
    PAGE.write_text(before + BEGIN + section() + END + rest.split(END)[1])
