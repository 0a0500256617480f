"""The in/out sorting of masks: contact sheets on a page of this machine, decisions in a journal.

Step 2 of the mask-refinement paper (section 2.3.2): a person glances at each mask and sorts it in or out.
"""

from __future__ import annotations

import json
import re
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sectoraug import checks
from sectoraug.workbench.review.ahead import Sprites
from sectoraug.workbench.review.guard import Guard
from sectoraug.workbench.review.journal import VERDICTS, Change, Journal
from sectoraug.workbench.review.tiles import (
    PER_SPRITE,
    cell_of,
    jpeg,
    look,
    masks_in,
    tile_of,
)

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

_STATIC = {
    "/": ("review.html", "text/html"),
    "/review.css": ("review.css", "text/css"),
    "/review.js": ("review.js", "text/javascript"),
}
_LETTER = {None: "-", "in": "i", "out": "o"}
_MOST_BYTES = 200_000  # of a request
_LOOK_QUALITY = 90


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
                    "name": entry.source,
                }
            )
        return found


@dataclass(frozen=True)
class Server:
    """A page on loopback, ready to run."""

    guard: Guard
    listening: socket.socket
    review: Review

    @property
    def address(self) -> str:
        """What to open in a browser. Who has it can see the pictures and decide."""
        return self.guard.address

    def run(self) -> None:
        """Serve until interrupted."""
        import uvicorn

        config = uvicorn.Config(
            self.guard,
            access_log=False,
            log_config=None,
            log_level="critical",  # tracebacks can quote paths
            server_header=False,
            proxy_headers=False,
            ws="none",
            timeout_graceful_shutdown=1,
        )
        with self.review.sprites:
            uvicorn.Server(config).run(sockets=[self.listening])


def server(review: Review, port: int = 0) -> Server:
    """A server of a review on 127.0.0.1, at the port given or any that is free; OSError if it is taken."""
    try:
        import uvicorn  # noqa: F401

        app = _app(review)
    except ImportError as error:
        raise ImportError(
            'the review needs starlette and uvicorn: pip install "sectoraug[workbench]".'
        ) from error
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.bind(("127.0.0.1", port))
        listening.listen()  # a browser that is quicker than the server waits
    except OSError as error:
        listening.close()
        raise OSError(f"port {port} is taken; expected a free one: choose another --port.") from error
    return Server(Guard(app, listening.getsockname()[1]), listening, review)


def _app(review: Review) -> Starlette:
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import Response
    from starlette.routing import Route

    run = secrets.token_hex(8)

    def static(request: Request) -> Response:
        name, kind = _STATIC[request.url.path]
        return Response(
            files("sectoraug.workbench.review").joinpath("page_files", name).read_bytes(), media_type=kind
        )

    def state(request: Request) -> Response:
        verdicts = review.verdicts()
        return _json(
            {
                "verdicts": verdicts,
                "default": review.default,
                "perSprite": PER_SPRITE,
                "run": run,
                "withoutMask": review.without_mask,
            }
        )

    def sprite(request: Request) -> Response:
        try:
            return Response(review.sprites.get(request.path_params["index"]).jpeg, media_type="image/jpeg")
        except IndexError:
            return Response(status_code=404)

    def tiles(request: Request) -> Response:
        try:
            return _json(review.tiles(request.path_params["index"]))
        except IndexError:
            return Response(status_code=404)

    def frame(request: Request) -> Response:
        index = request.path_params["index"]
        tile = tile_of(review.masks[index]) if index < len(review.masks) else None
        if tile is None or tile.frame is None:
            return Response(status_code=404)
        return Response(jpeg(look(tile), _LOOK_QUALITY), media_type="image/jpeg")

    async def decide(request: Request) -> Response:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > _MOST_BYTES:
                return Response("Too much at once.", 413)
        try:
            await run_in_threadpool(lambda: review.decide(json.loads(body)))
        except OSError as error:
            return Response(f"Not written: {error.strerror or 'the journal is held'}.", 507)
        except (TypeError, KeyError, IndexError, ValueError):
            return Response("Not of the form that the page sends.", 400)
        return _json({"verdicts": review.verdicts()})

    return Starlette(
        routes=[
            *(Route(path, static, methods=["GET"]) for path in _STATIC),
            Route("/state", state, methods=["GET"]),
            Route("/sprites/{index:int}", sprite, methods=["GET"]),
            Route("/tiles/{index:int}", tiles, methods=["GET"]),
            Route("/frames/{index:int}", frame, methods=["GET"]),
            Route("/decisions", decide, methods=["POST"]),
        ]
    )


def _json(content: Any) -> Response:
    from starlette.responses import Response

    # ASCII: names of files can hold bytes that are no text.
    return Response(json.dumps(content), media_type="application/json")
