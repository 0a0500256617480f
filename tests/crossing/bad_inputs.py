"""Bad inputs and their sentences: the cases of test_bad_inputs.py and the table of docs/bad-input.md.

`python tests/crossing/bad_inputs.py` rewrites the page.
"""

from __future__ import annotations

import json
import pickle
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import albumentations as A
import nibabel
import numpy as np
import torch
from pydicom import examples
from torchvision import tv_tensors

import sectoraug as sa
import sectoraug.plugins.monai
import sectoraug.plugins.torchvision
from sectoraug.workbench.formats.drawn import read_drawn

PAGE = Path(__file__).parents[2] / "docs" / "bad-input.md"

IMAGE = np.full((8, 8), 5, np.uint8)
SECTOR = np.zeros((8, 8), np.uint8)
SECTOR[2:6, 2:6] = 1
BACKGROUND = np.where(SECTOR, 0, 7).astype(np.uint8)
FAN = sa.SectorGeometry("phased", (0, 0, 19, 19), (9.5, 1), (-0.5, 0.5), (12, 18))
POOL = sa.BackgroundPool.from_arrays(np.stack([IMAGE, IMAGE]), np.stack([SECTOR, SECTOR]))
NAN = IMAGE.astype(np.float32)
NAN[0, 0] = np.nan
SOFT = SECTOR * np.uint8(100)
IMAGES = torch.from_numpy(IMAGE).repeat(2, 1, 1, 1)
SECTORS = torch.from_numpy(SECTOR).repeat(2, 1, 1)


def mix(image: Any = IMAGE, **data: Any) -> Any:
    return sa.BackMix(POOL)(image=image, **data)


def swap(image: Any = IMAGE, sector: Any = SECTOR, background: Any = BACKGROUND) -> Any:
    return sa.swap_background(image, sector, background)


def pool(images: Any = (IMAGE,), sectors: Any = (SECTOR,)) -> Any:
    return sa.BackgroundPool.from_arrays(list(images), list(sectors))


def swap_batch(images: Any = IMAGES, sectors: Any = SECTORS, donors: Any = IMAGES, **options: Any) -> Any:
    return sa.swap_background_batch(images, sectors, donors, **options)


def random_mix(images: Any = IMAGES, *sectors: Any, **options: Any) -> Any:
    return sa.RandomBackMix(**options)(images, *sectors)


def torchvision_mix(*sample: Any) -> Any:
    return sectoraug.plugins.torchvision.BackMix(POOL)(*sample)


def monai_mix(sample: Any) -> Any:
    return sectoraug.plugins.monai.BackMixd("image", POOL)(sample)


def colour_pool() -> sa.BackgroundPool:
    return pool([np.stack([IMAGE] * 3, 2)])


def flipped_without_key() -> Any:
    train = A.Compose([A.HorizontalFlip(p=1), sa.BackMix(POOL, sector_key="sector")])
    return train(image=IMAGE, sector=SECTOR)


def corrupt_file() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "broken.png")
        path.write_bytes(b"no image")
        sa.BackgroundPool.from_files([path], [path], size=(8, 8), progress=False)


def plant(labels: list[float], styles: list[int], sector: Any = SECTOR) -> Any:
    images, sectors = [IMAGE] * len(labels), [sector] * len(labels)
    return sa.plant_shortcut(images, sectors, labels, POOL, 0.95, styles=styles)


def ask(labels: list[int], **options: Any) -> Any:
    n = len(labels)
    groups = options.pop("groups", ["a", "a", "b", "b"][:n])
    return sa.audit([IMAGE] * n, [SECTOR] * n, labels, groups, **options)


def clip_of(frames: Any, **options: Any) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder, "clip.npy"), frames)
        return sa.read_clip(Path(folder, "clip.npy"), **options)


def cut_clip() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "clip.npz")
        np.savez(path, frames=np.zeros((9, 8, 8), np.uint8))
        path.write_bytes(path.read_bytes()[:300])
        return sa.read_clip(path)


def claims_too_much() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "view.png")
        path.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + 2 * (60_000).to_bytes(4, "big") + b"\x08\0\0\0\0")
        return sa.read_clip(path)


def read_mask(ending: str, write: Callable[[Path], Any], name: str = "") -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"view{ending}")
        write(path)
        return read_drawn(path, name, Path("view.avi"))


def coco_of(n: int) -> Callable[[Path], Any]:
    image = {"id": 1, "file_name": "view.avi", "height": 8, "width": 8}
    about = {"images": [image], "annotations": [{"image_id": 1, "segmentation": []}] * n}
    return lambda path: path.write_text(json.dumps(about))


