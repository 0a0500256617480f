"""Where a patient's name, number, date of birth and other header values end up."""

from __future__ import annotations

import io
import logging
import tempfile
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

from every_command import PLANTED, Said
from named_damage import DAMAGED, flipped
from promises import Promise

import sectoraug as sa

_DOCUMENTED = ("copies/clips/", "seg/")  # masked copies and DICOM SEG keep names


def of_commands(said: Said, watched: Path) -> list[Promise]:
    """Promises of what commands printed, served and wrote over an archive of named and damaged files."""
    written = [path for path in (watched / "out").rglob("*") if path.is_file() and path.name != ".lock"]
    documented = [path for path in written if str(path.relative_to(watched / "out")).startswith(_DOCUMENTED)]
    others = [path for path in written if path not in documented]
    leaks = [name for name, words in (said.words | said.pages).items() if _planted_in(words)]
    leaks += [path.name for path in others if _planted_in(path.read_bytes() + path.name.encode())]
    named = sum(bool(_planted_in(path.read_bytes())) for path in documented)
    return [
        Promise(
            "No header value of a patient's file is printed, served or written, but where the docs say so",
            f"{len(PLANTED)} values searched in the output of {len(said.words)} commands, {len(said.pages)} "
            f"answers of the review page and {len(others)} files; {len(DAMAGED)} DICOM files are damaged",
            f"{len(leaks)} places" + (f": {', '.join(leaks)}" if leaks else ""),
            not leaks and bool(others),
        ),
        Promise(
            "No promise: masked DICOM copies and DICOM SEG hold the patient's name",
            f"{len(documented)} files",
            f"{named} do",
            bool(named),
        ),
    ]


def of_errors(full: bool) -> list[Promise]:
    """Promises of what Python's readers raise for damaged files."""
    seeds = 1000 if full else 20
    made: list[Callable[[Path], Path]] = [*DAMAGED.values()]
    made += [lambda path, seed=seed: flipped(path, seed) for seed in range(seeds)]
    sentences = chains = raised = warned = 0
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    logging.getLogger().addHandler(handler)
    with tempfile.TemporaryDirectory() as folder:
        for make in made:
            path = make(Path(folder, "a.dcm"))
            log.seek(0)
            log.truncate()
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                try:
                    sa.read_clip(path)
                except Exception as error:
                    raised += 1
                    sentences += bool(_planted_in(str(error).encode()))
                    chain = "".join(traceback.format_exception(error))
                    chains += bool(_planted_in(chain.encode(errors="replace")))
            words = " ".join(str(each.message) for each in caught) + log.getvalue()
            warned += bool(_planted_in(words.encode(errors="replace")))
    logging.getLogger().removeHandler(handler)
    tried = (
        f"{len(DAMAGED)} damaged files and {seeds} with 1 to 5 bytes of their header changed; {raised} raise"
    )
    return [
        Promise(
            "No error of a reader quotes a header, in its sentence or in its whole traceback",
            tried,
            f"{sentences} sentences and {chains} tracebacks do",
            not sentences and not chains and bool(raised),
        ),
        Promise(
            "No promise: pydicom's own warnings and log, which commands silence, quote headers in Python",
            tried,
            f"{warned} files make it do so",
            bool(warned),
        ),
    ]


def _planted_in(words: bytes) -> list[str]:
    both = words + words.replace(b"\0", b"")  # UTF-16, too
    return [word for word in PLANTED if word.encode() in both]
