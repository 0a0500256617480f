"""What scanners and people draw over a sector and along its sides."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, sin

import cv2
import numpy as np
from outlines import Rng
from screens import beats, drawn_since, logo, words, write
from textures import Plane

import sectoraug as sa

Point = tuple[int, int]


def draw_along(rng: Rng, screen: Plane, shape: sa.SectorGeometry) -> Plane:
    """Rulers along sides, ticks and guides across, markers beside the apex, frames, ECGs; returns where."""
    before = screen.copy()
    for _ in range(rng.integers(1, 4)):
        ALONG[rng.integers(len(ALONG))](rng, screen, shape)
    return drawn_since(before, screen)


def draw_inside(rng: Rng, screen: Plane, sector: Plane) -> Plane:
    """Calipers, labels, dots, colour boxes, black boxes, body marks; returns where, but for the colour."""
    rows, columns = np.nonzero(sector)
    if not len(rows):
        return np.zeros(screen.shape, bool)

    def point() -> Point:
        k = rng.integers(len(rows))
        return int(columns[k]), int(rows[k])

    box = _colour(rng, screen, point) if rng.random() < 0.35 else None
    before = screen.copy()
    if box is not None:
        cv2.polylines(screen, [box], True, int(rng.integers(100, 256)), 1)
    for _ in range(rng.integers(1, 5)):
        INSIDE[rng.integers(len(INSIDE))](rng, screen, point)
    return drawn_since(before, screen)


def _on_side(shape: sa.SectorGeometry, right: bool, at: Plane, off: float) -> Plane:
    """(n, 2) points on a side, at shares of its length, so many pixels outside it."""
    if shape.apex_px is None:
        left, top, end, bottom = shape.box_px
        x = end + off if right else left - off
        return np.stack([np.full(len(at), x), top + at * (bottom - top)], 1)
    angle, sign = shape.angles_rad[right], 1 if right else -1
    radius = shape.radii_px[0] + at * shape.depth_px
    x = shape.apex_px[0] + radius * sin(angle) + sign * off * cos(angle)
    y = shape.apex_px[1] + (radius * cos(angle) - sign * off * sin(angle)) / shape.pixel_aspect
    return np.stack([x, y], 1)


def _ruler_along(rng: Rng, screen: Plane, shape: sa.SectorGeometry) -> None:
    at = np.arange(rng.uniform(0, 0.1), rng.uniform(0.6, 1.1), rng.uniform(0.01, 0.1))
    right, off = bool(rng.integers(2)), rng.uniform(-4, 16)
    if rng.random() < 0.5:  # on the side itself, from the skin to the last depth
        at, off = np.linspace(0, 1, len(at)), rng.uniform(-2, 2)
    size, grey, every = int(rng.integers(0, 3)), int(rng.integers(80, 256)), int(rng.integers(2, 11))
    slanted = rng.random() < 0.3  # ticks across the side instead of dots
    ends = _on_side(shape, right, at, off + rng.uniform(3, 12))
    for k, (x, y) in enumerate(_on_side(shape, right, at, off)):
        if slanted:
            cv2.line(screen, (int(x), int(y)), (int(ends[k, 0]), int(ends[k, 1])), grey, 1, cv2.LINE_AA)
        else:
            cv2.circle(screen, (int(x), int(y)), size + (k % every == 0), grey, -1)
        if k % every == 0 and rng.random() < 0.3:
            write(rng, screen, words(rng, 3), (int(x) + 4, int(y) + 4), grey, rng.uniform(0.25, 0.5))


def _ticks_beside(rng: Rng, screen: Plane, shape: sa.SectorGeometry) -> None:
    """An upright ruler that may touch a corner of the sector."""
    (x, y0), (_, y1) = _on_side(shape, bool(rng.integers(2)), np.array([0.0, 1.0]), rng.uniform(-6, 30))
    if shape.apex_px is not None:
        x, y0 = shape.apex_px[0] + (x - shape.apex_px[0]) * 1.05, shape.apex_px[1]
    grey, step = int(rng.integers(80, 256)), rng.uniform(5, 45)
    long, every = int(rng.integers(2, 12)), int(rng.integers(2, 11))
    for k, y in enumerate(np.arange(max(y0, 0), min(max(y0, y1) * 1.1, screen.shape[0]), step)):
        cv2.line(screen, (int(x), int(y)), (int(x) + long * (2 if k % every == 0 else 1), int(y)), grey, 1)


def _text_across(rng: Rng, screen: Plane, shape: sa.SectorGeometry) -> None:
    ((x, y),) = _on_side(shape, bool(rng.integers(2)), rng.uniform(0, 1, 1), rng.uniform(-30, 30))
    grey, scale = int(rng.integers(100, 256)), rng.uniform(0.3, 0.9)
    for row in range(rng.integers(1, 4)):
        at = int(x - rng.integers(0, 40)), int(y + 32 * row * scale)
        write(rng, screen, words(rng, 12), at, grey, scale)


def _guide(rng: Rng, screen: Plane, shape: sa.SectorGeometry) -> None:
    """A biopsy guide: a dotted line, or two, from beside the sector through it."""
    sides = _on_side(shape, bool(rng.integers(2)), rng.uniform(0, 0.6, 1), rng.uniform(0, 60))
    (x0, y0), turn = sides[0], rng.uniform(-1.2, 1.2)
    grey, gap = int(rng.integers(80, 256)), rng.uniform(0, 14)
    for shift in (0, gap)[: rng.integers(1, 3)]:
        for r in np.arange(0, rng.uniform(0.3, 1) * screen.shape[0], rng.uniform(5, 14)):
            at = int(x0 + shift + r * sin(turn)), int(y0 + r * cos(turn))
            cv2.circle(screen, at, int(rng.integers(0, 2)), grey, -1)


def _marker(rng: Rng, screen: Plane, shape: sa.SectorGeometry) -> None:
    """The probe's marker beside the apex."""
    off = rng.uniform(-4, 40)
    ((x, y),) = _on_side(shape, bool(rng.integers(2)), rng.uniform(0, 0.12, 1), off)
    logo(rng, screen, (int(x), int(y)))


