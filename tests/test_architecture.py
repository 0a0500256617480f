"""Imports go only to lower layers, host libraries stay in their plug-in, and the package imports light."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sectoraug as sa

PACKAGE = Path(sa.__file__).parent
LAYERS = [
    ["checks"],
    [
        "swap",
        "fills",
        "draws",
        "progress",
        "sectors",
        "sectors.geometry",
        "evidence.statistics",
        "evidence.clustering",
    ],
    [
        "images",
        "pool_folder",
        "pool_device",
        "pool",
        "sectors.clips",
        "sectors.clips_arrays",
        "sectors.clips_dicom",
        "sectors.clips_dicom_raw",
        "sectors.clips_images",
        "sectors.clips_nifti",
        "sectors.clips_video",
        "sectors.motion",
        "sectors.evidence",
        "sectors.oddities",
        "sectors.outline",
        "sectors.search",
        "sectors.fit",
        "sectors.net",
        "sectors.net_model",
        "sectors.finder",
        "evidence",
        "evidence.focus",
        "phantom",
        "phantom_hearts",
        "phantom_probe",
        "phantom_overlays",
    ],
    [
        "batch",
        "batch_checks",
        "batch_cpu",
        "batch_kernel",
        "losses",
        "evidence.gradcam",
        "evidence.landmarks",
        "evidence.metric",
    ],
    [
        "pool_example",
        "pool_tensor",
        "plugins",
        "plugins.albumentations",
        "plugins.kornia",
        "plugins.monai",
        "plugins.torchvision",
    ],
    [
        "workbench",
        "workbench.archive",
        "workbench.cli",
        "workbench.donors",
        "workbench.engines",
        "workbench.manifest",
        "workbench.masked_copies",
        "workbench.masked_dicom",
        "workbench.masks",
        "workbench.out_folder",
        "workbench.review",
        "workbench.review_ahead",
        "workbench.review_guard",
        "workbench.review_journal",
        "workbench.review_tiles",
        "workbench.sources",
    ],
]
HEAVY = {
    "torch",
    "triton",
    "kornia",
    "albumentations",
    "cv2",
    "scipy",
    "pydicom",
    "tqdm",
    "matplotlib",
    "numpy",
    "av",
    "nibabel",
}
HOSTS = {"albumentations", "kornia", "torchvision", "monai"}


def modules() -> dict[str, Path]:
    found = {}
    for path in PACKAGE.rglob("*.py"):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = path
    return found


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return names


def level(name: str) -> int:
    return next(i for i, layer in enumerate(LAYERS) if name in layer)


def test_every_module_has_a_layer() -> None:
    assert set(modules()) - {"__init__"} == {name for layer in LAYERS for name in layer}


def test_imports_go_down_and_make_no_cycle() -> None:
    known = set(modules())
    graph: dict[str, set[str]] = {}
    for name, path in modules().items():
        if name == "__init__":
            continue
        own = {m.removeprefix("sectoraug.") for m in imported(path) if m.startswith("sectoraug.")} & known
        assert all(level(other) <= level(name) for other in own), (name, own)
        graph[name] = own
    while graph:
        leaves = {name for name, needs in graph.items() if not needs & set(graph)}
        assert leaves, f"a cycle among {sorted(graph)}"
        graph = {name: needs for name, needs in graph.items() if name not in leaves}


def test_a_host_library_is_imported_by_its_plugin_only() -> None:
    for name, path in modules().items():
        tops = {m.split(".")[0] for m in imported(path)}
        if name.startswith("plugins."):
            tops -= {name.removeprefix("plugins.")}
        assert not tops & HOSTS, name


def test_importing_sectoraug_imports_nothing_heavy() -> None:
    code = "import sys, sectoraug; dir(sectoraug); print(*{m.split('.')[0] for m in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(loaded.stdout.split()) & HEAVY


@pytest.mark.parametrize(
    ("name", "without"), [("BackgroundPool", {"torch"}), ("swap_background", {"torch", "scipy"})]
)
def test_the_numpy_core_needs_no_torch(name: str, without: set[str]) -> None:
    code = f"import sys, sectoraug; sectoraug.{name}; print(*{{m.split('.')[0] for m in sys.modules}})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(loaded.stdout.split()) & (without | HOSTS)


def test_public_names_exist_and_have_docstrings() -> None:
    for name in sa.__all__:
        value = getattr(sa, name)
        assert name.startswith("_") or (value.__doc__ and len(value.__doc__) > 40), name
    with pytest.raises(AttributeError, match="no attribute 'Backmix'"):
        sa.Backmix  # noqa: B018


def test_examples_and_benchmarks_use_public_names_only() -> None:
    root = Path(__file__).parent.parent
    for path in [*root.glob("examples/**/*.py"), *root.glob("benchmarks/**/*.py")]:
        private = [m for m in imported(path) if re.match(r"sectoraug\.(?!plugins\.)", m)]
        if path.parent.name == "sector_net":  # it trains the network that those modules load
            private = [m for m in private if not m.startswith("sectoraug.sectors.net")]
        assert not private, (path, private)
