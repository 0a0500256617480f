"""What repeats bit for bit under which change: determinism.py tries it, docs/reproducibility.md shows it.

python benchmarks/trust/repeats.py     # writes the tables into the page, where a test holds them
"""

from __future__ import annotations

from pathlib import Path

from promises import fill

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reproducibility.md"
BEGIN, END = "<!-- repeats, by benchmarks/trust/repeats.py -->\n", "<!-- end of repeats -->\n"

CHANGES = {
    "again": "run again",
    "hash": "another `PYTHONHASHSEED`",
    "threads": "2 threads",
    "avx2": "AVX2, not AVX-512",
    "lowest": "lowest versions",
    "cuda": "CUDA",
    "rank": "rank 1",
    "seed": "another `torch.manual_seed`",
}
WORDS = {"s": "same", "d": "differs", "m": "may differ", "-": "", "u": "untried"}

EXPECTED = {
    # again hash threads avx2 lowest cuda rank seed
    "swap, NumPy": "s s s s s - - -",
    "swap, tensors": "s s s s s u - -",
    "gradient of the swap": "s s s s s u - -",
    "fill: black": "s s s s s - - -",
    "fill: noise": "s s s s s - - -",
    "fill: shuffle": "s s s s s - - -",
    "fill: dim": "s s s s s - - -",
    "fill: blur": "s s s s s - - -",
    "`ReshapeSector`": "s s s s d - - -",
    "pool's folder, size kept": "s s s s s - - -",
    "pool's folder, stretched": "s s s s s - - -",
    "pool's folder, padded": "s s s s s - - -",
    "`pool.draw`": "s s s s s - - -",
    "`pool.subset`": "s s s s s - - -",
    "donors: albumentations": "s s s s s - d d",
    "donors: torchvision": "s s s s s - d d",
    "donors: MONAI": "s s s s s - d s",
    "donors: kornia, a pool": "s s s s s u d d",
    "donors: kornia, the batch": "s s s s s u d d",
    "phantom": "s s s s s - - -",
    "sectors found in clips": "s s s s d - - -",
    "sectors found in stills": "s s s s d - - -",
    "`plant_shortcut`": "s s s s s - - -",
    "audit's scores": "s s s s d - - -",
    "GradCAM, %E, %F": "s s s d s u - -",
    "`WeightedBackMixLoss`": "s s s s s u - -",
    "a training's steps": "s s d d d u - -",
    "clustering, comparison of runs": "s s s s s - - -",
    "masks by the command": "s s s s d - - -",
    "their manifest, outlines as numbers": "s s m d d - - -",
}

LOADER_CHANGES = {
    "again": ("2 workers", "2 workers", 0),
    "1 worker": ("2 workers", "1 worker", 0),
    "4 workers": ("2 workers", "4 workers", 0),
    "no workers": ("2 workers", "0 workers", 0),
    "forkserver": ("2 workers", "forkserver", 0),
    "spawn": ("2 workers", "spawn", 0),
    "persistent": ("2 workers", "persistent", 0),
    "persistent, epoch 2": ("2 workers", "persistent", 1),
}
"""Two kinds of loaders.py, and the epoch that is compared."""

EXPECTED_OF_LOADERS = {
    "albumentations": "s d d d s s s d",
    "torchvision": "s d d d s s s d",
    "MONAI": "s d d d s s s d",
}


def rows(expected: dict[str, str], changes: list[str]) -> list[tuple[str, dict[str, str]]]:
    """Each row's name, and its letter under each change."""
    return [(name, dict(zip(changes, letters.split(), strict=True))) for name, letters in expected.items()]


def table(first: str, expected: dict[str, str], changes: dict[str, str]) -> str:
    lines = [f"| {first} | {' | '.join(changes.values())} |", "|---" * (len(changes) + 1) + "|"]
    for name, letters in rows(expected, list(changes)):
        lines.append(f"| {name} | {' | '.join(WORDS[letter] for letter in letters.values())} |")
    return "\n".join(lines)


def section() -> str:
    """What stands between BEGIN and END in docs/reproducibility.md."""
    loaders = {name: name for name in LOADER_CHANGES}
    return (
        f"{table('made from one seed', EXPECTED, CHANGES)}\n\nThe donors in an epoch of a DataLoader with "
        f"2 forked workers, against another loader under the same seed:\n\n"
        f"{table('donors of', EXPECTED_OF_LOADERS, loaders)}\n"
    )


if __name__ == "__main__":
    fill(PAGE, BEGIN, section(), END)
