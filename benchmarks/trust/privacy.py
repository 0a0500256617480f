"""Privacy: who may read what is written, what runs code, where names end up, who may ask the page."""

from __future__ import annotations

import ast
import os
import tempfile
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import crafted_files
import planted_names
import review_attacks
from every_command import make_archive, run_all
from named_damage import DAMAGED
from own_files import seen_under
from promises import Promise, main

import sectoraug as sa


def check(full: bool) -> list[Promise]:
    """Promises of docs/privacy.md and SECURITY.md."""
    warnings.simplefilter("ignore")  # what they quote is counted where it matters
    return [
        *_of_commands(full),
        *planted_names.of_errors(full),
        _of_code(),
        *_of_crafted_files(),
        *review_attacks.promises(full),
    ]


def _of_commands(full: bool) -> list[Promise]:
    """Of files that commands write, and of the names in them."""
    wide: dict[str, int] = {}
    n_paths = 0
    names: list[Promise] = []
    umasks = (0o000, 0o022) if full else (0o000,)
    for umask in umasks:
        with tempfile.TemporaryDirectory() as top:
            folder, watched = Path(top, "in"), Path(top, "watched")
            make_archive(folder, DAMAGED, full)
            with seen_under(watched, 0.01 if full else 0.1) as seen:
                said = run_all(folder, umask, watched)
            n_paths += len(seen)
            wide |= {Path(path).name: mode for path, mode in seen.items() if mode & 0o077}
            names = planted_names.of_commands(said, watched)
            assert len(said.words) == 7
    masks = " and ".join(f"{umask:03o}" for umask in umasks)
    modes = Promise(
        "All that a command or BackgroundPool.save writes is for its owner only, at any time",
        f"{n_paths} paths of 6 commands and of BackgroundPool.save under umask {masks}, looked at "
        "while they ran and afterwards, the folder for temporary files among them",
        f"{len(wide)} are not" + (f": {wide}" if wide else ""),
        not wide and bool(n_paths),
    )
    return [modes, *names]


_FORBIDDEN = {"pickle", "cPickle", "dill", "joblib", "cloudpickle", "shelve", "marshal", "yaml"}
_RUNS = {"eval", "exec", "compile", "__import__"}


def _of_code() -> Promise:
    """Of the package's source: nothing in it unpickles, evaluates text, or starts a shell."""
    found = []
    paths = list(Path(sa.__file__).parent.rglob("*.py"))
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                modules = (
                    [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
                )
                found += [(path.name, name) for name in modules if name.split(".")[0] in _FORBIDDEN]
            elif isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                given = {word.arg: ast.unparse(word.value) for word in node.keywords}
                is_unsafe = (
                    called in _RUNS
                    or called == "torch.load"
                    or called.startswith(("subprocess.", "os.system", "os.popen", "os.exec", "os.spawn"))
                    or (called in ("np.load", "numpy.load") and given.get("allow_pickle") != "False")
                    or given.get("shell") == "True"
                )
                found += [(path.name, called)] if is_unsafe else []
    return Promise(
        "The package imports no pickle, and calls no torch.load, eval, exec, shell or unpickling np.load",
        f"every import and call in {len(paths)} files",
        f"{len(found)} do" + (f": {found}" if found else ""),
        not found and len(paths) > 100,
    )


def _of_crafted_files() -> list[Promise]:
    with tempfile.TemporaryDirectory() as top:
        folder, trace = Path(top), Path(top, "it-ran")
        accepted, rude, n = [], [], 0
        for name, call in crafted_files.cases(folder, trace):
            n += 1
            try:
                call()
                accepted.append(name)
            except (OSError, ValueError, TypeError) as error:
                if not str(error).endswith(".") or "\n" in str(error):
                    rude.append(name)
        ran = trace.exists()
        n_models, taken = crafted_files.models(folder, trace)
        weights = crafted_files.own_weights(folder, trace)
        ran = ran or trace.exists()
    bad = [*accepted, *rude, *taken, *([] if weights else ["own weights"])]
    return [
        Promise(
            "No pickle in a file is run, whatever the file is called: it is refused in a sentence",
            f"{n} calls of readers and pools, {n_models} networks for `audit --model`, the own weights",
            f"{'something ran' if ran else 'nothing ran'}, {len(bad)} not refused"
            + (f": {bad}" if bad else ""),
            not ran and not bad,
        )
    ]


if __name__ == "__main__":
    main(__doc__, check)
