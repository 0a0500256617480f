"""After deid's tests of its pixel cleaner, asked of the recipes that we export: test_clean.py and
test_clean_pixel_dimensions.py. What deid saves is read again by pydicom, as a viewer would show it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from dicom_clips import as_422, make_dicom
from exchange_masks import clip_mask
from peer_row import Row
from pydicom import Dataset, dcmread
from pydicom.pixels import apply_color_lut, pixel_array
from pydicom.uid import RLELossless

from sectoraug.workbench.formats.clip_mask import ClipMask
from sectoraug.workbench.jobs.exported import to_deid

SECTOR = np.zeros((20, 30), np.uint8)
SECTOR[4:15, 6:28] = 1
SECTOR[4, 6:10] = 0  # the box is more than the sector
BOX = np.zeros(SECTOR.shape, bool)
BOX[4:15, 6:28] = True
GREY = np.random.default_rng(0).integers(1, 256, (3, 20, 30), dtype=np.uint8)
RGB = np.random.default_rng(1).integers(1, 256, (3, 20, 30, 3), dtype=np.uint8)
STILL = {"NumberOfFrames": None}
IN_PLANES = {"PlanarConfiguration": 1, "PixelData": np.moveaxis(RGB, -1, 1).tobytes()}
HALVED = {"PhotometricInterpretation": "YBR_FULL_422", "PixelData": as_422(RGB)}
SCANNER = {"Manufacturer": "Maker", "ManufacturerModelName": "M 1.5"}


class Case:
    """A DICOM file, and what deid makes of it by our recipe, `more` rules appended."""

    def __init__(self, folder: Path, frames: np.ndarray, photometric: str, tags: dict[str, Any]) -> None:
        folder.mkdir()
        self.folder = folder
        self.clip = make_dicom(folder / "clip.dcm", frames, photometric, **(SCANNER | tags))

    def mask(self, sector: np.ndarray = SECTOR) -> ClipMask:
        return clip_mask(self.folder, sector, clip=self.clip)

    def cleaned(self, recipe: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What was shown; what deid has cleaned; what is shown of what it saved."""
        from deid.dicom import DicomCleaner

        cleaner = DicomCleaner(deid=str(recipe), output_folder=str(self.folder / "cleaned"))
        assert cleaner.detect(str(self.clip))["flagged"]
        return shown(self.clip), cleaner.clean(), shown(cleaner.save_dicom())


def shown(path: str | Path) -> np.ndarray:
    """(H, W), (T, H, W), (H, W, 3) or (T, H, W, 3) uint8: grey as it shines, colours as RGB."""
    data = dcmread(path)
    pixels = pixel_array(data)
    if data.PhotometricInterpretation == "MONOCHROME1":
        return 255 - pixels
    if data.PhotometricInterpretation == "PALETTE COLOR":
        return (apply_color_lut(pixels, data) >> 8).astype(np.uint8)
    return pixels


def recipe_of(*masks: ClipMask, more: str = "") -> Path:
    recipe = masks[0].file.parent / "deid.dicom"
    to_deid(masks, recipe, progress=False)
    recipe.write_text(recipe.read_text() + more)
    return recipe


def is_cleaned(old: np.ndarray, cleaned: np.ndarray, new: np.ndarray, kept: np.ndarray = BOX) -> None:
    """`kept` of every frame is as it was, and all else is black."""
    plane = slice(-3, -1) if old.shape[-1] == 3 else slice(-2, None)
    inside = np.expand_dims(kept, -1) if old.shape[-1] == 3 else kept
    assert old.shape[plane] == kept.shape and np.any(old * inside) and np.any(old * ~inside)
    assert not np.any(cleaned * ~(inside if cleaned.ndim == old.ndim else kept)), "deid leaves text"
    assert new.shape == old.shape and np.array_equal(new * inside, old * inside), "the picture is scrambled"
    assert not np.any(new * ~inside), "blank and not black outside"


def shape(
    frames: np.ndarray, photometric: str, axes: int, compress: bool = False, **tags: Any
) -> Callable[[], None]:
    def ask() -> None:
        with tempfile.TemporaryDirectory() as top:
            case = Case(Path(top, "a"), frames, photometric, tags)
            if compress:
                data = dcmread(case.clip)
                data.compress(RLELossless)
                data.save_as(case.clip)
            old, cleaned, new = case.cleaned(recipe_of(case.mask()))
            assert cleaned.ndim == axes
            is_cleaned(old, cleaned, new)

    return ask


def in_memory() -> None:
    from deid.config import DeidRecipe
    from deid.dicom.pixels import clean_pixel_data, has_burned_pixels

    with tempfile.TemporaryDirectory() as top:
        case = Case(Path(top, "a"), RGB, "RGB", {})
        data = dcmread(case.clip)
        found = has_burned_pixels(data, deid=DeidRecipe(str(recipe_of(case.mask()))))
        cleaned = clean_pixel_data(dicom_file=data, results=found)
    is_cleaned(RGB, cleaned, cleaned)


