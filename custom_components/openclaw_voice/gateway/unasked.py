"""The unasked capability: what agents say that no run of ours hands out.

A final event of a run that is not ours may be somebody else's answer: what started the run is
looked up in the history, in one go for all that came meanwhile.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
import logging
from typing import TYPE_CHECKING, Final

from .callbacks import call_safely
from .errors import GatewayError
from .frames import GatewayEvent, JsonObject, as_list, as_object, moment
from .recent import Recent
from .run_lookup import HISTORY_CHARACTERS, HISTORY_ROWS, MOST_HISTORY_ROWS
from .unasked_message import (
    CONSULT,
    INJECTED,
    Reading,
    UnaskedMessage,
    is_by_gateway,
    message_of,
    read_history,
)

if TYPE_CHECKING:
    from .client import GatewayClient

_LOGGER = logging.getLogger(__name__)

MAX_WAITING: Final = 2_000
"""Messages that wait to be looked up; when more come, they have to be read afterwards."""

MAX_RUNS: Final = 2_000
"""Runs whose texts are remembered, so that none is told twice."""

ROWS_PER_MESSAGE: Final = 8
"""Rows of a history for each message that is looked up: tools have rows, too."""

REQUEST_LIMIT: Final = 15.0
"""Seconds one look into a history may take."""


@dataclass(frozen=True, slots=True)
class _Listener:
    """Whoever wants to know."""

    callback: Callable[[UnaskedMessage], None]
    is_ours: Callable[[str], bool]
    on_missed: Callable[[], None]


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A message that is about to be told."""

    message: UnaskedMessage
    is_certain: bool
    """Nobody can have asked for it."""


