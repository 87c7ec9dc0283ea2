"""Times our own code per delta, without network and Home Assistant."""

import asyncio
from collections.abc import Iterator, Sequence
import json
import statistics
import time
from typing import Any, Final, override

from custom_components.openclaw_voice.assist.turn import Turn
from custom_components.openclaw_voice.assist.turn_result import TurnOutcome
from custom_components.openclaw_voice.gateway.client import GatewayClient
from custom_components.openclaw_voice.gateway.connection import Connection, ResponseListener
from custom_components.openclaw_voice.gateway.errors import GatewayError
from custom_components.openclaw_voice.gateway.frames import GatewayEvent, parse_frame
from custom_components.openclaw_voice.gateway.models import (
    ConnectionSettings,
    Credentials,
    HelloOk,
    Policy,
)
from custom_components.openclaw_voice.gateway.questions import AgentQuestion

from ..process import DemoError

ROUNDS: Final = 5
TURNS_OF_LOOP: Final = 10
"""How often the event loop turns at most, until a piece of text has reached the listener."""

SESSION_KEY: Final = "agent:main:homeassistant:bench:conversation:1"
SETTINGS: Final = ConnectionSettings(
    url="ws://127.0.0.1:9", credentials=Credentials(), identity=None, client_version="1"
)
HELLO: Final = HelloOk(
    protocol=4,
    server_version="1",
    boot_id="1",
    scopes=SETTINGS.scopes,
    device_token=None,
    policy=Policy(max_payload=1, tick_interval=1.0),
    methods=frozenset(),
)

type JsonObject = dict[str, Any]


class _Unplugged(Connection):
    """A ready connection without a socket: what is sent goes nowhere."""

    def __init__(self) -> None:
        super().__init__(SETTINGS)
        self.sent: list[JsonObject] = []

    @property
    @override
    def hello(self) -> HelloOk:
        return HELLO

    @override
    async def send(self, method: str, params: JsonObject, listener: ResponseListener) -> str:
        self.sent.append(params)
        return "r1"


class _UnpluggedClient(GatewayClient):
    """A client that is always ready."""

    def __init__(self) -> None:
        super().__init__(SETTINGS)
        self._unplugged = _Unplugged()

    @property
    @override
    def connection(self) -> _Unplugged:
        return self._unplugged

    @override
    async def wait_ready(self, timeout: float) -> HelloOk:
        return HELLO


class _NoSentences:
    """What we say ourselves: nothing, in a turn that goes well."""

    no_answer = ""
    file = ""
    approval = ""

    def asking(self, question: AgentQuestion) -> str:
        return question.id

    def holding(self, tool: str | None) -> str:
        return tool or ""

    async def explain(self, error: GatewayError) -> str:
        raise error


async def microseconds_per_delta(*, characters: int, deltas: int) -> float:
    """Return what one delta of such an answer takes, the median of some rounds.

    Raises:
        DemoError: Our code did not hand out the answer as it should.
    """
    texts = tuple(cumulative_texts(characters, deltas))
    rounds = [await _seconds_of(texts) for _ in range(ROUNDS)]
    return statistics.median(rounds) / deltas * 1e6


def cumulative_texts(characters: int, deltas: int) -> Iterator[str]:
    """Yield the growing text of an answer, in steps of one length as far as that is possible."""
    text = ("A few words of an answer. " * (characters // 26 + 1))[:characters]
    for number in range(1, deltas + 1):
        yield text[: characters * number // deltas]


async def _seconds_of(texts: Sequence[str]) -> float:
    """Run one turn on frames that are there already, and return how long it took."""
    client = _UnpluggedClient()
    turn = Turn(
        client.chat.start(session_key=SESSION_KEY, message="Question"), sentences=_NoSentences()
    )
    listener = _Listener()
    listening = asyncio.create_task(listener.listen(turn), name="bench listener")
    while not client.connection.sent:
        await asyncio.sleep(0)
    frames = list(frames_of(client.connection.sent[0]["idempotencyKey"], texts))
    start = time.perf_counter()
    for number, frame in enumerate(frames):
        event = parse_frame(frame)
        if isinstance(event, GatewayEvent):
            client.chat.take(event)
        # The listener's turn, as between two frames of the socket. Two frames carry one text.
        await listener.reach(number // 2 + 1)
    await listening
    seconds = time.perf_counter() - start
    if turn.result.outcome is not TurnOutcome.ANSWERED or listener.heard != len(texts):
        raise DemoError("Our code did not hand out one delta for each piece of the answer.")
    return seconds


class _Listener:
    """Runs a turn to its end and counts the deltas with text."""

    def __init__(self) -> None:
        self.heard = 0

    async def listen(self, turn: Turn) -> None:
        async for delta in turn.deltas():
            self.heard += bool(delta.get("content"))

    async def reach(self, number: int) -> None:
        """Let the loop turn until so many have been heard, or nothing more is to be expected."""
        await asyncio.sleep(0)
        for _ in range(TURNS_OF_LOOP):
            if self.heard >= number:
                return
            await asyncio.sleep(0)


def frames_of(run_id: str, texts: Sequence[str]) -> Iterator[bytes]:
    """Yield the frames of a run as the gateway sends them: two for each text, and the end."""
    head: JsonObject = {"runId": run_id, "sessionKey": SESSION_KEY, "agentId": "main"}
    said = ""
    for number, text in enumerate(texts, 1):
        new, said = text[len(said) :], text
        common = head | {"seq": number}
        data = {"text": text, "delta": new, "itemId": f"{run_id}:1"}
        yield _event(
            "agent",
            common | {"stream": "assistant", "data": data, "ts": 1_700_000_000_000},
            2 * number - 1,
        )
        yield _event(
            "chat",
            common | {"state": "delta", "deltaText": new, "message": _message(text)},
            2 * number,
        )
    final = {"seq": len(texts) + 1, "state": "final", "stopReason": "stop"}
    yield _event("chat", head | final | {"message": _message(said)}, 2 * len(texts) + 1)


def _message(text: str) -> JsonObject:
    return {
        "role": "assistant",
        "content": [{"type": "text", "text": text}],
        "timestamp": 1_700_000_000_000,
    }


def _event(name: str, payload: JsonObject, seq: int) -> bytes:
    frame = {"type": "event", "event": name, "payload": payload, "seq": seq}
    return json.dumps(frame, ensure_ascii=False, separators=(",", ":")).encode()
