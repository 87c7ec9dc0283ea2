"""Plays a recording to the client: the same frames, with the client's own ids in them."""

import json
from typing import Any

from tests.recordings import Recording

from .connection import Connection
from .gateway import Action, Expect

type JsonObject = dict[str, Any]


def replay(name: str, connection: str | None = None) -> list[Expect]:
    """Return the steps of a recorded connection, by default the first of its scenario.

    The client has to make the same requests in the same order. `connect` is not part of it.
    """
    steps: list[Expect] = []
    asked: list[JsonObject] = []
    answers: list[JsonObject] = []
    for line in Recording.load(name).on(connection):
        if line.direction == "out" and line.frame["method"] != "connect":
            asked, answers = [*asked, line.frame], []
            emit = [_play(tuple(asked), answers)]
            steps.append(Expect(line.frame["method"], emit=emit))
        elif line.direction == "in" and asked:
            answers.append(line.frame)
    return steps


def _play(asked: tuple[JsonObject, ...], answers: list[JsonObject]) -> Action:
    """Send frames, for which the client and the recorder have made these requests so far."""

    async def perform(connection: Connection) -> None:
        requests = [
            request for request in connection.requests.values() if request.method != "connect"
        ]
        ids: dict[str, str] = {}
        words: dict[str, str] = {}
        for recorded, request in zip(asked, requests, strict=False):
            ids[recorded["id"]] = request.id
            for param in ("idempotencyKey", "sessionKey"):
                if param in recorded["params"]:
                    words[recorded["params"][param]] = request.params[param]
        for frame in answers:
            text = json.dumps(frame)
            for recorded_word, word in words.items():
                text = text.replace(recorded_word, word)
            mine: JsonObject = json.loads(text)
            if "id" in mine:
                mine["id"] = ids[mine["id"]]
            await connection.send(mine)

    return Action(perform)
