"""COCO: run lengths bit for bit, outlines within a hundredth of a pixel, read by pycocotools itself."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from exchange_masks import SIZE, clip_mask, fans, near_the_edge, sectors
from hypothesis import given, settings

import sectoraug as sa
from sectoraug.workbench.formats import coco
from sectoraug.workbench.formats.polygons import edges_of, outline_of, polygons_of

pytest.importorskip("pycocotools")
NAME = "patient/view.dcm"


@settings(deadline=None)
@given(sectors)
def test_run_lengths_are_the_mask(sector: np.ndarray) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "a.json")
        coco.write([clip_mask(folder, sector)], file)
        assert np.array_equal(coco.read(file, NAME), sector)


@settings(deadline=None)
@given(sectors)
def test_polygons_along_pixels_are_the_mask(sector: np.ndarray) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "a.json")
        coco.write([clip_mask(folder, sector)], file, polygons=True)
        assert np.array_equal(coco.read(file, NAME), sector)
        has_holes = edges_of(sector) is None
        outline = json.loads(file.read_text())["annotations"][0]["segmentation"]
        assert isinstance(outline, dict) == has_holes  # which polygons cannot say


@settings(max_examples=25, deadline=None)
@given(fans())
def test_the_polygon_of_a_fan_is_its_outline(fan: sa.SectorGeometry) -> None:
    points = outline_of(fan, SIZE) - 0.5
    assert near_the_edge(fan, points, 0.011).all()
    assert near_the_edge(fan, (points + np.roll(points, 1, 0)) / 2, 0.011).all()
    y, x = np.mgrid[-2 : SIZE[0] + 2 : 0.7, -2 : SIZE[1] + 2 : 0.7]
    x, y = x.ravel(), y.ravel()
    clear = ~near_the_edge(fan, np.stack([x, y], 1), 0.02)
    polygon = points.astype(np.float32).reshape(-1, 1, 2)
    inside = [
        cv2.pointPolygonTest(polygon, (float(a), float(b)), False) > 0 for a, b in zip(x, y, strict=True)
    ]
    in_image = (x >= -0.5) & (x <= SIZE[1] - 0.5) & (y >= -0.5) & (y <= SIZE[0] - 0.5)
    assert np.array_equal(np.array(inside)[clear], (fan.holds(x, y) & in_image)[clear])


def test_pycocotools_opens_what_is_written(tmp_path: Path) -> None:
    from pycocotools.coco import COCO

    clips = [sa.phantom.make_clip(frames=2, size=SIZE, seed=seed) for seed in range(2)]
    masks = []
    for k, clip in enumerate(clips):
        (tmp_path / str(k)).mkdir()
        masks.append(clip_mask(tmp_path / str(k), clip.sector, name=f"p/{k}.avi"))
    for polygons in (False, True):
        coco.write(masks, tmp_path / "a.json", polygons)
        data = COCO(str(tmp_path / "a.json"))
        assert data.cats[1]["name"] == "sector"
        for each in data.anns.values():
            sector = clips[each["image_id"] - 1].sector
            assert np.array_equal(data.annToMask(each), sector)
            assert each["area"] == sector.sum()
            x, y, width, height = map(int, each["bbox"])
            assert sector[y : y + height, x : x + width].sum() == sector.sum()


def test_a_mask_with_an_outline_has_few_points(tmp_path: Path) -> None:
    fan = sa.SectorGeometry("phased", (-0.5, -0.5, 127.5, 95.5), (64, 3), (-0.7, 0.7), (4, 85))
    mask = clip_mask(tmp_path, fan.rasterise(SIZE), fan)
    ((*outline,),) = polygons_of(mask.sector, fan) or [[]]
    assert len(outline) // 2 < 100
    coco.write([mask], tmp_path / "a.json", polygons=True)
    assert (coco.read(tmp_path / "a.json", NAME) != mask.sector).mean() < 0.005


def file_of(folder: Path, *outlines: object, **image: object) -> Path:
    about = {
        "images": [{"id": 7, "file_name": NAME, "height": 8, "width": 9} | image],
        "annotations": [
            {"id": k, "image_id": 7, "category_id": 2, "segmentation": o} for k, o in enumerate(outlines)
        ],
        "categories": [{"id": 2, "name": "cone"}],
    }
    (folder / "a.json").write_text(json.dumps(about))
    return folder / "a.json"


BOX = [[1.0, 1.0, 5.0, 1.0, 5.0, 4.0, 1.0, 4.0]]


def test_files_of_other_tools(tmp_path: Path) -> None:
    expected = np.zeros((8, 9), np.uint8)
    expected[1:4, 1:5] = 1
    assert np.array_equal(coco.read(file_of(tmp_path, BOX), NAME), expected)
    counts = [9, 3, 5, 3, 5, 3, 5, 3, 36]
    assert np.array_equal(coco.read(file_of(tmp_path, {"size": [8, 9], "counts": counts}), NAME), expected)
    about = json.loads(file_of(tmp_path, BOX, BOX).read_text())
    about["annotations"][1]["category_id"] = 3
    about["categories"] = [{"id": 2, "name": "sector"}, {"id": 3, "name": "ventricle"}]
    (tmp_path / "b.json").write_text(json.dumps(about))
    assert np.array_equal(coco.read(tmp_path / "b.json", NAME), expected)


@pytest.mark.parametrize(
    ("outlines", "said"),
    [
        ((BOX, BOX), "2 annotations of one image; expected one sector"),
        (({"size": [9, 8], "counts": [72]},), "annotation that cannot be read"),
        (({"size": [8, 9], "counts": [5, 3]},), "annotation that cannot be read"),
        (({"size": [8, 9], "counts": "53"},), "annotation that cannot be read"),
        (({"size": [8, 9], "counts": "no run lengths"},), "annotation that cannot be read"),
        (({"size": [8, 9], "counts": "54o3"},), "annotation that cannot be read"),
        (([[1.0, 2.0]],), "annotation that cannot be read"),
        (([[1.0, 1.0, 1e12, 1.0, 5.0, 4.0]],), "annotation that cannot be read"),
        (([[1.0, 1.0, float("nan"), 1.0, 5.0, 4.0]],), "annotation that cannot be read"),
        ((None,), "annotation that cannot be read"),
        (([],), "annotation that cannot be read"),
    ],
)
def test_a_bad_annotation_is_one_sentence(tmp_path: Path, outlines: tuple[object, ...], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        coco.read(file_of(tmp_path, *outlines), NAME)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[" * 100_000,
        '{"images": [{"id": 1, "file_name": 3}], "annotations": []}',
        "[]",
        '{"images": [], "annotations": [{"image_id": 3}]}',
        '{"images": 3}',
    ],
)
def test_no_coco_file_is_one_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(ValueError, match=r"a\.json is no COCO file of instances; expected JSON"):
        coco.names_in(tmp_path / "a.json")


def test_a_name_twice_is_one_sentence(tmp_path: Path) -> None:
    about = json.loads(file_of(tmp_path, BOX).read_text())
    about["images"].append(about["images"][0] | {"id": 8})
    (tmp_path / "b.json").write_text(json.dumps(about))
    with pytest.raises(ValueError, match="names 1 images like another one"):
        coco.names_in(tmp_path / "b.json")
