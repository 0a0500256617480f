"""What the phantom's scanners burn in around the sector: text, rulers, grey bars, logos, an ECG."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sectoraug.phantom.hearts import sine_of

Canvas = NDArray[np.uint8]

# Letters of 3 x 5 pixels: a digit a row, its bits the row's pixels.
_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .:-/%^+,"
_SHAPES = (
    "25755 65656 34443 65556 74647 74644 34553 55755 72227 11152 55655 44447 57755 65555 25552 "
    "65644 25563 65655 34216 72222 55557 55552 55775 55255 55222 71247 75557 26227 71747 71317 "
    "55711 74717 74757 71111 75757 75717 00000 00002 02020 00700 11244 51245 25000 02720 00024"
)
_LETTERS = dict(zip(_CHARACTERS, _SHAPES.split(), strict=True))

_NAMES = (
    "DOE^JANE",
    "ROE^RICHARD",
    "MUSTER^MAX",
    "DUPONT^MARIE",
    "BLOGGS^JO",
    "ROSSI^ANNA",
    "SPECIMEN^A",
    "NOVAK^JAN",
)

# A layout is a list of elements: kind, x, y (in 112ths of the frame; negative from the far side), then
#   text: grey level, lines; {..} are filled in for each image
#   ruler: grey level, ticks, step, side the ticks point to (-1 left, 1 right)
#   bar: width, height of a grey scale, bright end at the top
#   logo: grey level, one of the shapes
#   menu: grey level, width, height: a row of buttons
#   ecg: grey level, width, height
Layout = tuple[tuple[Any, ...], ...]
LAYOUTS: dict[str, Layout] = {
    "aster": (
        ("text", 2, 2, 210, "{name}\nGEN THI\nS"),
        ("ruler", -4, 42, 190, 11, 5, -1),
        ("text", -25, 6, 170, "CRD P21\nMI {mi}\nTIS {ti}"),
        ("menu", 14, -7, 90, 84, 6),
        ("logo", 72, 3, 220, "disc"),
    ),
    "boreal": (
        ("bar", 2, 14, 3, 26),
        ("text", -31, 2, 200, "{name}"),
        ("ruler", -8, 16, 230, 10, 9, 1),
        ("ecg", 4, -16, 104, 12, 200),
        ("text", 2, 2, 180, "FR {fr}HZ\n{depth}CM"),
    ),
    "cobalt": (
        ("logo", 3, 3, 240, "wave"),
        ("text", 2, 14, 160, "2D\n{gain}%\nC {c}\nP LOW\nHPEN"),
        ("ruler", 2, 58, 200, 9, 6, 1),
        ("text", -23, -8, 230, "{hr}BPM"),
        ("bar", -5, 6, 3, 34),
    ),
    "dune": (
        ("menu", 0, 0, 60, 112, 8),
        ("text", 2, 2, 250, "{name}  {date}"),
        ("ecg", 4, -14, 60, 11, 230),
        ("text", -27, -14, 190, "MI:{mi}\nHR {hr}"),
        ("ruler", -3, 20, 140, 40, 2, -1),
    ),
    "ember": (
        ("text", -35, 2, 190, "{name}\n{date}"),
        ("bar", -5, 18, 3, 30),
        ("ruler", 3, 14, 210, 12, 8, 1),
        ("logo", 3, 3, 200, "square"),
        ("text", 2, -20, 170, "FR {fr}\nMI {mi}\n{depth}CM"),
    ),
    "fjord": (
        ("ecg", 4, -12, 104, 10, 240),
        ("text", 2, 2, 220, "TIS {ti}\nMI {mi}\n{hr} HR"),
        ("ruler", 2, 24, 160, 14, 6, 1),
        ("logo", -12, 3, 230, "disc"),
        ("bar", -5, 22, 3, 22),
    ),
    "grove": (
        ("menu", 20, -8, 110, 72, 7),
        ("text", 2, 2, 180, "{name}"),
        ("text", 2, 12, 150, "C {c}\nG {gain}"),
        ("ruler", -6, 14, 220, 8, 11, 1),
        ("logo", -14, 3, 240, "wave"),
    ),
    "harbor": (
        ("bar", 3, 40, 4, 30),
        ("text", 2, 2, 230, "{date}\n{name}"),
        ("text", -27, 2, 160, "FR {fr}HZ\nP {c}%"),
        ("ruler", -3, 18, 180, 28, 3, -1),
        ("ecg", 40, -11, 68, 9, 190),
    ),
}


class Overlay:
    """One image's or clip's burned-in pixels: all that stands still, drawn once, and an ECG that moves.

    `rng` fills in the numbers and names; positions move by up to a pixel or two.
    """

    def __init__(
        self, layout: str, size: tuple[int, int], rng: np.random.Generator, contrast: float = 1.0
    ) -> None:
        height, width = size
        self._letter = max(1, min(size) // 112)
        self._units = height / 112, width / 112
        self._canvas = np.zeros(size, np.uint8)
        self._ecg: list[tuple[int, int, int, int, int]] = []
        words = _words(rng)
        sway_x, sway_y = (rng.integers(-1, 2, 2) * self._letter).tolist()
        brightness = contrast * (0.8 + 0.2 * rng.random())
        for kind, x, y, *rest in LAYOUTS[layout]:
            column = round(x * self._units[1]) + (width if x < 0 else 0) + sway_x
            row = round(y * self._units[0]) + (height if y < 0 else 0) + sway_y
            if kind == "text":
                self._text(column, row, int(rest[0] * brightness), rest[1].format(**words))
            elif kind == "ruler":
                self._ruler(column, row, int(rest[0] * brightness), *rest[1:])
            elif kind == "bar":
                self._bar(column, row, rest[0], rest[1], brightness)
            elif kind == "logo":
                self._logo(column, row, int(rest[0] * brightness), rest[1])
            elif kind == "menu":
                self._menu(column, row, int(rest[0] * brightness), *rest[1:])
            else:
                across, down = round(rest[0] * self._units[1]), round(rest[1] * self._units[0])
                self._ecg.append((column, row, across, down, int(rest[2] * brightness)))

    def frame(self, beats: float) -> Canvas:
        """The burned-in pixels (H, W) uint8 after so many heartbeats, 0 where there are none."""
        if not self._ecg:
            return self._canvas
        canvas = self._canvas.copy()
        for column, row, across, down, level in self._ecg:
            # Five beats fill the strip; the newest part overwrites the oldest, behind a gap.
            newest = int(beats / 5 * across) % across
            drawn = np.flatnonzero((np.arange(across) - newest - 1) % across >= max(3, across // 16))
            rows = row + _ecg_trace(across, down)[:, drawn]
            columns = np.broadcast_to(column + drawn, rows.shape)
            inside = (rows >= 0) & (rows < canvas.shape[0]) & (columns >= 0) & (columns < canvas.shape[1])
            canvas[rows[inside], columns[inside]] = level
        return canvas

    def _box(self, column: int, row: int, width: int, height: int) -> Canvas:
        """A view of what of this box is on the canvas."""
        return self._canvas[max(row, 0) : max(row + height, 0), max(column, 0) : max(column + width, 0)]

    def _stamp(self, column: int, row: int, stamp: NDArray[np.bool_], level: int) -> None:
        box = self._box(column, row, stamp.shape[1], stamp.shape[0])
        top, left = max(-row, 0), max(-column, 0)
        box[stamp[top : top + box.shape[0], left : left + box.shape[1]]] = level

    def _text(self, column: int, row: int, level: int, lines: str) -> None:
        longest = max(len(line) for line in lines.split("\n"))
        column = min(column, self._canvas.shape[1] - 4 * longest * self._letter)
        for line in lines.split("\n"):
            if line:
                self._stamp(column, row, _line_of_text(line, self._letter), level)
            row += 7 * self._letter

    def _ruler(self, column: int, row: int, level: int, ticks: int, step: float, points: int) -> None:
        thick = self._letter
        for k in range(ticks):
            long = (3 if k % 5 == 0 else 2) * thick
            left = column if points > 0 else column - long + thick
            self._box(left, row + round(k * step * self._units[0]), long, thick)[...] = level

    def _bar(self, column: int, row: int, width: int, height: int, brightness: float) -> None:
        tall = round(height * self._units[0])
        shades = np.rint(255 * brightness * (1 - np.arange(tall) / tall)).astype(np.uint8)
        box = self._box(column, row, round(width * self._units[1]), tall)
        box[...] = shades[max(-row, 0) :][: box.shape[0], None]

    def _logo(self, column: int, row: int, level: int, shape: str) -> None:
        n = 8 * self._letter
        y, x = (np.mgrid[:n, :n] + 0.5) / n - 0.5
        if shape == "disc":
            stamp = x * x + y * y < 0.16
        elif shape == "square":
            stamp = np.maximum(np.abs(x), np.abs(y)) > 0.26
        else:
            stamp = np.abs(y - 4 * x * (0.25 - x * x) * 2.2) < 0.16
        self._stamp(column, row, stamp, level)

    def _menu(self, column: int, row: int, level: int, width: int, height: int) -> None:
        box = self._box(column, row, round(width * self._units[1]), round(height * self._units[0]))
        box[...] = level // 2
        box[:: max(box.shape[0] - 1, 1)] = level
        box[:, :: max(box.shape[1] // 5, 1)] = level


def _words(rng: np.random.Generator) -> dict[str, object]:
    draws = [int(v) for v in rng.integers(0, 1 << 16, 9)]
    return {
        "name": _NAMES[draws[0] % len(_NAMES)],
        "mi": f"{draws[1] % 2}.{draws[1] // 2 % 10}",
        "ti": f"{draws[2] % 3}.{draws[2] // 3 % 10}",
        "fr": 30 + draws[3] % 60,
        "depth": 10 + draws[4] % 12,
        "gain": 40 + draws[5] % 40,
        "c": 30 + draws[6] % 40,
        "hr": 50 + draws[7] % 60,
        "date": f"{1 + draws[8] % 28:02d}/{1 + draws[8] // 28 % 12:02d}/{draws[8] // 336 % 30:02d}",
    }


@lru_cache(maxsize=512)
def _line_of_text(line: str, letter: int) -> NDArray[np.bool_]:
    stamp = np.zeros((5, 4 * len(line)), np.bool_)
    for k, character in enumerate(line):
        for row, bits in enumerate(_LETTERS[character]):
            for column in range(3):
                stamp[row, 4 * k + column] = int(bits) >> (2 - column) & 1
    return stamp.repeat(letter, 0).repeat(letter, 1)


@lru_cache(maxsize=64)
def _ecg_trace(across: int, down: int) -> NDArray[np.intp]:
    """Rows of the trace in each column of the strip, (k, across): a beat's lines, five beats wide."""
    levels = [_ecg_level(5 * column / across) for column in range(across)]
    rows = [round((1 - level) * (down - 1)) for level in levels]
    steps = [range(min(a, b), max(a, b) + 1) for a, b in zip(rows, [rows[0], *rows[:-1]], strict=True)]
    tallest = max(len(step) for step in steps)
    return np.array([[step[min(k, len(step) - 1)] for step in steps] for k in range(tallest)], np.intp)


def _ecg_level(phase: float) -> float:
    """P, QRS and T waves as a share of the strip's height; the R wave is at phase 0."""
    phase -= phase // 1
    level = 0.25
    for middle, half, height in (
        (0.0, 0.05, 0.75),
        (0.08, 0.04, -0.2),
        (0.36, 0.12, 0.22),
        (0.82, 0.07, 0.14),
    ):
        away = abs(phase - middle)
        away = min(away, 1 - away) / half
        if away < 1:
            level += height * sine_of(0.25 * (1 - away))
    return min(max(level, 0.0), 1.0)
