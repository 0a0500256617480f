"""The page: what a browser asks for and what it gets. It needs starlette, so only the server imports it."""

from __future__ import annotations

import json
import secrets
from importlib.resources import files
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sectoraug.workbench.review.sorting import Review
from sectoraug.workbench.review.tiles import PER_SPRITE, jpeg, look, tile_of

_STATIC = {
    "/": ("review.html", "text/html"),
    "/review.css": ("review.css", "text/css"),
    "/review.js": ("review.js", "text/javascript"),
}
_MOST_BYTES = 200_000  # of a request
_LOOK_QUALITY = 90


def app_of(review: Review) -> Starlette:
    """The review as an application, to be served behind a guard."""
    answers = _Answers(review)
    return Starlette(
        routes=[
            *(Route(path, answers.static, methods=["GET"]) for path in _STATIC),
            Route("/state", answers.state, methods=["GET"]),
            Route("/sprites/{index:int}", answers.sprite, methods=["GET"]),
            Route("/tiles/{index:int}", answers.tiles, methods=["GET"]),
            Route("/frames/{index:int}", answers.frame, methods=["GET"]),
            Route("/decisions", answers.decide, methods=["POST"]),
        ]
    )


class _Answers:
    """An answer for each address of the page."""

    def __init__(self, review: Review) -> None:
        self.review = review
        self.run = secrets.token_hex(8)

    def static(self, request: Request) -> Response:
        name, kind = _STATIC[request.url.path]
        return Response(files(__package__).joinpath("page_files", name).read_bytes(), media_type=kind)

    def state(self, request: Request) -> Response:
        verdicts = self.review.verdicts()
        return _json(
            {
                "verdicts": verdicts,
                "default": self.review.default,
                "perSprite": PER_SPRITE,
                "run": self.run,
                "withoutMask": self.review.without_mask,
            }
        )

    def sprite(self, request: Request) -> Response:
        try:
            return Response(
                self.review.sprites.get(request.path_params["index"]).jpeg, media_type="image/jpeg"
            )
        except IndexError:
            return Response(status_code=404)

    def tiles(self, request: Request) -> Response:
        try:
            return _json(self.review.tiles(request.path_params["index"]))
        except IndexError:
            return Response(status_code=404)

    def frame(self, request: Request) -> Response:
        index = request.path_params["index"]
        tile = tile_of(self.review.masks[index]) if index < len(self.review.masks) else None
        if tile is None or tile.frame is None:
            return Response(status_code=404)
        return Response(jpeg(look(tile), _LOOK_QUALITY), media_type="image/jpeg")

    async def decide(self, request: Request) -> Response:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > _MOST_BYTES:
                return Response("Too much at once.", 413)
        try:
            await run_in_threadpool(lambda: self.review.decide(json.loads(body)))
        except OSError as error:
            return Response(f"Not written: {error.strerror or 'the journal is held'}.", 507)
        except (TypeError, KeyError, IndexError, ValueError, RecursionError):
            return Response("Not of the form that the page sends.", 400)
        return _json({"verdicts": self.review.verdicts()})


def _json(content: Any) -> Response:
    # ASCII: names of files can hold bytes that are no text.
    return Response(json.dumps(content), media_type="application/json")
