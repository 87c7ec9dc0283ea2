"""A client of a running Home Assistant: what its frontend does, in as many lines as the demo needs."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
import time
from typing import Any, Final

import aiohttp

from .process import DemoError
from .turn import PipelineEvent, TurnEvent, turn_events

ANSWER_LIMIT: Final = 90.0
"""Seconds for the answer to a command or a request."""

TURN_LIMIT: Final = 120.0
"""Seconds between two events of a turn. The first turn of a cold gateway takes up to 9."""

WITHOUT_VOICE: Final = dict.fromkeys(
    ("stt_engine", "stt_language", "tts_engine", "tts_language", "tts_voice")
)
"""The fields of a pipeline that neither hears nor speaks."""

type JsonObject = dict[str, Any]


class HomeAssistantError(DemoError):
    """Home Assistant refused something, or did not answer."""


class HomeAssistantClient:
    """An authenticated WebSocket connection with the REST API beside it. One command at a time."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        socket: aiohttp.ClientWebSocketResponse,
        url: str,
        token: str,
        version: str,
    ) -> None:
        """Wrap an authenticated socket."""
        self.url = url
        self.token = token
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
            yield cls(session, socket, url, token, answer["ha_version"])

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

    async def platform_of(self, entity_id: str) -> str:
        """Return the integration that an entity belongs to."""
        row = await self.call("config/entity_registry/get", entity_id=entity_id)
        return str(row["platform"])

    async def prefer_agent(self, agent_id: str, *, name: str) -> str:
        """Make an Assist pipeline with this agent the preferred one, and return its id.

        A pipeline that has the agent already is taken.
        """
        known = await self.call("assist_pipeline/pipeline/list")
        ours = [row["id"] for row in known["pipelines"] if row["conversation_engine"] == agent_id]
        pipeline_id: str = ours[0] if ours else await self.create_pipeline(agent_id, name)
        await self.call("assist_pipeline/pipeline/set_preferred", pipeline_id=pipeline_id)
        return pipeline_id

    async def subscribe(self, event_type: str) -> AsyncGenerator[JsonObject]:
        """Subscribe to a type of events; what is returned yields the data of each, for ever.

        No other command may be run meanwhile.
        """
        request_id = await self._send("subscribe_events", {"event_type": event_type})
        await self._result("subscribe_events", request_id)
        return self._events(request_id)

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
        async with aclosing(self.run_pipeline(fields)) as events:
            async for event in events:
                for turn_event in turn_events(event.kind, event.data, event.seconds):
                    yield turn_event

    async def run_pipeline(self, fields: JsonObject) -> AsyncGenerator[PipelineEvent]:
        """Run a pipeline and yield its events, without the last one, which says that it has ended.

        Args:
            fields: Those of the command: stages, input, and which pipeline.

        Raises:
            HomeAssistantError: The pipeline failed, or nothing came for too long.
        """
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
            yield PipelineEvent(
                kind=event["type"], data=event["data"] or {}, seconds=time.monotonic() - start
            )

    async def send_audio(self, handler_id: int, samples: bytes) -> None:
        """Send a piece of sound to the pipeline that runs; an empty one ends it.

        Args:
            handler_id: What the pipeline's first event told.
            samples: 16 000 a second, 16 bits, one channel.
        """
        await self._socket.send_bytes(bytes([handler_id]) + samples)

    async def download(self, path: str) -> AsyncGenerator[bytes]:
        """Fetch a file that may still be made and yield it in pieces, as they come.

        Raises:
            HomeAssistantError: The status is not a success.
        """
        timeout = aiohttp.ClientTimeout(total=None, sock_read=TURN_LIMIT)
        async with self._session.get(path, headers=self._headers, timeout=timeout) as response:
            if not response.ok:
                raise HomeAssistantError(f"GET {path} was answered {response.status}.")
            async for piece in response.content.iter_any():
                yield piece

    async def area(self, name: str) -> str:
        """Return the id of the area of this name, which is made when there is none."""
        for area in await self.call("config/area_registry/list"):
            if area["name"] == name:
                return str(area["area_id"])
        return str((await self.call("config/area_registry/create", name=name))["area_id"])

    async def assign_area(self, device_id: str, area: str | None) -> None:
        """Put a device into the area of this name, which is made when there is none, or into none."""
        area_id = await self.area(area) if area else None
        await self.call("config/device_registry/update", device_id=device_id, area_id=area_id)

    async def create_pipeline(
        self, agent_id: str, name: str, voice: dict[str, str] | None = None
    ) -> str:
        """Create a pipeline that has an agent, and a voice if one is given, and return its id.

        Args:
            agent_id: The conversation entity.
            name: What people see.
            voice: The fields that say by what the pipeline hears and speaks.
        """
        created = await self.call(
            "assist_pipeline/pipeline/create",
            name=name,
            language="en",
            conversation_engine=agent_id,
            conversation_language="en",
            wake_word_entity=None,
            wake_word_id=None,
            **{**WITHOUT_VOICE, **(voice or {})},
        )
        return str(created["id"])

    async def _events(self, request_id: int) -> AsyncGenerator[JsonObject]:
        """Yield the data of the events of a subscription."""
        while True:
            message = await self._receive("subscribe_events", request_id, limit=TURN_LIMIT)
            yield message["event"]["data"]

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