def two_scanners() -> None:
    with tempfile.TemporaryDirectory() as top:
        cases = [
            Case(Path(top, maker), GREY, "MONOCHROME2", {"Manufacturer": maker}) for maker in ("One", "Two")
        ]
        sectors = [SECTOR, SECTOR[::-1, ::-1]]
        recipe = recipe_of(*(case.mask(sector) for case, sector in zip(cases, sectors, strict=True)))
        for case, box in zip(cases, (BOX, BOX[::-1, ::-1]), strict=True):
            is_cleaned(*case.cleaned(recipe), kept=box)


def with_own_rules(more: str, change: Callable[[np.ndarray], None], **tags: Any) -> Callable[[], None]:
    def ask() -> None:
        kept = BOX.copy()
        change(kept)
        assert not np.array_equal(kept, BOX)
        for frames, photometric in ((GREY, "MONOCHROME2"), (RGB, "RGB")):
            with tempfile.TemporaryDirectory() as top:
                case = Case(Path(top, "a"), frames, photometric, tags)
                rule = f"LABEL Own\n  equals Modality US\n{more}\n"
                is_cleaned(*case.cleaned(recipe_of(case.mask(), more=rule)), kept=kept)

    return ask


def regions() -> list[Dataset]:
    region = Dataset()
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 1, 2
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 9, 17
    return [region]


def blacken(kept: np.ndarray) -> None:
    kept[5:9, 10:20] = False  # coordinates: left, top, right, bottom
    kept[10:13, 8:12] = False  # ctpcoordinates: left, top, width, height


def keep_the_region(kept: np.ndarray) -> None:
    kept[2:17, 1:9] = True


BLACKEN = "  coordinates 10,5,20,9\n  ctpcoordinates 8,10,4,3"
FROM = "keepcoordinates from:SequenceOfUltrasoundRegions"
PEER, CLEAN, SHAPES = "deid", "test_clean.py", "test_clean_pixel_dimensions.py"


def _row(test: str, what: str, ask: Callable[[], None], refused: str = "") -> Row:
    return Row(PEER, test, what, ask, refused)


ROWS = [
    _row(f"{SHAPES}, 2d_Greyscale_image_all", "grey stills", shape(GREY[:1], "MONOCHROME2", 2, **STILL)),
    _row(f"{SHAPES}, 3d_Greyscale_cine_clip_all", "grey clips", shape(GREY, "MONOCHROME2", 3)),
    _row(f"{SHAPES}, 3d_RGB_image_all", "RGB stills", shape(RGB[:1], "RGB", 3, **STILL)),
    _row(f"{SHAPES}, 4d_RGB_cine_clip_all", "RGB clips", shape(RGB, "RGB", 4)),
    _row(SHAPES, "clips of one frame", shape(RGB[:1], "RGB", 3)),
    _row(SHAPES, "lossless compression", shape(RGB, "RGB", 4, compress=True)),
    _row(SHAPES, "compressed YBR_FULL", shape(RGB, "YBR_FULL", 4, compress=True)),
    _row(f"{CLEAN}, remove_coordinates_dicom_file", "data sets in memory", in_memory),
    _row(f"{CLEAN}, remove_multiple_filters", "scanners, each by its own box", two_scanners),
    _row(
        f"{CLEAN}, remove_multiple",
        "your own `coordinates` and `ctpcoordinates` after ours",
        with_own_rules(BLACKEN, blacken),
    ),
    _row(
        f"{CLEAN}, keepcoordinates_from",
        f"your own `{FROM}`, which keeps more than the box",
        with_own_rules(f"  {FROM}", keep_the_region, SequenceOfUltrasoundRegions=regions()),
    ),
    _row(
        SHAPES,
        "uncompressed RGB in planes: blackened, but deid writes pixels and says planes",
        shape(RGB, "RGB", 4, **IN_PLANES),
        "the picture is scrambled",
    ),
    _row(
        SHAPES,
        "uncompressed YBR_FULL: blackened, but deid writes RGB and says YBR",
        shape(RGB, "YBR_FULL", 4),
        "the picture is scrambled",
    ),
    _row(
        SHAPES,
        "uncompressed YBR_FULL_422: likewise, and not a length that readers expect",
        shape(RGB, "RGB", 4, **HALVED),
        "third larger than expected",
    ),
    _row(
        SHAPES,
        "MONOCHROME1: white outside",
        shape(GREY, "MONOCHROME1", 3),
        "blank and not black outside",
    ),
    _row(
        SHAPES,
        "PALETTE COLOR: the first colour outside",
        shape(GREY, "PALETTE COLOR", 3),
        "blank and not black outside",
    ),
]