def _framed(rng: Rng, screen: Plane, shape: sa.SectorGeometry) -> None:
    """A line around the sector."""
    outlines, _ = cv2.findContours(
        shape.rasterise(screen.shape).view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    cv2.drawContours(screen, outlines, -1, int(rng.integers(40, 200)), 1)


def _ecg_on_arc(rng: Rng, screen: Plane, shape: sa.SectorGeometry) -> None:
    rows = np.flatnonzero(shape.rasterise(screen.shape).any(1))
    if not len(rows):
        return
    level = rows[-1] + rng.uniform(-0.06, 0.06) * screen.shape[0]
    points = beats(rng, screen.shape, level, rng.uniform(0.02, 0.12) * screen.shape[0])
    cv2.polylines(screen, [points], False, int(rng.integers(80, 256)), int(rng.integers(1, 3)), cv2.LINE_AA)


def _bar_beside(rng: Rng, screen: Plane, shape: sa.SectorGeometry) -> None:
    """A flat bar or panel along the top, bottom, left or right end, maybe with buttons."""
    inside = shape.rasterise(screen.shape)
    screen, inside = (screen, inside) if rng.random() < 0.7 else (screen.T, inside.T)
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    if not len(rows):
        return
    thick, gap = int(rng.integers(6, 40)), int(rng.choice([0, rng.integers(0, 8)]))
    top = rows[-1] + 1 + gap if rng.random() < 0.5 else rows[0] - gap - thick
    left, right = columns[[0, -1]] + rng.integers(-60, 61, 2)
    if rng.random() < 0.3:
        left, right = 0, screen.shape[1]
    bar = np.zeros(screen.shape, bool)
    bar[max(top, 0) : max(top + thick, 0), max(left, 0) : max(right, 0)] = True
    grey = int(rng.integers(10, 120))
    screen[bar & ~inside] = grey
    if rng.random() < 0.5:
        bar[:, :: int(rng.integers(20, 120))] = False
        screen[bar & ~inside] = min(grey + int(rng.integers(5, 60)), 255)


def _focus(rng: Rng, screen: Plane, shape: sa.SectorGeometry) -> None:
    """Arrows that point at a depth."""
    right, off = bool(rng.integers(2)), rng.uniform(-3, 20)
    for x, y in _on_side(shape, right, rng.uniform(0.1, 0.95, rng.integers(1, 4)), off):
        size = int(rng.integers(3, 12)) * (1 if right else -1)
        corners = np.array([(x, y), (x + size, y - size), (x + size, y + size)], np.int32)
        cv2.fillPoly(screen, [corners], int(rng.integers(100, 256)), cv2.LINE_AA)


def _caliper(rng: Rng, screen: Plane, point: Callable[[], Point]) -> None:
    a, b, grey = point(), point(), int(rng.integers(120, 256))
    if rng.random() < 0.5:
        cv2.line(screen, a, b, grey, 1)
    else:
        for t in np.linspace(0, 1, int(rng.integers(6, 60))):
            at = int(a[0] + t * (b[0] - a[0])), int(a[1] + t * (b[1] - a[1]))
            cv2.circle(screen, at, 0, grey, -1)
    for end in (a, b):
        cv2.drawMarker(screen, end, grey, int(rng.integers(3)), int(rng.integers(6, 16)))
    if rng.random() < 0.4:
        write(rng, screen, words(rng, 3), b, grey, rng.uniform(0.3, 0.6))


def _label(rng: Rng, screen: Plane, point: Callable[[], Point]) -> None:
    write(rng, screen, words(rng, 12), point(), int(rng.integers(120, 256)), rng.uniform(0.3, 0.9))


def _dots(rng: Rng, screen: Plane, point: Callable[[], Point]) -> None:
    """A line straight down, dotted: the middle, or a beam."""
    x, grey = point()[0], int(rng.integers(120, 256))
    for y in range(int(rng.integers(0, 50)), screen.shape[0], int(rng.integers(8, 60))):
        cv2.circle(screen, (x, y), int(rng.integers(0, 2)), grey, -1)


def _colour(rng: Rng, screen: Plane, point: Callable[[], Point]) -> Plane:
    """Flow within a box, whose corners (4, 2) come back."""
    (x0, y0), (x1, y1) = point(), point()
    lean = int(rng.normal(0, 30))
    corners = np.array([(x0 + lean, y0), (x1 + lean, y0), (x1, y1), (x0, y1)], np.int32)
    box = cv2.fillPoly(np.zeros(screen.shape, np.uint8), [corners], 1)
    blobs = cv2.resize(
        rng.random((9, 9)).astype(np.float32), screen.shape[::-1], interpolation=cv2.INTER_CUBIC
    )
    filled = (blobs > rng.uniform(0.4, 0.9)) & (box > 0)
    screen[filled] = (blobs[filled].clip(0, 1) * rng.integers(60, 220)).astype(np.uint8)
    return corners


def _covered(rng: Rng, screen: Plane, point: Callable[[], Point]) -> None:
    """A box painted over, or one of read-outs."""
    x, y = point()
    corner = x + int(rng.integers(15, 160)), y + int(rng.integers(12, 100))
    grey = int(rng.choice([0, 0, rng.integers(20, 256)]))
    cv2.rectangle(screen, (x, y), corner, grey, -1)
    for row in range(y + 12, corner[1], 18) if rng.random() < 0.5 else ():
        write(rng, screen, words(rng, 10), (x + 3, row), 255 - grey, rng.uniform(0.3, 0.5))


def _body_mark(rng: Rng, screen: Plane, point: Callable[[], Point]) -> None:
    (x, y), grey, size = point(), int(rng.integers(80, 256)), int(rng.integers(12, 45))
    for _ in range(rng.integers(1, 4)):
        axes = int(size * rng.uniform(0.3, 1)) + 1, int(size * rng.uniform(0.3, 1)) + 1
        cv2.ellipse(screen, (x, y), axes, 0, 0, 360, grey, 1, cv2.LINE_AA)
    end = int(x + rng.normal(0, size)), int(y + rng.normal(0, size))
    cv2.line(screen, (x, y), end, 255, 2)


ALONG = (
    _ruler_along,
    _ruler_along,
    _ticks_beside,
    _text_across,
    _guide,
    _marker,
    _framed,
    _ecg_on_arc,
    _bar_beside,
    _focus,
)
INSIDE = (_caliper, _label, _dots, _covered, _body_mark)
