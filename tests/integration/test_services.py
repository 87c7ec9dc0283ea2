"""The actions, as automations and scripts call them."""

import asyncio
from pathlib import Path
from typing import Any, cast

from aiohttp import ClientError
from homeassistant.components import camera
from homeassistant.components.media_source import PlayMedia
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import Context, Event, HomeAssistant, callback
from homeassistant.exceptions import (
    HomeAssistantError,
    ServiceValidationError,
    Unauthorized,
    UnknownUser,
)
from homeassistant.helpers import area_registry as ar
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import (
    MockUser,
)
import voluptuous as vol

from custom_components.openclaw_voice.assist import media
from custom_components.openclaw_voice.assist.run_limit import MAX_RUNS
from custom_components.openclaw_voice.assist.session_key import home_of
from custom_components.openclaw_voice.assist.timings import Timings
from custom_components.openclaw_voice.const import DOMAIN
from custom_components.openclaw_voice.services import stages_of
from tests.fakes.frames import (
    abort_settled,
    aborted,
    accepted,
    answered,
    ended,
    failed,
    response_aborted,
    response_failed,
    response_ok,
    said,
    started,
)
from tests.fakes.gateway import Expect, ScriptedGateway, abort_response, wait_for

from .support import AGENT, WAIT_LIMIT, add_entry, introduce, make_entry

pytestmark = pytest.mark.usefixtures("home")

SATELLITE = "assist_satellite.kitchen"


@pytest.fixture(autouse=True)
def kitchen(home: HomeAssistant) -> None:
    """Have a kitchen with a satellite, and a hall."""
    home.states.async_set(SATELLITE, "idle")
    for name in ("Kitchen", "Hall"):
        ar.async_get(home).async_create(name)


async def call(
    hass: HomeAssistant,
    action: str,
    *,
    caller: Context | None = None,
    agent: str = AGENT,
    **data: object,
) -> dict[str, Any]:
    """Call an action of the integration and return its response."""
    response = await hass.services.async_call(
        DOMAIN,
        action,
        {"agent": agent, **data},
        blocking=True,
        return_response=True,
        context=caller,
    )
    return cast("dict[str, Any]", response)


def answers(*texts: str) -> list[Expect]:
    """Return runs that are answered one after the other."""
    return [Expect("agent", reply=accepted(), emit=answered(text)) for text in texts]


# ask


async def test_ask_returns_the_answer(hass: HomeAssistant, friendly: ScriptedGateway) -> None:
    """Scripts work on with it."""
    await add_entry(hass, friendly)
    friendly.script(*answers("It is *raining*."))

    response = await call(hass, "ask", message="How is the weather?", context="Be brief.")

    [request] = friendly.received("agent")
    assert request.params["message"] == "How is the weather?"
    assert "Be brief." in request.params["extraSystemPrompt"]
    assert response == {
        "status": "answered",
        "answer": "It is *raining*.",
        "links": [],
        "session_key": request.params["sessionKey"],
        "run_id": request.params["idempotencyKey"],
    }