def nifti_of(pixels: Any) -> Callable[[Path], Any]:
    return lambda path: nibabel.save(nibabel.Nifti1Image(pixels, np.eye(4)), path)


CLASS = torch.tensor([2])
UNLIKE = {"base": [0.9, 0.8, 0.9], "refined": [0.9, 0.8]}
CASES: list[tuple[str, Callable[[], Any], type[Exception]]] = [
    ("no sector in the call", lambda: mix(), ValueError),
    ("sector None", lambda: mix(mask=None), ValueError),
    ("sector all zero", lambda: mix(mask=np.zeros_like(SECTOR)), ValueError),
    ("sector of another size", lambda: mix(mask=SECTOR[:6]), ValueError),
    ("sector with soft edges", lambda: mix(mask=SOFT), ValueError),
    ("sector of another dtype", lambda: mix(mask=SECTOR.astype(np.int64)), TypeError),
    ("3-channel sector", lambda: mix(mask=np.stack([SECTOR] * 3, 2)), ValueError),
    ("sector as tensor", lambda: mix(mask=torch.from_numpy(SECTOR)), TypeError),
    ("sector left behind by a flip", flipped_without_key, ValueError),
    ("no image in the call", lambda: sa.BackMix(POOL)(mask=SECTOR), ValueError),
    ("image as tensor", lambda: swap(torch.from_numpy(IMAGE)), TypeError),
    ("image of another dtype", lambda: swap(IMAGE.astype(np.float64)), TypeError),
    ("image with NaN", lambda: swap(NAN, background=BACKGROUND.astype(np.float32)), ValueError),
    ("channels first", lambda: swap(np.zeros((3, 8, 9), np.uint8)), ValueError),
    ("background of another size", lambda: swap(background=BACKGROUND[:6]), ValueError),
    ("background of another dtype", lambda: swap(background=BACKGROUND.astype(np.float32)), ValueError),
    ("no pool", lambda: sa.BackMix([IMAGE]), TypeError),
    ("empty pool", lambda: pool([], []), ValueError),
    ("images and sectors do not pair", lambda: pool([IMAGE, IMAGE], [SECTOR]), ValueError),
    ("donors of different sizes", lambda: pool([IMAGE, IMAGE[:6]], [SECTOR, SECTOR[:6]]), ValueError),
    ("donor without sector", lambda: pool(sectors=[np.zeros_like(SECTOR)]), ValueError),
    ("donor without background", lambda: pool(sectors=[np.ones_like(SECTOR)]), ValueError),
    ("corrupt file", corrupt_file, OSError),
    ("pool of another dtype", lambda: mix(IMAGE / np.float32(255), mask=SECTOR), ValueError),
    ("pool of other channels", lambda: sa.BackMix(colour_pool())(image=IMAGE, mask=SECTOR), ValueError),
    (
        "pool of another size",
        lambda: mix(np.zeros((9, 9), np.uint8), mask=np.eye(9, dtype=np.uint8)),
        ValueError,
    ),
    ("pool_index that is no index", lambda: mix(mask=SECTOR, pool_index=0.5), TypeError),
    ("pool_index out of range", lambda: mix(mask=SECTOR, pool_index=2), ValueError),
    (
        "only the image itself in the pool",
        lambda: sa.BackMix(pool())(image=IMAGE, mask=SECTOR, pool_index=0),
        ValueError,
    ),
    ("probability out of range", lambda: sa.BackMix(POOL, p=1.5), ValueError),
    ("unknown option", lambda: sa.BackMix(POOL, missing="ignore"), ValueError),
    ("switch that is neither on nor off", lambda: sa.BackMix(POOL, match_sector=SECTOR), TypeError),
    ("name of an entry that is no text", lambda: sa.BackMix(POOL, sector_key=["mask"]), TypeError),
    ("batch: NumPy images", lambda: swap_batch(IMAGES.numpy()), TypeError),
    ("batch: images of another dtype", lambda: swap_batch(IMAGES.long()), TypeError),
    ("batch: no channel axis", lambda: swap_batch(IMAGES[:, 0]), ValueError),
    ("batch: sectors of another size", lambda: swap_batch(sectors=SECTORS[:, :6]), ValueError),
    ("batch: sectors of another dtype", lambda: swap_batch(sectors=SECTORS.int()), TypeError),
    ("batch: sectors with soft edges", lambda: swap_batch(sectors=SECTORS * 0.5), ValueError),
    ("batch: one sector for all", lambda: swap_batch(sectors=SECTORS[:1]), ValueError),
    ("batch: donors of another size", lambda: swap_batch(donors=IMAGES[..., :6]), ValueError),
    ("batch: uint8 donors for float images", lambda: swap_batch(IMAGES / 255), TypeError),
    (
        "batch: grey levels of another dtype",
        lambda: swap_batch(IMAGES / 255, donor_values=torch.arange(256)),
        TypeError,
    ),
    ("batch: more donors than images", lambda: swap_batch(donors=IMAGES.repeat(2, 1, 1, 1)), ValueError),
    ("batch: no such donor", lambda: swap_batch(donor_index=torch.tensor([0, 2])), ValueError),
    ("batch: donor_index of floats", lambda: swap_batch(donor_index=torch.zeros(2)), TypeError),
    ("batch: mixed of another dtype", lambda: swap_batch(mixed=torch.ones(2)), TypeError),
    ("batch: out is an input", lambda: swap_batch(out=IMAGES), ValueError),
    (
        "batch: out for images that need gradients",
        lambda: swap_batch((IMAGES / 255).requires_grad_(), donors=IMAGES / 255, out=IMAGES / 255),
        ValueError,
    ),
    ("RandomBackMix: no sectors", lambda: random_mix(), TypeError),
    ("RandomBackMix: None for sectors", lambda: random_mix(IMAGES, None), TypeError),
    ("torchvision BackMix: no image", lambda: torchvision_mix({"label": 1}), ValueError),
    ("torchvision BackMix: no sector", lambda: torchvision_mix(tv_tensors.Image(IMAGES[0])), ValueError),
    (
        "torchvision BackMix: two masks",
        lambda: torchvision_mix(
            tv_tensors.Image(IMAGES[0]), tv_tensors.Mask(SECTORS), tv_tensors.Mask(SECTORS)
        ),
        ValueError,
    ),
    (
        "torchvision BackMix: converted to float too early",
        lambda: torchvision_mix(tv_tensors.Image(IMAGES[0] / 255), tv_tensors.Mask(SECTORS[0])),
        ValueError,
    ),
    ("BackMixd: no sector", lambda: monai_mix({"image": IMAGES[0]}), ValueError),
    ("BackMixd: no channel axis", lambda: monai_mix({"image": IMAGE, "sector": SECTOR}), ValueError),
    ("BackMixd: a path for an image", lambda: monai_mix({"image": "a.png", "sector": SECTOR}), TypeError),
    ("BackMixd: a soft sector", lambda: monai_mix({"image": IMAGES[0], "sector": SOFT / 255}), TypeError),
    ("RandomBackMix: an array as pool", lambda: random_mix(pool=IMAGE), TypeError),
    (
        "RandomBackMix: a sector that is not there",
        lambda: sa.RandomBackMix()(IMAGES, 0 * SECTORS, has_sector=torch.tensor([True, False])),
        ValueError,
    ),
    ("a pool pickled from a device", lambda: pickle.dumps(POOL.to("cpu")), TypeError),
    (
        "ReshapeSector: the outline of another image",
        lambda: sa.ReshapeSector(p=1)(
            image=IMAGE, mask=SECTOR, geometry=sa.SectorGeometry.whole_frame((8, 8))
        ),
        ValueError,
    ),
    ("ReshapeSector: factors in the wrong order", lambda: sa.ReshapeSector((1.2, 0.8)), ValueError),
    ("along the beams: frames in a list", lambda: FAN.to_polar([IMAGE]), TypeError),
    (
        "along the beams: a tensor of integers",
        lambda: FAN.to_polar(torch.zeros(20, 20, dtype=int)),
        TypeError,
    ),
    ("along the beams: a tensor, channels last", lambda: FAN.to_polar(torch.zeros(20, 20, 3)), ValueError),
    ("along the beams: a sector elsewhere", lambda: FAN.to_polar(np.zeros((9, 20), np.uint8)), ValueError),
    ("along the beams: one depth", lambda: FAN.to_polar(np.zeros((20, 20), np.uint8), (1, 20)), ValueError),
    ("planted shortcut: fewer styles than labels", lambda: plant([0, 1, 2], [0, 1]), ValueError),
    ("planted shortcut: labels that are measured", lambda: plant([0.5, 1.5, 2.5], [0, 1]), TypeError),
    ("planted shortcut: a sector is missing", lambda: plant([0, 1], [0, 1], 0 * SECTOR), ValueError),
    ("paired runs of other lengths", lambda: sa.compare_runs(UNLIKE, paired=True), ValueError),
    ("a planted shortcut without a pool", lambda: sa.donor_styles([IMAGE], 2), TypeError),
    ("noise without a generator", lambda: sa.fills.noise(IMAGE, 7), TypeError),
    ("pool on no device", lambda: POOL.to(0.5), TypeError),
    ("scores that are no numbers", lambda: sa.compare_runs({**UNLIKE, "refined": ["high"]}), TypeError),
    ("classes beyond the logits", lambda: sa.WeightedBackMixLoss()(torch.ones(1, 2), CLASS), ValueError),
    ("loss of probabilities of another size", lambda: sa.WeightedBackMixLoss()(CLASS, CLASS), TypeError),
    ("GradCAM without a model", lambda: sa.GradCAM("resnet", "layer4"), TypeError),
    ("loss weights below zero", lambda: sa.WeightedBackMixLoss(lam=2.0, fraction=0.6), ValueError),
    ("clip that is cut off", cut_clip, OSError),
    ("still that claims 60,000 x 60,000 pixels", claims_too_much, ValueError),
    ("clip of 16 bits", lambda: clip_of(np.zeros((2, 8, 8), np.uint16)), ValueError),
    ("clip of floats", lambda: clip_of(np.zeros((2, 8, 8), np.float32)), ValueError),
    (
        "clip of floats under a wrong scale",
        lambda: clip_of(np.full((2, 8, 8), 2, np.float32), scale=255),
        ValueError,
    ),
    ("clip of no frames", lambda: clip_of(np.zeros((0, 8, 8), np.uint8)), OSError),
    (
        "clip larger than the limit",
        lambda: clip_of(np.zeros((9, 8, 8), np.uint8), limit_bytes=99),
        ValueError,
    ),
    ("no ultrasound", lambda: sa.read_clip(examples.get_path("ct")), ValueError),
    ("static clip", lambda: sa.sector_from_clip(np.zeros((4, 8, 8), np.uint8)), sa.SectorNotFound),
    ("sector: an unknown engine", lambda: sa.sector_from_image(IMAGE, engine="tflite"), ValueError),
    (
        "a mask among a clip's candidates",
        lambda: sa.sector_from_clip(np.zeros((4, 8, 8), np.uint8), candidates=[SECTOR]),
        TypeError,
    ),
    (
        "masks --drawn: COCO with two annotations of a clip",
        lambda: read_mask(".json", coco_of(2), "view.avi"),
        ValueError,
    ),
    (
        "masks --drawn: COCO without an outline",
        lambda: read_mask(".json", coco_of(1), "view.avi"),
        ValueError,
    ),
    (
        "masks --drawn: JSON of another tool",
        lambda: read_mask(".json", lambda p: p.write_text("{}")),
        ValueError,
    ),
    ("masks --drawn: NIfTI of two labels", lambda: read_mask(".nii", nifti_of(SECTOR + IMAGE)), ValueError),
    (
        "masks --drawn: NIfTI that changes over time",
        lambda: read_mask(
            ".nii", nifti_of(np.stack([SECTOR, SECTOR.T + SECTOR > 1, SECTOR[::-1] * 0], 2).astype(np.uint8))
        ),
        ValueError,
    ),
    (
        "masks --drawn: DICOM that is no SEG",
        lambda: read_mask(".dcm", lambda p: p.write_bytes(Path(examples.get_path("ct")).read_bytes())),
        ValueError,
    ),
    ("audit: one label only", lambda: ask([1, 1]), ValueError),
    ("audit: a label in one group only", lambda: ask([0, 1], groups=["a", "b"]), ValueError),
    (
        "audit: a patient in two splits",
        lambda: ask([0, 1, 0, 1], splits=["train", *["test"] * 3]),
        ValueError,
    ),
]


def sentence(call: Callable[[], Any]) -> str:
    """What a call raises, without the parts that change from run to run."""
    try:
        call()
    except Exception as error:
        return str(error).replace(tempfile.gettempdir(), "").replace("\n", " ")
    raise AssertionError("nothing was raised")


def page() -> str:
    rows = []
    for name, call, _ in CASES:
        said = sentence(call)
        # From a file's name on: the folder changes from run to run.
        said = re.sub(r"^\S*/(?=[^/\s]+ )", "", said)
        rows.append(f"| {name} | {said} |".replace("*", r"\*"))
    return (
        "# Bad input\n\n"
        "Nothing is repaired quietly. Each of these raises one sentence: what came, what was expected,\n"
        "what to do. Inputs stay as they were, and sentences name dtypes and shapes, never pixels.\n"
        "This table is made by `python tests/crossing/bad_inputs.py`; a test holds it to the code.\n\n"
        "| what came | what is said |\n|---|---|\n" + "\n".join(rows) + "\n"
    )


if __name__ == "__main__":
    PAGE.write_text(page())
