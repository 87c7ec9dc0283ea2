"""Adds an integration to a running Home Assistant through its config flow, as the frontend does."""

import asyncio
from collections.abc import Callable, Mapping
import contextlib
from typing import Final

import aiohttp

from .client import HomeAssistantClient, HomeAssistantError, JsonObject

POLL_INTERVAL: Final = 1.0
"""Seconds between two looks at a flow that waits for something outside."""

_PATH: Final = "/api/config/config_entries/flow"
_OPEN: Final = ("form", "menu", "progress")
"""Types of steps a flow may stand at; it has ended at the others."""

type Shown = Mapping[str, str]
"""What the page of a step shows, by placeholder."""


async def run_config_flow(
    client: HomeAssistantClient,
    domain: str,
    answers: Mapping[str, JsonObject],
    on_wait: Callable[[Shown], None],
) -> JsonObject:
    """Add an integration through its config flow and return the flow's result.

    Args:
        client: A client of the Home Assistant.
        domain: The integration.
        answers: What to enter, by step. Other forms are sent with their defaults, but for those
            without fields: there somebody has to decide something.
        on_wait: Called when the flow waits for something outside, and when what it shows changes.

    Raises:
        HomeAssistantError: The flow complains, asks for a decision, or ends without an entry.
    """
    flow = _Flow(client, await client.rest("POST", _PATH, {"handler": domain}))
    try:
        while flow.step["type"] in _OPEN:
            if flow.step["type"] == "progress":
                await flow.wait(on_wait)
            else:
                await flow.answer(answers)
    except BaseException:
        await flow.remove()
        raise
    if flow.step["type"] != "create_entry":
        raise HomeAssistantError(
            f"The config flow ended with {flow.step['type']}: {flow.step.get('reason')}."
        )
    return flow.step


class _Flow:
    """A flow and the step it stands at."""

    def __init__(self, client: HomeAssistantClient, step: JsonObject) -> None:
        """Begin at the first step."""
        self._client = client
        self.step = step
        self._path = f"{_PATH}/{step['flow_id']}"
        self._asked: set[str] = set()
        self._shown: Shown | None = None

    async def answer(self, answers: Mapping[str, JsonObject]) -> None:
        """Answer a form, each one once."""
        name: str = self.step["step_id"]
        if name in self._asked:
            raise HomeAssistantError(
                f"The config flow stays at step {name}: {self.step['errors']}."
            )
        if name not in answers and not self.step.get("data_schema"):
            raise HomeAssistantError(f"The config flow asks for a decision at step {name}.")
        self._asked.add(name)
        self.step = await self._client.rest("POST", self._path, answers.get(name, {}))

    async def wait(self, on_wait: Callable[[Shown], None]) -> None:
        """Wait for some time with a flow that waits, and look at it again."""
        shown: Shown = self.step["description_placeholders"] or {}
        if shown != self._shown:
            on_wait(shown)
            self._shown = shown
        await asyncio.sleep(POLL_INTERVAL)
        self.step = await self._client.rest("GET", self._path)

    async def remove(self) -> None:
        """Remove the flow, as closing its dialog does."""
        with contextlib.suppress(HomeAssistantError, aiohttp.ClientError, TimeoutError):
            await self._client.rest("DELETE", self._path)
