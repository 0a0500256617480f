"""The in/out sorting of a folder's masks: what there is to look at, and what was decided on it.

Step 2 of the mask-refinement paper (section 2.3.2): a person glances at each mask and sorts it in or out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sectoraug import checks
from sectoraug.workbench.review.ahead import Sprites
from sectoraug.workbench.review.journal import VERDICTS, Change, Journal
from sectoraug.workbench.review.tiles import PER_SPRITE, cell_of, masks_in

_LETTER = {None: "-", "in": "i", "out": "o"}


class Review:
    """The masks of a folder, their tiles and the decisions on them.

    Args:
        folder: what `sectoraug masks` has written.
        moved_to: folders of clips that are no longer where that run found them.
        default: what turning a page counts undecided masks as, "in" or "out"; None: what it was the last
            time, or "in".

    Raises:
        OSError, ValueError: the manifest or the journal is missing or damaged, or there is no mask.
    """

    def __init__(self, folder: Path, moved_to: Sequence[Path] = (), default: str | None = None) -> None:
        self.masks, self.without_mask = masks_in(folder, moved_to)
        if not self.masks:
            raise ValueError(
                f"{folder} holds no mask; expected some to look at: run `sectoraug masks` over clips first."
            )
        self.journal = Journal(folder)
        self.default = default or self.journal.last_page_verdict or "in"
        checks.choice(self.default, VERDICTS, "--default")
        self._unseen = {
            index for index, mask in enumerate(self.masks) if not any(p.exists() for p in mask.sources)
        }
        first = max(self.verdicts().find("-"), 0)
        self.sprites = Sprites(self.masks, first // PER_SPRITE)

    def verdicts(self) -> str:
        """A letter a mask: i in, o out, - undecided, x undecided and without a picture."""
        self.journal.refresh()
        letters = [_LETTER[self.journal.verdict(mask.clip, mask.digest)] for mask in self.masks]
        for index in self._unseen:
            letters[index] = "x" if letters[index] == "-" else letters[index]
        return "".join(letters)

    def decide(self, request: Any) -> None:
        """Write down what a page asks for.

        That is {"session", "how", "changes": [[index, verdict, [verdicts that it may replace]], ...]}.
        Raises TypeError, KeyError, IndexError or ValueError for a request that is not of that form.
        """
        how = checks.choice(request["how"], ("hand", "page", "undo"), "how")
        session = request["session"]
        if not isinstance(session, str) or not re.fullmatch(r"[0-9a-z]{1,32}", session):
            raise ValueError("session")
        changes = []
        for index, verdict, only_from in request["changes"]:
            if type(index) is not int or index < 0 or not {verdict, *only_from} <= {None, *VERDICTS}:
                raise ValueError("changes")
            if how == "page" and index in self._unseen:
                continue  # nobody has seen it
            mask = self.masks[index]
            changes.append(Change(mask.clip, mask.digest, verdict, tuple(only_from)))
        self.journal.append(changes, how, session)

    def tiles(self, sprite: int) -> list[dict[str, Any]]:
        """What the page needs beside a sprite's picture; raises IndexError where there is none."""
        found = []
        for place, tile in enumerate(self.sprites.get(sprite).tiles):
            index = sprite * PER_SPRITE + place
            entry = self.masks[index].entry
            assert entry.size is not None
            if tile.trouble:
                self._unseen.add(index)
            found.append(
                {
                    "size": entry.size,
                    "cell": cell_of(place, tuple(entry.size)),
                    "contours": tile.contours,
                    "trouble": tile.trouble,
                    "quality": entry.quality,
                    "note": entry.note,
                    "name": entry.source
                    + (f", part {entry.part[0]} of {entry.part[1]}" if entry.part else ""),
                }
            )
        return found
