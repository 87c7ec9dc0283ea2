"""Who may talk with whom in real time, by what, and until when."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import aiohttp
from homeassistant.util import dt as dt_util
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from demo.client import HomeAssistantClient
from demo.gateway import GatewayProcess
from demo.home_assistant import DOMAIN, Account, HomeAssistantProcess
from demo.realtime_lessons import GARDEN, INTERRUPT_AFTER, STORY, WEATHER
from demo.satellite.protocol import Options, endpoint_url
from demo.voice.realtime_provider import RealtimeProvider
from demo.voice.sound import RATE
from demo.voice.speech_model import Say

from .administrator import Administrator
from .aloud import new_word
from .live import Attic, at_socket, connected, device_of, entities_of, entity_of, tell, wanted
from .subentry_flow import add_agent, eventually
from .test_secrets import Places, leaks
from .test_two_agents import GARDENER, NOBODY_CHOSEN, answered_by

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(300),
    pytest.mark.usefixtures("patient", "speech_model", "voice_pipeline", "no_satellites_left"),
]

FELL_BACK: Final = "gateway_backend_unavailable"
ISSUE: Final = "realtime_unavailable"


async def test_without_a_speech_model_the_speech_engines_answer(
    client: HomeAssistantClient, attic: Attic, owner: Administrator
) -> None:
    """The satellite is told, and people how to set it up; afterwards neither is."""
    async with owner.without_speech_model():
        async with attic.talk("auto-1", backend=None) as live:
            assert live.report.backend == "assist"
            assert any(FELL_BACK in line for line in live.screen.lines)
            assert (await live.ask(WEATHER.question)).assistant == WEATHER.answer
            assert await attic.tells(live, WEATHER.answer)
        assert ISSUE in await issues(client)
    async with attic.talk("auto-1", backend=None) as live:
        assert live.report.backend == "gateway"
        assert not any(FELL_BACK in line for line in live.screen.lines)
        assert ISSUE not in await issues(client)


async def test_the_agent_chosen_at_the_satellite_answers(
    client: HomeAssistantClient, attic: Attic, real_gateway: GatewayProcess
) -> None:
    """Nobody does before somebody is chosen; there is a select as soon as the satellite has called."""
    await add_agent(client, attic.agent, real_gateway, GARDENER)
    async with connected(client, wanted("choice-1")) as refused:
        assert await refused.ended() == (1008, None)
        assert refused.report.errors == ["no_agent"]

    async def is_there() -> bool:
        return "select:agent" in await entities_of(client, "choice-1")

    await eventually(is_there)
    select = (await entities_of(client, "choice-1"))["select:agent"]
    await choose(client, select, GARDENER)
    async with connected(client, wanted("choice-1", backend="gateway")) as live:
        assert live.report.agent == GARDENER
        assert (await live.ask(GARDEN.question)).assistant == GARDEN.answer
    assert answered_by(attic.model_server) == GARDENER
    await choose(client, select, NOBODY_CHOSEN)


async def test_who_may_not_use_the_agent_is_refused(
    client: HomeAssistantClient, attic: Attic, real_home_assistant: HomeAssistantProcess
) -> None:
    """With the token of a user who may only look on, and without one."""
    wish = wanted("guest-1", agent=attic.agent.entity_id)
    async with (
        guest(client, real_home_assistant) as token,
        connected(client, wish, token=token) as refused,
    ):
        assert await refused.ended() == (1008, None)
        assert refused.report.errors == ["agent_unreachable"]
    assert await device_of(client, "guest-1") is None
    with pytest.raises(InvalidStatus) as nobody:
        await connect(endpoint_url(client.url), additional_headers={"Authorization": "Bearer no"})
    assert nobody.value.response.status_code == 401


async def test_a_page_in_a_browser_talks(client: HomeAssistantClient, attic: Attic) -> None:
    """It has a signed path, an origin, and sound in JSON; who speaks over an answer stops it."""
    path = (await client.call(f"{DOMAIN}/realtime/sign"))["path"]
    url = endpoint_url(f"{client.url}{path}")
    with pytest.raises(InvalidStatus) as forged:
        await connect(f"{url}x")
    assert forged.value.response.status_code == 401
    devices = len(await client.call("config/device_registry/list"))
    wish = Options(
        rate=RATE,
        is_binary=False,
        agent=attic.agent.entity_id,
        backend="gateway",
        cancels_echo=True,
    )
    # Browsers offer to compress.
    page = connect(url, origin=Origin(client.url), compression="deflate", max_size=1 << 20)
    async with page as socket, at_socket(socket, wish) as live:
        assert socket.protocol.extensions == []
        turn = await live.ask_over(STORY.question, WEATHER.question, after=INTERRUPT_AFTER)
        assert turn.assistant == WEATHER.answer
        assert any(line.startswith("silence (turn_detected)") for line in live.screen.lines)
        cut = live.report.turns[0].assistant
        assert cut.endswith("...")
        assert STORY.answer.startswith(cut.removesuffix("..."))
    assert (live.report.close_code, live.report.errors) == (1000, [])
    assert len(await client.call("config/device_registry/list")) == devices


async def test_sessions_end_with_what_they_hang_on(
    attic: Attic, real_home_assistant: HomeAssistantProcess, speech_model: RealtimeProvider
) -> None:
    """A token, an entry, Home Assistant: each satellite is told. Of what was said nothing is kept."""
    client, home = attic.client, real_home_assistant
    places = Places(client=client, home=home, agent=attic.agent, since=dt_util.utcnow())
    word, other = new_word(), new_word()
    speech_model.model.mind.teach(WEATHER.question, Say(text=f"{WEATHER.answer} {word}."))
    attic.model_server.teach(STORY.question, f"MODEL:SAY {STORY.answer} {other}.")
    token = await new_token(client, word)
    stay = wanted("ends-1", agent=attic.agent.entity_id, backend="gateway")
    async with AsyncExitStack() as stack:
        live = await stack.enter_async_context(connected(client, stay, token=token))
        standby = await stack.enter_async_context(attic.stand_by("ends-2"))
        assert word in (await live.ask(WEATHER.question)).assistant
        await revoke(client, word)
        assert await live.ended() == (1008, "token_revoked")
        live = await stack.enter_async_context(attic.talk("ends-1"))
        await client.reload_entry(attic.agent.entry_id)
        for each in (live, standby):
            assert await each.ended() == (1001, "unloaded")

        live = await stack.enter_async_context(attic.talk("ends-1", backend="assist"))
        standby = await stack.enter_async_context(attic.stand_by("ends-2"))
        await live.person.say(STORY.question)
        await live.until(lambda: "speaks" in live.screen.lines)
        await home.terminate()
        for each in (live, standby):
            assert await each.ended() == (1001, "stopped")

    await home.start()
    async with home.connect() as again:
        async with connected(again, wanted("ends-2", is_standby=True)) as standby:
            entity_id = await entity_of(again, "ends-2")
            await again.wait_for_state(entity_id, lambda state: state == "idle")
            await tell(again, "announce", entity_id=entity_id, message="I am back.")
            assert standby.report.announcements == ["I am back."]
        places = Places(client=again, home=home, agent=attic.agent, since=places.since)
        found = await places.shown() | await places.kept()
    assert " DEBUG " in found["log"]
    secrets = {"token": token, "answer": word, "other answer": other, "question": "weather be like"}
    assert leaks(found | {"database": places.database()}, secrets) == []


@asynccontextmanager
async def guest(client: HomeAssistantClient, home: HomeAssistantProcess) -> AsyncGenerator[str]:
    """Yield the access token of a user who may look at everything, and control nothing."""
    name = new_word().lower()
    account = Account(name=name, username=name, password=new_word())
    made = await client.call("config/auth/create", name=name, group_ids=["system-read-only"])
    user_id = made["user"]["id"]
    await client.call(
        "config/auth_provider/homeassistant/create",
        user_id=user_id,
        username=account.username,
        password=account.password,
    )
    theirs = HomeAssistantProcess(home.folder, port=home.port, account=account)
    async with aiohttp.ClientSession(home.url) as session:
        assert await theirs._has_owner(session)
    async with theirs.connect() as other:
        yield other.token
    await client.call("config/auth/delete", user_id=user_id)


async def new_token(client: HomeAssistantClient, name: str) -> str:
    """Make a token that lasts."""
    token = await client.call("auth/long_lived_access_token", client_name=name, lifespan=1)
    return str(token)


async def revoke(client: HomeAssistantClient, name: str) -> None:
    """Take a token back."""
    rows = await client.call("auth/refresh_tokens")
    (token_id,) = [row["id"] for row in rows if row["client_name"] == name]
    await client.call("auth/delete_refresh_token", refresh_token_id=token_id)


async def issues(client: HomeAssistantClient) -> set[str]:
    """Return the kinds of our issues that people see."""
    found = await client.call("repairs/list_issues")
    return {each["translation_key"] for each in found["issues"] if each["domain"] == DOMAIN}


async def choose(client: HomeAssistantClient, select: str, option: str) -> None:
    """Choose at a select."""
    await client.call(
        "call_service",
        domain="select",
        service="select_option",
        service_data={"entity_id": select, "option": option},
    )
    await client.wait_for_state(select, lambda state: state == option)
