"""A client of a running Home Assistant: what its frontend does, in as many lines as the demo needs."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
import time
from typing import Any, Final

import aiohttp

from .process import DemoError
from .turn import TurnEvent, turn_events

ANSWER_LIMIT: Final = 30.0
"""Seconds for the answer to a command or a request."""

TURN_LIMIT: Final = 120.0
"""Seconds between two events of a turn. The first turn of a cold gateway takes up to 9."""

type JsonObject = dict[str, Any]


class HomeAssistantError(DemoError):
    """Home Assistant refused something, or did not answer."""


class HomeAssistantClient:
    """An authenticated WebSocket connection with the REST API beside it. One command at a time."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        socket: aiohttp.ClientWebSocketResponse,
        token: str,
        version: str,
    ) -> None:
        """Wrap an authenticated socket."""
        self._session = session
        self._socket = socket
        self._headers = {"Authorization": f"Bearer {token}"}
        self._last_id = 0
        self.version = version

    @classmethod
    @asynccontextmanager
    async def connect(cls, url: str, token: str) -> AsyncIterator[HomeAssistantClient]:
        """Connect with an access token, and close when the block is left.

        Raises:
            HomeAssistantError: The token was refused.
        """
        timeout = aiohttp.ClientTimeout(total=ANSWER_LIMIT)
        async with (
            aiohttp.ClientSession(url, timeout=timeout) as session,
            session.ws_connect("/api/websocket", max_msg_size=0) as socket,
        ):
            await socket.receive_json(timeout=ANSWER_LIMIT)
            await socket.send_json({"type": "auth", "access_token": token})
            answer = await socket.receive_json(timeout=ANSWER_LIMIT)
            if answer["type"] != "auth_ok":
                raise HomeAssistantError("Home Assistant refused the access token.")
            yield cls(session, socket, token, answer["ha_version"])

    async def call(self, command: str, **fields: object) -> Any:  # noqa: ANN401 - each command has its own result
        """Run one WebSocket command and return its result.

        Raises:
            HomeAssistantError: It was refused, or the answer did not come in time.
        """
        request_id = await self._send(command, fields)
        return await self._result(command, request_id)

    async def rest(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - as above
        """Make one request to the REST API and return its answer.

        Raises:
            HomeAssistantError: The status is not a success.
        """
        async with self._session.request(
            method, path, json=body, headers=self._headers
        ) as response:
            if not response.ok:
                text = await response.text()
                raise HomeAssistantError(
                    f"{method} {path} was answered {response.status}: {text[:300]}"
                )
            return await response.json()

    async def entries(self, domain: str) -> list[JsonObject]:
        """Return the config entries of an integration."""
        entries: list[JsonObject] = await self.call("config_entries/get", domain=domain)
        return entries

    async def wait_for_entry(
        self, entry_id: str, state: str, *, limit: float = ANSWER_LIMIT
    ) -> None:
        """Wait until a config entry is in a state, such as `loaded`.

        Raises:
            HomeAssistantError: It is in another one after `limit` seconds.
        """
        request_id = await self._send("config_entries/subscribe", {})
        seen = "unknown"

        def is_there(message: JsonObject) -> bool:
            nonlocal seen
            seen = _entry_state(message["event"], entry_id) or seen
            return seen == state

        if not await self._wait_for_event(request_id, is_there, limit=limit):
            raise HomeAssistantError(
                f"The entry is {seen} and not {state} after {limit:.0f} seconds."
            )

    async def reload_entry(self, entry_id: str) -> float:
        """Reload a config entry, and return the seconds from the begin of its setup until it is loaded.

        Raises:
            HomeAssistantError: It is not loaded in time.
        """
        request_id = await self._send("config_entries/subscribe", {})
        await self._result("config_entries/subscribe", request_id)
        seen: dict[str, float] = {}

        def is_loaded(message: JsonObject) -> bool:
            if state := _entry_state(message["event"], entry_id):
                seen[state] = time.perf_counter()
            return state == "loaded" and "setup_in_progress" in seen

        path = f"/api/config/config_entries/entry/{entry_id}/reload"
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.rest("POST", path))
                waiting = tasks.create_task(
                    self._wait_for_event(request_id, is_loaded, limit=ANSWER_LIMIT)
                )
        except* HomeAssistantError as group:
            raise group.exceptions[0] from None
        if not waiting.result():
            raise HomeAssistantError(f"The entry was not loaded again: {', '.join(seen)}.")
        return seen["loaded"] - seen["setup_in_progress"]

    async def wait_for_state(
        self, entity_id: str, is_wanted: Callable[[str], bool], *, limit: float = ANSWER_LIMIT
    ) -> None:
        """Wait until an entity has a state that is wanted.

        Raises:
            HomeAssistantError: It has another one after `limit` seconds.
        """
        request_id = await self._send("subscribe_entities", {"entity_ids": [entity_id]})
        seen = "unknown"

        def is_there(message: JsonObject) -> bool:
            nonlocal seen
            seen = _entity_state(message["event"], entity_id) or seen
            return is_wanted(seen)

        if not await self._wait_for_event(request_id, is_there, limit=limit):
            raise HomeAssistantError(f"{entity_id} is {seen} after {limit:.0f} seconds.")

    async def agents_of(self, entry_id: str) -> list[JsonObject]:
        """Return the entity registry's rows of an entry's conversation agents."""
        rows: list[JsonObject] = await self.call("config/entity_registry/list")
        return [
            row
            for row in rows
            if row["config_entry_id"] == entry_id and row["entity_id"].startswith("conversation.")
        ]

    async def prefer_agent(self, agent_id: str, *, name: str) -> str:
        """Make an Assist pipeline with this agent the preferred one, and return its id.

        A pipeline that has the agent already is taken.
        """
        known = await self.call("assist_pipeline/pipeline/list")
        ours = [row["id"] for row in known["pipelines"] if row["conversation_engine"] == agent_id]
        pipeline_id: str = ours[0] if ours else await self._create_pipeline(agent_id, name)
        await self.call("assist_pipeline/pipeline/set_preferred", pipeline_id=pipeline_id)
        return pipeline_id

    async def ask(
        self, text: str, *, pipeline_id: str | None = None, conversation_id: str | None = None
    ) -> AsyncGenerator[TurnEvent]:
        """Give an utterance to Assist and yield what happens until the turn has ended.

        Args:
            text: The utterance.
            pipeline_id: The preferred pipeline by default.
            conversation_id: A new conversation by default.

        Raises:
            HomeAssistantError: The pipeline failed, or nothing came for too long.
        """
        fields: JsonObject = {
            "start_stage": "intent",
            "end_stage": "intent",
            "input": {"text": text},
        }
        if pipeline_id:
            fields["pipeline"] = pipeline_id
        if conversation_id:
            fields["conversation_id"] = conversation_id
        start = time.monotonic()
        request_id = await self._send("assist_pipeline/run", fields)
        await self._result("assist_pipeline/run", request_id)
        while True:
            message = await self._receive("assist_pipeline/run", request_id, limit=TURN_LIMIT)
            event: JsonObject = message["event"]
            if event["type"] == "error":
                raise HomeAssistantError(
                    f"Assist failed: {event['data']['message']} ({event['data']['code']})."
                )
            if event["type"] == "run-end":
                return
            for turn_event in turn_events(
                event["type"], event["data"] or {}, time.monotonic() - start
            ):
                yield turn_event

    async def _create_pipeline(self, agent_id: str, name: str) -> str:
        """Create a pipeline that has an agent and no voice."""
        without_voice = dict.fromkeys(
            (
                "stt_engine",
                "stt_language",
                "tts_engine",
                "tts_language",
                "tts_voice",
                "wake_word_entity",
                "wake_word_id",
            )
        )
        created = await self.call(
            "assist_pipeline/pipeline/create",
            name=name,
            language="en",
            conversation_engine=agent_id,
            conversation_language="en",
            **without_voice,
        )
        return str(created["id"])

    async def _wait_for_event(
        self, request_id: int, is_last: Callable[[JsonObject], bool], *, limit: float
    ) -> bool:
        """Follow a subscription until an event is the last one, then end it; False when none is in time."""
        try:
            async with asyncio.timeout(limit):
                while True:
                    message: JsonObject = await self._socket.receive_json()
                    is_ours = message["id"] == request_id and message["type"] == "event"
                    if is_ours and is_last(message):
                        break
        except TimeoutError:
            return False
        await self.call("unsubscribe_events", subscription=request_id)
        return True

    async def _send(self, command: str, fields: Mapping[str, object]) -> int:
        """Send a command and return its id."""
        self._last_id += 1
        await self._socket.send_json({"id": self._last_id, "type": command, **fields})
        return self._last_id

    async def _result(self, command: str, request_id: int) -> Any:  # noqa: ANN401 - each command has its own result
        """Wait for the result of a command; events that come before it are dropped."""
        while (message := await self._receive(command, request_id, limit=ANSWER_LIMIT))[
            "type"
        ] != "result":
            pass
        if not message["success"]:
            raise HomeAssistantError(f"{command} was refused: {message['error']['message']}")
        return message["result"]

    async def _receive(self, command: str, request_id: int, *, limit: float) -> JsonObject:
        """Wait for the next message that belongs to a command."""
        try:
            while True:
                message: JsonObject = await self._socket.receive_json(timeout=limit)
                if message["id"] == request_id:
                    return message
        except TimeoutError:
            raise HomeAssistantError(f"{command}: nothing came for {limit:.0f} seconds.") from None
        except TypeError:
            # What aiohttp raises when a close frame comes instead of text.
            raise HomeAssistantError(f"{command}: Home Assistant closed the connection.") from None


def _entity_state(changes: JsonObject, entity_id: str) -> str | None:
    """Return the state of an entity if these compressed changes tell it."""
    if added := (changes.get("a") or {}).get(entity_id):
        return str(added["s"])
    if entity_id in (changes.get("r") or ()):
        return "removed"
    changed: JsonObject = (changes.get("c") or {}).get(entity_id) or {}
    state: str | None = (changed.get("+") or {}).get("s")
    return state


def _entry_state(changes: list[JsonObject], entry_id: str) -> str | None:
    """Return the state of an entry if these changes tell it."""
    for change in changes:
        if change["entry"]["entry_id"] == entry_id:
            return str(change["entry"]["state"])
    return None
