"""Late answers with real runs: over the wire, outages and restarts of both sides included."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from homeassistant.const import CONF_TOKEN
from homeassistant.core import Event, HomeAssistant, callback
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openclaw_voice.assist import options
from custom_components.openclaw_voice.gateway.client import GatewayClient
from custom_components.openclaw_voice.gateway.errors import GatewayError
from custom_components.openclaw_voice.gateway.identity import DeviceIdentity
from custom_components.openclaw_voice.gateway.models import ConnectionSettings, Credentials
from custom_components.openclaw_voice.gateway.run_items import ChatDelta, RunItem, ToolActivity
from custom_components.openclaw_voice.outbox import queue
from custom_components.openclaw_voice.outbox.late_answer import LateStatus
from custom_components.openclaw_voice.outbox.late_answers import Outbox
from demo.script import CallTool, Hang, Reply, Say
from tests.fakes.frames import (
    accepted,
    ended,
    response_ok,
    said,
    started,
    tool_ended,
    tool_started,
)
from tests.fakes.gateway import Expect, ScriptedGateway, wait_for
from tests.fakes.small_gateway import SmallGateway
from tests.outbox.late import make_answer

from .satellite import Satellite, add_satellite, add_voice
from .support import WAIT_LIMIT, add_entry, ask, speech_of
from .turns import IMPATIENT

SESSION = "agent:main:homeassistant:0a1b2c3d:satellite:kitchen"
EVENT = "openclaw_voice_late_answer"
LOOK = CallTool(pieces=("Let me look.",), name="exec", arguments='{"command": "echo noon"}')


class Model:
    """Looks something up, then hangs, until it is told to answer."""

    def __init__(self) -> None:
        """Hang after the tool."""
        self.asked = 0
        self.is_quick = False

    def __call__(self, messages: Sequence[dict[str, Any]]) -> Reply:
        """Return what the model says next."""
        self.asked += 1
        if self.asked == 1:
            return LOOK
        return Say(pieces=("It is noon.",)) if self.is_quick else Hang(seconds=60)


class Home:
    """A Home Assistant whose turns are over while their runs go on."""

    def __init__(self, hass: HomeAssistant, gateway: SmallGateway) -> None:
        """Nothing is connected yet."""
        self.hass = hass
        self.gateway = gateway
        self.told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._identity = DeviceIdentity.create()
        self._entry = MockConfigEntry(domain="openclaw_voice", entry_id="entry-1")

        @callback
        def take(event: Event[Any]) -> None:
            self.told.put_nowait(dict(event.data))

        hass.bus.async_listen(EVENT, take)

    async def start(self) -> None:
        """Connect, and go on with what is owed."""
        self.client = GatewayClient(
            ConnectionSettings(
                url=self.gateway.url,
                credentials=Credentials(secret=self.gateway.secret),
                identity=self._identity,
                client_version="0.1.0",
            )
        )
        self._running = asyncio.create_task(self.client.run())
        await self.client.wait_ready(5)
        self.outbox = Outbox(
            self.hass,
            self._entry,
            self.client,
            speak=self._same,
            sentence=self._same,
            explain=self._explain,
            fallback_of=lambda _: (),
            agent_name=lambda _: "Molty",
        )
        await self.outbox.async_start()

    async def stop(self) -> None:
        """Stop like an entry that is unloaded."""
        await self.outbox.async_stop()
        await self.client.stop()
        await asyncio.wait_for(self._running, 5)

    async def hand_over(self) -> str:
        """Ask, hear the first words, and hand the run over; return its id."""
        async with self.client.chat.start(session_key=SESSION, message="What time is it?") as run:
            items = aiter(run)
            said = await until_tool_ended(items)
            answer = make_answer(
                id=run.run_id, run_id=run.run_id, session_key=SESSION, said=said, satellite_id=None
            )
            run.detach()
            await self.outbox.async_hand_over(run, items, answer)
        return answer.id

    async def learns(self) -> dict[str, Any]:
        """Return what automations are told next."""
        async with asyncio.timeout(WAIT_LIMIT):
            return await self.told.get()

    async def _same(self, text: str, _: str) -> str:
        return text

    async def _explain(self, error: GatewayError, _: str) -> str:
        return error.category


async def until_tool_ended(items: AsyncIterator[RunItem]) -> str:
    """Take items up to the end of the tool; return what was said."""
    said = ""
    async for item in items:
        if isinstance(item, ChatDelta):
            said += item.text
        elif isinstance(item, ToolActivity) and item.result is not None:
            break
    return said


@pytest.fixture
def model() -> Model:
    """Return a model that hangs after its tool."""
    return Model()


@pytest.fixture
async def living(home: HomeAssistant, model: Model, socket_enabled: None) -> AsyncGenerator[Home]:
    """Return a home that is connected to a gateway."""
    async with SmallGateway(model=model) as gateway:
        living = Home(home, gateway)
        await living.start()
        yield living
        await living.stop()


async def test_a_cancelled_task_stops_on_the_gateway(living: Home) -> None:
    """The gateway is asked to abort it, and automations learn that it is over."""
    answer_id = await living.hand_over()
    assert living.outbox.open_in(SESSION) is not None
    await living.outbox.async_cancel(answer_id)
    assert (await living.learns())["status"] == "cancelled"
    [abort] = living.gateway.received("chat.abort")
    assert abort.params["runId"] == answer_id
    assert living.client.chat.live_runs == 0


async def test_a_task_is_continued_by_a_gateway_that_was_killed(living: Home, model: Model) -> None:
    """Under another id: that one is remembered, and the answer is told under the first one."""
    answer_id = await living.hand_over()
    model.is_quick = True
    await living.gateway.kill()
    await living.gateway.come_back()
    told = await living.learns()
    assert (told["id"], told["status"]) == (answer_id, "answered")
    assert told["text"] == "Let me look.\n\nIt is noon."


async def test_a_task_goes_on_over_a_restart_of_home_assistant(living: Home, model: Model) -> None:
    """The gateway is killed meanwhile, too: nobody has heard the answer when we come back."""
    answer_id = await living.hand_over()
    await living.stop()
    assert living.gateway.received("chat.abort") == []
    model.is_quick = True
    await living.gateway.kill()
    await living.gateway.come_back()
    await living.start()
    told = await living.learns()
    assert (told["id"], told["status"]) == (answer_id, "answered")
    # What was said before the gateway was killed belongs to another run there.
    assert told["text"].endswith("It is noon.")
    await living.hass.async_block_till_done()
    [unheard] = living.outbox.unheard(SESSION)
    assert unheard.status is LateStatus.UNHEARD


async def test_stopping_ends_no_task(living: Home) -> None:
    """It is still owed, and the gateway still works on it."""
    answer_id = await living.hand_over()
    await living.stop()
    answer = living.outbox.get(answer_id)
    assert answer is not None
    assert answer.status is LateStatus.RUNNING
    assert living.told.empty()
    await living.start()
    assert living.outbox.open_in(SESSION) is not None


@pytest.fixture
async def kitchen(
    home: HomeAssistant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Satellite:
    """Return the satellite that asks; announcements need not wait for a pause."""
    monkeypatch.setattr(queue, "IDLE_TIME", timedelta(0))
    monkeypatch.setattr(options, "PATIENCE_BOUNDS", (0.0, 240.0))
    await add_voice(home, tmp_path, monkeypatch)
    return await add_satellite(home, "kitchen")


async def ask_in_the_kitchen(home: HomeAssistant, kitchen: Satellite) -> None:
    """Ask, and hear that the answer comes later."""
    result = await ask(home, "What time is it?", satellite_id=kitchen.entity_id)
    speech = speech_of(result)
    assert speech is not None
    assert speech.startswith("Let me look.")
    assert speech.endswith("I will tell you as soon as I know.")


async def test_a_satellite_announces_what_its_turn_could_not_wait_for(
    home: HomeAssistant, kitchen: Satellite, friendly: ScriptedGateway
) -> None:
    """Fit for speech, and without what the turn has said."""
    entry = await add_entry(home, friendly, options=IMPATIENT)
    go_on = asyncio.Event()
    friendly.script(
        Expect(
            "agent",
            reply=accepted(),
            emit=[
                started(),
                said("Let me *look*."),
                tool_started(),
                wait_for(go_on),
                tool_ended(),
                said("It is **noon**."),
                ended(),
                response_ok(),
            ],
        )
    )
    await ask_in_the_kitchen(home, kitchen)
    go_on.set()
    assert await kitchen.begins() == "About your question from earlier: It is noon."
    await home.async_block_till_done(wait_background_tasks=False)
    [answer] = entry.runtime_data.outbox.all()
    assert answer.status is LateStatus.DELIVERED


async def test_a_satellite_announces_it_after_everything_was_restarted(
    home: HomeAssistant, kitchen: Satellite, model: Model, socket_enabled: None
) -> None:
    """The entry was unloaded, and the gateway killed in the middle of the task."""
    async with SmallGateway(model=model) as gateway:
        entry = await add_entry(
            home,
            gateway,  # type: ignore[arg-type]  # only its address is asked for
            options=IMPATIENT,
            gateway_id=gateway.device_id,
            **{CONF_TOKEN: gateway.secret},
        )
        await ask_in_the_kitchen(home, kitchen)
        assert await home.config_entries.async_unload(entry.entry_id)
        assert gateway.received("chat.abort") == []
        model.is_quick = True
        await gateway.kill()
        await gateway.come_back()
        assert await home.config_entries.async_setup(entry.entry_id)
        assert await kitchen.begins() == "About your question from earlier: It is noon."
        assert await home.config_entries.async_unload(entry.entry_id)