class Unasked:
    """Tells what agents say by themselves, as it happens and afterwards."""

    def __init__(self, client: GatewayClient) -> None:
        """Work through the connections of `client`."""
        self._client = client
        self._listeners: list[_Listener] = []
        self._waiting: deque[_Waiting] = deque()
        self._is_telling = False
        self._said: Recent[set[str]] = Recent(MAX_RUNS)
        """What the finals of a run have said, by its id; digests."""

    def subscribe(
        self,
        callback: Callable[[UnaskedMessage], None],
        *,
        is_ours: Callable[[str], bool],
        on_missed: Callable[[], None],
    ) -> Callable[[], None]:
        """Call `callback` with every such message, in order; return what ends that.

        Args:
            callback: Takes a message.
            is_ours: Whether a session, by its key, matters. Nothing of others is kept or asked for.
            on_missed: Called when messages came that could not be told: read `since`.
        """
        listener = _Listener(callback, is_ours, on_missed)
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def since(self, session_key: str, after: datetime) -> tuple[UnaskedMessage, ...]:
        """Return such messages of a session after a moment, oldest first, from its history.

        At most the last 1 000 rows are read. A message may come once more, with the same id.

        Raises:
            GatewayError: What `request` raises.
        """
        history = await self._history(session_key, HISTORY_ROWS)
        if history.get("hasMore") is True and _begins_after(history, after):
            history = await self._history(session_key, MOST_HISTORY_ROWS)
        reading = self._read(history, session_key)
        return tuple(message for message in reading.messages if message.at > after)

    def take(self, event: GatewayEvent) -> None:
        """Take a `chat` event, whoever's it is."""
        message = message_of(event.payload) if event.name == "chat" else None
        if message is None or not any(
            listener.is_ours(message.session_key) for listener in self._listeners
        ):
            return
        run_id = message.run_id or message.message_id
        if run_id.startswith(CONSULT):
            return  # The voice session that asks says it.
        said = self._said.setdefault(run_id, set())
        is_first = not said
        if message.digest in said:
            return
        said.add(message.digest)
        if is_first and self._client.chat.has_followed(run_id):
            return  # Its run hands it out.
        if not message.has_content:
            return
        if not is_first:
            self._wait(message.as_further(), is_certain=True)
        elif run_id.startswith(INJECTED):
            self._wait(message, is_certain=True)
        elif not is_by_gateway(event.payload):
            self._wait(message, is_certain=False)

    def _wait(self, message: UnaskedMessage, *, is_certain: bool) -> None:
        if len(self._waiting) >= MAX_WAITING:
            self._on_missed({message.session_key})
            return
        self._waiting.append(_Waiting(message, is_certain))
        if not self._is_telling:
            self._is_telling = True
            if not self._client.spawn(self._tell_all(), name="openclaw unasked messages"):
                self._stop_telling()

    async def _tell_all(self) -> None:
        """Tell what waits, in order, until nothing does."""
        try:
            while self._waiting:
                batch = tuple(self._waiting)
                self._waiting.clear()
                try:
                    await self._tell(batch)
                except Exception as err:  # noqa: BLE001 - a bug of ours must not end the client
                    # Without the traceback's values: they may hold what was said.
                    _LOGGER.error("Messages were not looked up: %s", type(err).__name__)
                    self._on_missed({waiting.message.session_key for waiting in batch})
        finally:
            self._stop_telling()

    def _stop_telling(self) -> None:
        self._is_telling = False
        self._waiting.clear()

    async def _tell(self, batch: tuple[_Waiting, ...]) -> None:
        readings: dict[str, Reading | None] = {}
        for waiting in batch:
            found: UnaskedMessage | None = waiting.message
            key = waiting.message.session_key
            if not waiting.is_certain:
                if key not in readings:
                    readings[key] = await self._look_up(key, batch)
                found = _confirmed(waiting.message, readings[key])
            if found is not None:
                self._hand_out(found)
        failed = {key for key, reading in readings.items() if reading is None}
        self._on_missed(failed)

    async def _look_up(self, session_key: str, batch: tuple[_Waiting, ...]) -> Reading | None:
        """Return what the history of a session says, None when it could not be read."""
        wanted = {
            item.message.run_id
            for item in batch
            if item.message.session_key == session_key and not item.is_certain
        }
        rows = min(HISTORY_ROWS + len(wanted) * ROWS_PER_MESSAGE, MOST_HISTORY_ROWS)
        try:
            reading = self._read(await self._history(session_key, rows), session_key)
            if not wanted.isdisjoint(reading.unclear) and rows < MOST_HISTORY_ROWS:
                history = await self._history(session_key, MOST_HISTORY_ROWS)
                reading = self._read(history, session_key)
        except GatewayError as err:
            _LOGGER.debug("A message could not be looked up: %s", err.category)
            return None
        return reading

    def _read(self, history: JsonObject, session_key: str) -> Reading:
        return read_history(history, session_key, self._client.chat.has_followed)

    async def _history(self, session_key: str, rows: int) -> JsonObject:
        params = {"sessionKey": session_key, "limit": rows, "maxChars": HISTORY_CHARACTERS}
        return await self._client.request("chat.history", params, timeout=REQUEST_LIMIT)

    def _hand_out(self, message: UnaskedMessage) -> None:
        for listener in tuple(self._listeners):
            if listener.is_ours(message.session_key):
                call_safely(listener.callback, message)

    def _on_missed(self, session_keys: set[str]) -> None:
        for listener in tuple(self._listeners):
            if any(map(listener.is_ours, session_keys)):
                call_safely(listener.on_missed)


def _confirmed(message: UnaskedMessage, reading: Reading | None) -> UnaskedMessage | None:
    """Return a message as the history has it; None when somebody asked for it."""
    if reading is None or message.run_id in reading.claimed | reading.unclear:
        return None
    known = {found.message_id: found for found in reading.messages}
    return known.get(message.message_id, message)


def _begins_after(history: JsonObject, after: datetime) -> bool:
    rows = as_list(history.get("messages"))
    first = moment(as_object(rows[0]).get("timestamp")) if rows else None
    return first is not None and first > after
