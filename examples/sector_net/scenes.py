"""Made-up screens of ultrasound scanners with one sector, or with several, as grabbers give them."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from marks import draw_along, draw_inside
from outlines import Rng, Size, outline
from screens import background
from severals import several
from textures import Plane, echoes_in

import sectoraug as sa

_AREA_PX = 512**2
_ASPECTS = (1, 5 / 4, 4 / 3, 4 / 3, 16 / 10, 16 / 9, 3 / 4)  # width over height
_SEVERAL = 0.25  # of the screens


class Scene(NamedTuple):
    """A screen, and what of it is echoes."""

    grey: Plane
    """(H, W) uint8"""
    sector: Plane
    """(H, W) bool: of all views, if there are several."""
    single: bool
    """Whether it is one sector, so no dual view and no strip."""
    overlay: Plane
    """(H, W) bool: what is written or drawn on it."""
    known: Plane
    """(H, W) bool: where the overlay is known; not on real screens."""


def scene(rng: Rng) -> Scene:
    """A screen with one sector; one in four with several, or a strip."""
    size = screen_size(rng)
    if rng.random() < _SEVERAL:
        echoes, areas = several(rng, size)
        screen, overlay = around(rng, echoes, areas)
        if rng.random() < 0.5:
            overlay |= draw_inside(rng, screen, areas)
        return Scene(spoiled(rng, screen), areas, False, overlay, np.ones(size, bool))
    shape = outline(rng, size)
    sector = shape.rasterise(size)
    screen, overlay = around(rng, echoes_in(rng, shape, size), sector)
    if rng.random() < 0.3:
        overlay |= draw_inside(rng, screen, sector)
    if rng.random() < 0.6:
        overlay |= draw_along(rng, screen, shape)
    return spoiled_and_cropped(rng, screen, sector, overlay, np.ones(size, bool))


def phantom_scene(rng: Rng) -> Scene:
    """A frame of the package's phantom, most on a made-up screen."""
    clip = sa.phantom.make_clip(
        str(rng.choice(sa.phantom.VIEWS)),
        1,
        (int(rng.choice([112, 160, 240])),) * 2,
        int(rng.integers(1e9)),
        vendor=str(rng.choice(sa.phantom.VENDORS)),
        geometry=str(rng.choice(["fan", "curved", "linear"])),
        half_opening_deg=rng.uniform(16, 47),
        depth_share=rng.uniform(0.6, 0.92),
        gain=rng.uniform(0.3, 1.8),
        reject=rng.uniform(0.02, 0.25),
        noise=rng.uniform(0, 1),
        haze=rng.uniform(0, 1),
        shadow=rng.uniform(0, 1),
        blur=rng.uniform(0, 1),
    )
    width, height = screen_size(rng)[::-1]
    planes = clip.frames[0], clip.sector.view(np.uint8) * 255, clip.overlay[0].view(np.uint8) * 255
    return on_other_screen(
        rng, *(cv2.resize(p, (width, height), interpolation=cv2.INTER_LINEAR) for p in planes)
    )


def on_other_screen(rng: Rng, screen: Plane, sector: Plane, overlay: Plane | None = None) -> Scene:
    """A picture moved, stretched, mirrored, half of the time onto a made-up screen.

    `sector` and `overlay`, where it is known, are 0 or 255.
    """
    blank = np.zeros_like(sector) if overlay is None else overlay
    screen, sector, written = warped(rng, screen, sector, blank)
    inside, written = sector > 127, written > 63
    known = inside | (overlay is not None)
    if rng.random() < 0.5:
        screen, written = around(rng, screen, inside)
        known = np.ones_like(inside)
    if rng.random() < 0.3:
        written |= draw_inside(rng, screen, inside)
    return spoiled_and_cropped(rng, screen, inside, written, known)


def around(rng: Rng, echoes: Plane, areas: Plane) -> tuple[Plane, Plane]:
    """Echoes on a made-up screen, and where something is written on that."""
    screen, overlay = background(rng, areas.shape)
    return np.where(areas, echoes, screen), overlay & ~areas