async def test_questions_stand_alone_unless_they_name_a_session(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """A name is a memory that questions share."""
    await add_entry(hass, friendly)
    friendly.script(*answers("1", "2", "3", "4"))

    for session in ({}, {}, {"session": "Morning"}, {"session": "Morning"}):
        await call(hass, "ask", message="Well?", **session)

    first, second, third, fourth = (
        request.params["sessionKey"] for request in friendly.received("agent")
    )
    assert len({first, second, third}) == 3
    assert third == fourth


async def test_ask_tells_the_person_who_is_named_or_runs_the_action(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Nobody is guessed."""
    await add_entry(hass, friendly)
    user = MockUser(id="01JUSER", name="Anna Account", is_owner=True).add_to_hass(hass)
    hass.states.async_set("person.anna", "home", {"user_id": user.id, "friendly_name": "Anna"})
    hass.states.async_set("person.ben", "home", {"friendly_name": "Ben"})
    friendly.script(*answers("1", "2", "3"))

    await call(hass, "ask", message="Who am I?", caller=Context(user_id=user.id))
    await call(hass, "ask", message="Who am I?", person="person.ben")
    await call(hass, "ask", message="Who am I?")

    by_user, named, nobody = (
        request.params["extraSystemPrompt"] for request in friendly.received("agent")
    )
    assert "Anna" in by_user
    assert "Ben" in named
    assert "Anna" not in nobody
    assert "Ben" not in nobody


async def test_ask_sends_media(
    hass: HomeAssistant, friendly: ScriptedGateway, tmp_path: Path
) -> None:
    """What the media selector has chosen goes with the question."""
    (tmp_path / "door.png").write_bytes(b"\x89PNG made up")
    hass.config.media_dirs = {"local": str(tmp_path)}
    assert await async_setup_component(hass, "media_source", {})
    await add_entry(hass, friendly)
    friendly.script(*answers("A door."))

    await call(
        hass,
        "ask",
        message="What is this?",
        attachments=[{"media_content_id": "media-source://media_source/local/door.png"}],
    )

    [request] = friendly.received("agent")
    [attachment] = request.params["attachments"]
    assert attachment["mimeType"] == "image/png"
    assert attachment["fileName"] == "door.png"


@pytest.mark.parametrize("kind", ["camera", "image"])
async def test_ask_sends_pictures_of_this_moment(
    hass: HomeAssistant,
    friendly: ScriptedGateway,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    """What a camera sees while it is asked."""

    async def take(_: HomeAssistant, entity_id: str) -> camera.Image:
        assert entity_id == f"{kind}.door"
        return camera.Image(content_type="image/jpeg", content=b"\xff\xd8 made up")

    monkeypatch.setattr(f"homeassistant.components.{kind}.async_get_image", take)
    await add_entry(hass, friendly)
    friendly.script(*answers("A door."))

    chosen = {"media_content_id": f"media-source://{kind}/{kind}.door"}
    await call(hass, "ask", message="What is this?", attachments=chosen)

    [request] = friendly.received("agent")
    [attachment] = request.params["attachments"]
    assert attachment["mimeType"] == "image/jpeg"


@pytest.mark.parametrize(
    "media_id",
    ["media-source://nowhere/song.mp3", "not a media id"],
)
async def test_media_that_cannot_be_read_is_an_error(
    hass: HomeAssistant, friendly: ScriptedGateway, media_id: str
) -> None:
    """Nothing is asked without it."""
    assert await async_setup_component(hass, "media_source", {})
    await add_entry(hass, friendly)
    with pytest.raises(HomeAssistantError) as caught:
        await call(hass, "ask", message="What is this?", attachments={"media_content_id": media_id})
    assert caught.value.translation_key == "attachment_unreadable"
    assert friendly.received("agent") == []


@pytest.mark.parametrize("error", [RuntimeError("no"), TimeoutError(), ClientError(), KeyError()])
async def test_a_camera_that_fails_in_its_own_way_is_an_error(
    hass: HomeAssistant,
    friendly: ScriptedGateway,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    """Cameras raise what their libraries do; people are told which one it was."""

    async def take(_: HomeAssistant, __: str) -> camera.Image:
        raise error

    monkeypatch.setattr("homeassistant.components.camera.async_get_image", take)
    await add_entry(hass, friendly)
    attached = {"media_content_id": "media-source://camera/camera.door"}
    with pytest.raises(HomeAssistantError) as caught:
        await call(hass, "ask", message="What is this?", attachments=attached)
    assert caught.value.translation_key == "attachment_unreadable"
    assert caught.value.translation_placeholders == {"name": "camera.door"}


async def test_media_of_the_internet_is_an_error(
    hass: HomeAssistant, friendly: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only files of the own disk are read."""

    async def resolve(*_: object) -> PlayMedia:
        return PlayMedia("https://example.invalid/song.mp3", "audio/mpeg")

    monkeypatch.setattr("homeassistant.components.media_source.async_resolve_media", resolve)
    await add_entry(hass, friendly)
    attached = {"media_content_id": "media-source://radio/song.mp3"}
    with pytest.raises(HomeAssistantError) as caught:
        await call(hass, "ask", message="Hm?", attachments=attached)
    assert caught.value.translation_placeholders == {"name": "song.mp3"}


async def test_a_media_source_that_never_answers_is_not_waited_for(
    hass: HomeAssistant, friendly: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the timeout of the question is."""

    async def resolve(*_: object) -> PlayMedia:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr("homeassistant.components.media_source.async_resolve_media", resolve)
    monkeypatch.setattr(media, "FETCH_LIMIT", 0.01)
    await add_entry(hass, friendly)
    with pytest.raises(HomeAssistantError) as caught:
        await call(
            hass, "ask", message="Hm?", attachments={"media_content_id": "media-source://x/y"}
        )
    assert caught.value.translation_key == "attachment_unreadable"


async def test_ask_may_not_wait(hass: HomeAssistant, friendly: ScriptedGateway) -> None:
    """The answer comes as an event then."""
    await add_entry(hass, friendly)
    told: asyncio.Future[dict[str, Any]] = hass.loop.create_future()

    @callback
    def note(event: Event[dict[str, Any]]) -> None:
        told.set_result(dict(event.data))

    hass.bus.async_listen_once("openclaw_voice_late_answer", note)
    goes_on = asyncio.Event()
    emit = [started(), wait_for(goes_on), said("Done."), ended(), response_ok()]
    friendly.script(Expect("agent", reply=accepted(), emit=emit))

    response = await call(hass, "ask", message="Tidy up.", wait=False)

    assert response["status"] == "later"
    listed = await call(hass, "list_late_answers")
    [late] = listed["late_answers"]
    assert late["id"] == response["late_answer_id"]
    assert late["status"] == "running"
    assert late["question"] == "Tidy up."
    goes_on.set()
    data = await asyncio.wait_for(told, WAIT_LIMIT)
    assert data["text"] == "Done."
    assert data["id"] == response["late_answer_id"]


async def test_nothing_is_asked_or_named_with_blanks_alone(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """A template that comes out empty must not begin a session of that name."""
    await add_entry(hass, friendly)
    for blank in ({"message": " \n"}, {"message": "Well?", "session": " "}):
        with pytest.raises(vol.Invalid):
            await call(hass, "ask", **blank)
    assert friendly.received("agent") == []


async def test_only_a_person_can_be_named_as_one(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Nobody is asked for by a lamp."""
    hass.states.async_set("light.anna", "on", {"friendly_name": "Anna"})
    await add_entry(hass, friendly)
    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, "ask", message="Who am I?", person="light.anna")
    assert caught.value.translation_key == "no_such_person"


async def test_a_failed_question_is_an_error(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """With the sentence of the gateway's error."""
    await add_entry(hass, friendly)
    emit = [started(), failed("No.", kind="refusal"), response_failed()]
    friendly.script(Expect("agent", reply=accepted(), emit=emit))
    with pytest.raises(HomeAssistantError) as caught:
        await call(hass, "ask", message="Hello?")
    assert caught.value.translation_key == "run_failed_refusal"


async def test_an_agent_is_not_asked_too_often(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """An automation that runs wild costs money; it is told how long to wait."""
    await add_entry(hass, friendly)
    friendly.anytime(*answers("Yes."))
    for _ in range(MAX_RUNS):
        await call(hass, "ask", message="Again?")
    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, "ask", message="Again?")
    assert caught.value.translation_key == "too_many_runs"
    assert 1 <= int((caught.value.translation_placeholders or {})["seconds"]) <= 60
    assert len(friendly.received("agent")) == MAX_RUNS


async def test_what_runs_wild_takes_no_pictures(
    hass: HomeAssistant, friendly: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit counts before anything is fetched for a question, and for tests, too."""
    taken: list[str] = []

    async def take(_: HomeAssistant, entity_id: str) -> camera.Image:
        taken.append(entity_id)
        return camera.Image(content_type="image/jpeg", content=b"\xff\xd8 made up")

    monkeypatch.setattr("homeassistant.components.camera.async_get_image", take)
    await add_entry(hass, friendly)
    friendly.anytime(*answers("Yes."))
    picture = {"media_content_id": "media-source://camera/camera.door"}
    for _ in range(MAX_RUNS - 1):
        await call(hass, "ask", message="Again?")
    await call(hass, "test")
    with pytest.raises(ServiceValidationError):
        await call(hass, "ask", message="Again?", attachments=picture)
    with pytest.raises(ServiceValidationError):
        await call(hass, "test")
    assert taken == []


# who may


async def person_who_may(hass: HomeAssistant, entities: dict[str, Any]) -> Context:
    """Return a context of a user with rights to some entities only."""
    user = MockUser(id="01JGUEST", name="Guest").add_to_hass(hass)
    user.mock_policy({"entities": {"entity_ids": entities}})
    return Context(user_id=user.id)


@pytest.mark.parametrize("action", ["ask", "list_late_answers", "list_sessions", "stop"])
async def test_who_may_not_use_an_agent_cannot_use_its_actions(
    hass: HomeAssistant, friendly: ScriptedGateway, action: str
) -> None:
    """Looking at its entity is not enough."""
    await add_entry(hass, friendly)
    caller = await person_who_may(hass, {AGENT: {"read": True}})
    message = {"message": "Open the door."} if action == "ask" else {}
    with pytest.raises(Unauthorized):
        await call(hass, action, caller=caller, **message)
    assert friendly.received("agent") == []


async def test_a_user_who_is_gone_may_do_nothing(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """As with other actions about entities."""
    await add_entry(hass, friendly)
    with pytest.raises(UnknownUser):
        await call(hass, "ask", caller=Context(user_id="01JGONE"), message="Hello?")


@pytest.mark.parametrize("may_see", [True, False])
async def test_who_may_not_see_a_camera_cannot_have_it_described(
    hass: HomeAssistant,
    friendly: ScriptedGateway,
    monkeypatch: pytest.MonkeyPatch,
    may_see: bool,
) -> None:
    """An agent that sees it would tell."""

    async def take(_: HomeAssistant, __: str) -> camera.Image:
        return camera.Image(content_type="image/jpeg", content=b"\xff\xd8 made up")

    monkeypatch.setattr("homeassistant.components.camera.async_get_image", take)
    await add_entry(hass, friendly)
    friendly.anytime(*answers("A door."))
    seen = {"camera.door": {"read": True}} if may_see else {}
    caller = await person_who_may(hass, {AGENT: True, **seen})
    asked = call(
        hass,
        "ask",
        caller=caller,
        message="What is there?",
        attachments={"media_content_id": "media-source://camera/camera.door"},
    )
    if may_see:
        assert (await asked)["answer"] == "A door."
    else:
        with pytest.raises(Unauthorized):
            await asked
        assert friendly.received("agent") == []


# whom


async def test_other_entities_are_no_agents(hass: HomeAssistant, friendly: ScriptedGateway) -> None:
    """The built-in agent is not asked by our action."""
    await add_entry(hass, friendly)
    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, "ask", agent="conversation.home_assistant", message="Hello?")
    assert caught.value.translation_key == "no_such_agent"


async def test_an_agent_whose_gateway_is_not_loaded(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The action is there all the same, and says so."""
    entry = await add_entry(hass, friendly)
    await hass.config_entries.async_unload(entry.entry_id)
    assert entry.state is ConfigEntryState.NOT_LOADED
    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, "list_sessions")
    assert caught.value.translation_key == "agent_not_loaded"


# conversations


async def test_a_new_conversation_has_another_session(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The next question of that session knows nothing of the one before."""
    await add_entry(hass, friendly)
    friendly.script(*answers("1", "2"))
    await call(hass, "ask", message="I am Anna.", session="notes")

    response = await call(hass, "new_conversation", session="notes")

    await call(hass, "ask", message="Who am I?", session="notes")
    keys = [request.params["sessionKey"] for request in friendly.received("agent")]
    assert keys == [response["previous_session_key"], response["session_key"]]
    assert keys[0] != keys[1]


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ({"satellite": SATELLITE}, "satellite"),
        ({"person": "person.anna"}, "person"),
        ({"area": "kitchen"}, "area"),
        ({"conversation_id": "my-own-id"}, "conversation"),
    ],
)
async def test_conversations_are_named_by_what_they_are_shared_by(
    hass: HomeAssistant, friendly: ScriptedGateway, place: dict[str, str], kind: str
) -> None:
    """Each kind of session has its field."""
    hass.states.async_set("person.anna", "home", {"friendly_name": "Anna"})
    entry = make_entry(hass, friendly, options={"main": {"scope": kind}})
    await hass.config_entries.async_setup(entry.entry_id)
    response = await call(hass, "new_conversation", **place)
    assert response["session_key"].split(":")[4] == kind
    assert response["session_key"].endswith(":1")


@pytest.mark.parametrize(
    ("remembered", "place", "is_used"),
    [
        ("conversation", {"satellite": SATELLITE}, False),
        ("shared", {"conversation_id": "my-own-id"}, False),
        ("satellite", {"area": "kitchen"}, False),
        ("area", {"satellite": SATELLITE}, True),
        ("person", {"conversation_id": "my-own-id"}, True),
        ("conversation", {"session": "notes"}, True),
    ],
)
async def test_a_conversation_no_turn_belongs_to_is_an_error(
    hass: HomeAssistant,
    friendly: ScriptedGateway,
    remembered: str,
    place: dict[str, str],
    is_used: bool,
) -> None:
    """Else an agent would seem to forget, or to remember, and nothing would happen."""
    entry = make_entry(hass, friendly, options={"main": {"scope": remembered}})
    await hass.config_entries.async_setup(entry.entry_id)
    if is_used:
        assert await call(hass, "new_conversation", **place)
        return
    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, "new_conversation", **place)
    assert caught.value.translation_key == "scope_not_used"


@pytest.mark.parametrize(
    ("remembered", "place"),
    [
        ("satellite", {"satellite": "assist_satellite.attic"}),
        ("satellite", {"satellite": "light.kitchen"}),
        ("area", {"area": "Kitchen"}),
    ],
)
async def test_a_place_that_is_not_there_is_an_error(
    hass: HomeAssistant, friendly: ScriptedGateway, remembered: str, place: dict[str, str]
) -> None:
    """A name in place of an id would begin a conversation of nobody, too."""
    hass.states.async_set("light.kitchen", "on")
    entry = make_entry(hass, friendly, options={"main": {"scope": remembered}})
    await hass.config_entries.async_setup(entry.entry_id)
    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, "new_conversation", **place)
    assert caught.value.translation_key == "no_such_place"
    assert await call(hass, "stop", **place) == {"stopped": "nothing"}


async def test_a_conversation_has_to_be_named(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Unless there is one for the whole home."""
    await add_entry(hass, friendly)
    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, "new_conversation")
    assert caught.value.translation_key == "no_scope"
    with pytest.raises(vol.Invalid):
        await call(hass, "new_conversation", area="kitchen", satellite=SATELLITE)


async def test_the_shared_conversation_needs_no_name(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """There is just one."""
    entry = make_entry(hass, friendly, options={"main": {"scope": "shared"}})
    await hass.config_entries.async_setup(entry.entry_id)
    response = await call(hass, "new_conversation")
    assert response["session_key"].split(":")[4:] == ["shared", "home", "1"]


async def test_an_unknown_person_is_an_error(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """A wrong name must not begin a conversation of nobody."""
    await add_entry(hass, friendly)
    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, "new_conversation", person="person.nobody")
    assert caught.value.translation_key == "no_such_person"


async def test_an_earlier_conversation_goes_on(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Somewhere else, too."""
    entry = make_entry(hass, friendly, options={"main": {"scope": "area"}})
    await hass.config_entries.async_setup(entry.entry_id)
    first = await call(hass, "new_conversation", area="kitchen")

    response = await call(
        hass,
        "continue_conversation",
        session_key=first["previous_session_key"],
        satellite=SATELLITE,
    )

    assert response["session_key"] == first["previous_session_key"]


async def test_conversations_of_others_do_not_go_on(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Neither another home's nor another agent's."""
    introduce(friendly, "main", "kitchen")
    options = {"main": {"scope": "area"}}
    entry = make_entry(hass, friendly, "main", "kitchen", options=options)
    await hass.config_entries.async_setup(entry.entry_id)
    own = (await call(hass, "new_conversation", area="hall"))["session_key"]

    for key, wrong in (
        ("agent:main:main", "not_our_session"),
        (own.replace("agent:main:", "agent:kitchen:"), "other_agents_session"),
    ):
        with pytest.raises(ServiceValidationError) as caught:
            await call(hass, "continue_conversation", session_key=key, area="hall")
        assert caught.value.translation_key == wrong


async def test_only_sessions_of_this_home_are_listed(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The gateway has those of other clients and homes, too."""
    entry = await add_entry(hass, friendly)
    home = home_of(entry.runtime_data.instance_id)
    ours = f"agent:main:homeassistant:{home}:shared:notes"
    rows = [
        {"key": "agent:main:main", "agentId": "main"},
        {"key": "agent:main:homeassistant:00000000:shared:notes", "agentId": "main"},
        {
            "key": ours,
            "agentId": "main",
            "updatedAt": 1_800_000_000_000,
            "model": "m1",
            "modelProvider": "stub",
            "totalTokens": 12,
        },
    ]
    friendly.script(
        Expect("sessions.list", params={"agentId": "main"}, reply={"sessions": rows, "count": 3})
    )
    assert await call(hass, "list_sessions") == {
        "sessions": [
            {
                "session_key": ours,
                "kind": "shared",
                "updated": "2027-01-15T08:00:00+00:00",
                "is_active": False,
                "model": "stub/m1",
                "tokens": 12,
            }
        ]
    }


# stopping


@pytest.fixture
def endless(friendly: ScriptedGateway) -> None:
    """Let a gateway begin a run that ends when it is stopped."""
    friendly.script(
        Expect("agent", reply=accepted(), emit=[started(), said("Well")]),
        Expect(
            "chat.abort",
            emit=[aborted(), abort_response(), abort_settled(), response_aborted()],
        ),
    )


@pytest.mark.usefixtures("endless")
@pytest.mark.parametrize("place", [{}, {"session": "notes"}], ids=["everything", "session"])
async def test_an_answer_is_stopped(
    hass: HomeAssistant, friendly: ScriptedGateway, place: dict[str, str]
) -> None:
    """Who waits for it gets what was said until then."""
    await add_entry(hass, friendly)
    asked = asyncio.ensure_future(call(hass, "ask", message="Tell a story.", session="notes"))
    async with asyncio.timeout(WAIT_LIMIT):
        await friendly.wait_for_request("agent")

    assert await call(hass, "stop", **place) == {"stopped": "answer"}

    assert (await asked)["status"] in {"answered", "silent"}


async def test_another_session_goes_on(hass: HomeAssistant, friendly: ScriptedGateway) -> None:
    """Only what is named is stopped, and nothing is nothing."""
    await add_entry(hass, friendly)
    assert await call(hass, "stop", session="other") == {"stopped": "nothing"}
    assert await call(hass, "stop") == {"stopped": "nothing"}


@pytest.mark.usefixtures("endless")
async def test_a_late_answer_is_cancelled(hass: HomeAssistant, friendly: ScriptedGateway) -> None:
    """Its task is stopped on the gateway."""
    await add_entry(hass, friendly)
    response = await call(hass, "ask", message="Tidy up.", wait=False)

    cancelled = await call(hass, "cancel_late_answer", late_answer_id=response["late_answer_id"])

    assert cancelled["status"] == "cancelled"
    assert len(friendly.received("chat.abort")) == 1


async def test_an_unknown_late_answer_is_an_error(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """There is nothing to cancel."""
    await add_entry(hass, friendly)
    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, "cancel_late_answer", late_answer_id="nothing")
    assert caught.value.translation_key == "no_such_late_answer"


# test


async def test_the_self_test_names_the_slow_stage(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Each stage with its time, in a session nobody else uses."""
    await add_entry(hass, friendly)
    friendly.script(*answers("Hello.", "Hello."))

    first, second = [await call(hass, "test") for _ in range(2)]

    assert first["session_key"] != second["session_key"]
    assert first["answer"] == "Hello."
    assert first["stages"].keys() == {"connected", "first_text", "first_sentence", "done"}
    assert first["slowest"] in first["stages"]
    assert first["seconds"] >= max(first["stages"].values())


async def test_the_self_test_fails_with_the_reason(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """A sentence says more than times that are missing."""
    await add_entry(hass, friendly)
    emit = [started(), failed("No.", kind="refusal"), response_failed()]
    friendly.script(Expect("agent", reply=accepted(), emit=emit))
    with pytest.raises(HomeAssistantError) as caught:
        await call(hass, "test")
    assert caught.value.translation_key == "run_failed_refusal"


def test_stages_are_told_apart() -> None:
    """Each is counted from the end of the one before that was reached."""
    timings = Timings(connected=0.5, first_text=2.0, done=5.0)
    assert stages_of(timings) == {"connected": 0.5, "first_text": 1.5, "done": 3.0}


def test_without_text_the_agent_is_what_was_waited_for() -> None:
    """A silent end must not count as a long answer."""
    timings = Timings(connected=0.5, done=5.0)
    assert stages_of(timings) == {"connected": 0.5, "first_text": 4.5}