def screen_size(rng: Rng) -> Size:
    """(H, W) of a common aspect ratio."""
    aspect = _ASPECTS[rng.integers(len(_ASPECTS))]
    return round((_AREA_PX / aspect) ** 0.5), round((_AREA_PX * aspect) ** 0.5)


def warped(rng: Rng, *pictures: Plane) -> list[Plane]:
    """The same shift, scaling, stretching and mirroring of pictures of one size."""
    height, width = pictures[0].shape[:2]
    scale_x = rng.uniform(0.65, 1.4) * rng.choice([-1, 1])
    scale_y = abs(scale_x) * rng.uniform(0.75, 1.33)
    by_x, by_y = rng.normal(0, 0.07, 2) * (width, height)
    matrix = np.array(
        [
            [scale_x, 0, width / 2 * (1 - scale_x) + by_x],
            [0, scale_y, height / 2 * (1 - scale_y) + by_y],
        ]
    )
    return [cv2.warpAffine(p, matrix, (width, height), flags=cv2.INTER_LINEAR) for p in pictures]


def spoiled_and_cropped(rng: Rng, screen: Plane, sector: Plane, overlay: Plane, known: Plane) -> Scene:
    """A part of the screen, as grabbed."""
    part = crop(rng, sector) if rng.random() < 0.4 else np.s_[:, :]
    return Scene(spoiled(rng, screen[part]), sector[part], True, overlay[part], known[part])


def crop(rng: Rng, sector: Plane) -> tuple[slice, slice]:
    """Rows and columns around a sector, with a margin or cutting into it on any of the four sides."""
    cut = []
    for axis in (0, 1):
        here = np.flatnonzero(sector.any(1 - axis))
        if not len(here):
            return np.s_[:, :]
        first, last, length = here[0], here[-1] + 1, sector.shape[axis]
        ends = []
        for room in (first, length - last):
            inwards = rng.random() < 0.35
            ends.append(-rng.uniform(0, 0.3) * (last - first) if inwards else rng.uniform(0, 1) * room)
        cut.append(slice(max(0, round(first - ends[0])), min(length, round(last + ends[1]))))
    return cut[0], cut[1]


def spoiled(rng: Rng, screen: Plane) -> Plane:
    """A pedestal, blur, gamma, noise, few pixels, and the blocks of JPEG."""
    screen = np.ascontiguousarray(screen)
    if rng.random() < 0.3:
        screen = cv2.GaussianBlur(screen, (0, 0), rng.uniform(0.3, 2.5))
    if rng.random() < 0.5:
        levels = 255 * np.linspace(0, 1, 256) ** np.exp(rng.normal(0, 0.4)) * rng.uniform(0.5, 1)
        screen = cv2.LUT(screen, levels.astype(np.uint8))
    if rng.random() < 0.25:
        floor = rng.uniform(2, 28) + _bands(rng, screen.shape[1])
        screen = (floor + screen * (1 - floor / 255)).astype(np.uint8)
    if rng.random() < 0.15:
        screen = np.clip(screen + rng.normal(0, rng.uniform(0.5, 8), screen.shape), 0, 255).astype(np.uint8)
    height, width = screen.shape
    if rng.random() < 0.25:  # as many pixels as small files have
        share = rng.uniform(100, 260) / max(height, width)
        screen = cv2.resize(screen, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    if rng.random() < 0.4:
        _, packed = cv2.imencode(".jpg", screen, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 96))])
        screen = cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE)
    return screen


def _bands(rng: Rng, width: int) -> Plane | float:
    """(W,) grey levels: columns that a grabber gives a level or two more, or none."""
    if rng.random() < 0.6:
        return 0.0
    ends = np.sort(rng.integers(0, width, 2 * rng.integers(1, 9)))
    return rng.uniform(0.5, 2.5) * (np.searchsorted(ends, np.arange(width)) % 2)
