"""Adding and removing agents of a gateway that is set up, and changing how one is used."""

import asyncio
from typing import Any, Final

from homeassistant.config_entries import SOURCE_RECONFIGURE, SOURCE_USER, SubentryFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData
from homeassistant.helpers import device_registry as dr, entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openclaw_voice import agent_flow
from custom_components.openclaw_voice.agent_flow import TOLD_WIDTH
from custom_components.openclaw_voice.assist.options import (
    MAX_INSTRUCTIONS,
    OPTION_NAMES,
    AgentOptions,
    ContextField,
)
from tests.fakes.frames import accepted, ended, response_ok, said, started
from tests.fakes.gateway import Expect, ScriptedGateway, drop, wait_for
from tests.fakes.refusals import missing_scope

from .connection import lose
from .support import add_entry, ask, introduce, make_entry, speech_of

pytestmark = pytest.mark.usefixtures("home")


LEVELS: Final = [{"id": "off", "label": "off"}, {"id": "high", "label": "high"}]
MODELS: Final[list[dict[str, Any]]] = [
    {"id": "small", "provider": "local", "name": "Small", "available": True},
    {
        "id": "big",
        "provider": "cloud",
        "name": "Big",
        "thinkingLevels": [{"id": "max", "label": "max"}],
    },
    {"id": "gone", "provider": "cloud", "name": "Gone", "available": False},
]
JUST_SUBMIT: Final[dict[str, dict[str, Any]]] = {
    "conversation": {},
    "speech": {},
    "long_answers": {},
    "realtime": {},
    "safety": {},
}


async def begin(hass: HomeAssistant, entry: MockConfigEntry) -> SubentryFlowResult:
    """Press the button that adds an agent."""
    return await hass.config_entries.subentries.async_init(
        (entry.entry_id, "agent"), context={"source": SOURCE_USER}
    )


async def change(hass: HomeAssistant, entry: MockConfigEntry) -> SubentryFlowResult:
    """Press the button that changes the first agent."""
    context = {"source": SOURCE_RECONFIGURE, "subentry_id": next(iter(entry.subentries))}
    return await hass.config_entries.subentries.async_init(
        (entry.entry_id, "agent"),
        context=context,  # type: ignore[arg-type]  # the class lacks the id its owner asks for
    )


async def submit(
    hass: HomeAssistant, form: SubentryFlowResult, data: dict[str, Any]
) -> SubentryFlowResult:
    """Submit a form."""
    result = await hass.config_entries.subentries.async_configure(form["flow_id"], data)
    await hass.async_block_till_done()
    return result


async def choose(
    hass: HomeAssistant, form: SubentryFlowResult, agent_id: str
) -> SubentryFlowResult:
    """Choose an agent, and leave its options as they are."""
    result = await submit(hass, form, {"agent_id": agent_id})
    if result.get("step_id") == "options":
        result = await submit(hass, result, JUST_SUBMIT)
    return result


def shown(form: SubentryFlowResult) -> dict[str, dict[str, Any]]:
    """Return the sections of a form: fields with what is filled in."""
    assert form["data_schema"] is not None
    return {
        str(name): {str(field): filled_in(field) for field in part.schema.schema}
        for name, part in form["data_schema"].schema.items()
    }


def typed_in(form: SubentryFlowResult) -> dict[str, dict[str, Any]]:
    """Return what the frontend sends of a form as it is: without the fields that are empty."""
    return {
        name: {field: value for field, value in part.items() if value is not None}
        for name, part in shown(form).items()
    }


def filled_in(field: Any) -> Any:  # noqa: ANN401  any value a form can have
    """Return what a field holds when it is shown."""
    if field.description is not None:
        return field.description["suggested_value"]
    return field.default()


def choices_of(form: SubentryFlowResult, section: str, name: str) -> list[Any]:
    """Return what a field offers."""
    assert form["data_schema"] is not None
    options: list[Any] = form["data_schema"].schema[section].schema.schema[name].config["options"]
    return options


def offered(form: SubentryFlowResult) -> list[str]:
    """Return the agents a form offers."""
    assert form["data_schema"] is not None
    return [option["value"] for option in form["data_schema"].schema["agent_id"].config["options"]]


async def test_an_agent_is_added_and_answers(hass: HomeAssistant, gateway: ScriptedGateway) -> None:
    """Only agents that are not there yet are offered; the new one answers at once."""
    introduce(gateway, "main", "cook", "poet", names={"cook": "Cook"})
    entry = await add_entry(hass, gateway)
    form = await begin(hass, entry)
    assert form["type"] is FlowResultType.FORM
    assert offered(form) == ["cook", "poet"]
    result = await choose(hass, form, "cook")
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert (result["title"], result["unique_id"]) == ("Cook", "cook")
    gateway.script(
        Expect(
            "agent",
            params=lambda params: params["sessionKey"].startswith("agent:cook:homeassistant:"),
            reply=accepted(),
            emit=[started(), said("Soup."), ended(), response_ok()],
        )
    )
    assert speech_of(await ask(hass, agent="conversation.cook")) == "Soup."
    assert gateway.connections.total == 1


async def test_adding_and_removing_an_agent_does_not_disturb_a_turn(
    hass: HomeAssistant,
    gateway: ScriptedGateway,
    entity_registry: er.EntityRegistry,
    device_registry: dr.DeviceRegistry,
) -> None:
    """The connection and the turns of other agents go on."""
    introduce(gateway, "main", "cook")
    entry = await add_entry(hass, gateway)
    go_on = asyncio.Event()
    gateway.script(
        Expect(
            "agent",
            reply=accepted(),
            emit=[started(), said("One, "), wait_for(go_on), said("two."), ended(), response_ok()],
        )
    )
    turn = hass.async_create_background_task(ask(hass), "turn")
    await gateway.wait_for_request("agent")
    result = await choose(hass, await begin(hass, entry), "cook")
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert entity_registry.async_get("conversation.cook") is not None
    [added] = [s for s in entry.subentries.values() if s.unique_id == "cook"]
    assert hass.config_entries.async_remove_subentry(entry, added.subentry_id)
    await hass.async_block_till_done()
    assert entity_registry.async_get("conversation.cook") is None
    assert hass.states.get("conversation.cook") is None
    assert len(dr.async_entries_for_config_entry(device_registry, entry.entry_id)) == 2
    go_on.set()
    assert speech_of(await turn) == "One, two."
    assert gateway.connections.total == 1


async def test_nothing_is_offered_when_all_agents_are_there(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """There is nothing to choose from."""
    result = await begin(hass, await add_entry(hass, friendly))
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "no_further_agents"


async def test_an_agent_that_was_added_meanwhile_is_refused(
    hass: HomeAssistant, gateway: ScriptedGateway
) -> None:
    """Two people may have the form open."""
    introduce(gateway, "main", "cook", "poet")
    entry = await add_entry(hass, gateway)
    first, second = await begin(hass, entry), await begin(hass, entry)
    assert (await choose(hass, first, "cook"))["type"] is FlowResultType.CREATE_ENTRY
    result = await choose(hass, second, "cook")
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"


async def test_an_agent_that_has_gone_meanwhile_is_not_added(
    hass: HomeAssistant, gateway: ScriptedGateway
) -> None:
    """The form comes back with what there is now."""
    introduce(gateway, "main", "cook", "poet")
    entry = await add_entry(hass, gateway)
    form = await begin(hass, entry)
    introduce(gateway, "main", "poet")
    form = await choose(hass, form, "cook")
    assert form["type"] is FlowResultType.FORM
    assert offered(form) == ["poet"]
    assert (await choose(hass, form, "poet"))["type"] is FlowResultType.CREATE_ENTRY


async def test_agents_cannot_be_added_before_the_entry_is_loaded(
    hass: HomeAssistant, gateway: ScriptedGateway
) -> None:
    """The gateway must be asked which agents it has."""
    result = await begin(hass, make_entry(hass, gateway))
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "entry_not_loaded"


@pytest.mark.parametrize(
    "step",
    [
        Expect("agents.list", reply=missing_scope("operator.read")),
        Expect("agents.list", emit=[drop()]),
    ],
    ids=["refused", "connection lost"],
)
async def test_a_gateway_that_does_not_tell_its_agents_ends_the_flow(
    hass: HomeAssistant, friendly: ScriptedGateway, step: Expect
) -> None:
    """The next try finds them."""
    introduce(friendly, "main", "cook")
    entry = await add_entry(hass, friendly)
    friendly.script(step)
    result = await begin(hass, entry)
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "no_agent_list"
    entry.runtime_data.client.warm()
    await entry.runtime_data.client.wait_ready(10)
    assert (await begin(hass, entry))["type"] is FlowResultType.FORM


# What is stored, and what the options show


async def test_an_agent_is_offered_by_name_and_emoji(
    hass: HomeAssistant, gateway: ScriptedGateway
) -> None:
    """The id is there to be sure, unless it is the name."""
    details = {"cook": {"name": "x", "identity": {"name": "Cook", "emoji": "🍲"}}}
    introduce(gateway, "main", "cook", "poet", details=details)
    form = await begin(hass, await add_entry(hass, gateway))
    assert form["data_schema"] is not None
    options = form["data_schema"].schema["agent_id"].config["options"]
    assert [option["label"] for option in options] == ["🍲 Cook (cook)", "poet"]


async def test_just_submitting_stores_what_the_gateway_told_and_the_defaults(
    hass: HomeAssistant, gateway: ScriptedGateway
) -> None:
    """The defaults are good enough for everybody."""
    details = {"cook": {"identity": {"name": "Cook", "emoji": "🍲"}}}
    introduce(gateway, "main", "cook", details=details)
    entry = await add_entry(hass, gateway)
    form = await submit(hass, await begin(hass, entry), {"agent_id": "cook"})
    assert (form["type"], form["step_id"], form["last_step"]) == ("form", "options", True)
    assert await submit(hass, form, JUST_SUBMIT)
    [added] = [s for s in entry.subentries.values() if s.unique_id == "cook"]
    told = {"agent_id": "cook", "name": "Cook", "emoji": "🍲"}
    assert added.data == told | AgentOptions().as_data()


async def test_an_agent_that_is_added_while_its_options_are_open_is_refused(
    hass: HomeAssistant, gateway: ScriptedGateway
) -> None:
    """Somebody else was faster."""
    introduce(gateway, "main", "cook")
    entry = await add_entry(hass, gateway)
    slow = await submit(hass, await begin(hass, entry), {"agent_id": "cook"})
    assert (await choose(hass, await begin(hass, entry), "cook"))["type"] == "create_entry"
    result = await submit(hass, slow, JUST_SUBMIT)
    assert (result["type"], result["reason"]) == ("abort", "already_configured")


async def test_the_gateway_names_models_and_levels(
    hass: HomeAssistant, gateway: ScriptedGateway
) -> None:
    """Levels are the agent's own, until another model is chosen; it has its own ones."""
    introduce(gateway, "main", details={"main": {"thinkingLevels": LEVELS}}, models=MODELS)
    entry = await add_entry(hass, gateway)
    form = await change(hass, entry)
    assert choices_of(form, "model", "thinking") == ["off", "high"]
    assert choices_of(form, "model", "model") == [
        {"value": "local/small", "label": "Small (local/small)"},
        {"value": "cloud/big", "label": "Big (cloud/big)"},
    ]
    chosen = JUST_SUBMIT | {"model": {"model": "cloud/big", "thinking": "high"}}
    result = await submit(hass, form, chosen)
    assert (result["type"], result["reason"]) == ("abort", "reconfigure_successful")
    options = AgentOptions.from_data(entry.subentries["subentry-main"].data)
    assert options == AgentOptions(model="cloud/big", thinking="high")
    form = await change(hass, entry)
    assert shown(form)["model"] == {"model": "cloud/big", "thinking": "high"}
    assert choices_of(form, "model", "thinking") == ["max", "high"]
    await submit(hass, form, JUST_SUBMIT | {"model": {}})
    assert AgentOptions.from_data(entry.subentries["subentry-main"].data) == AgentOptions()


async def test_a_model_that_the_gateway_lost_can_be_kept(
    hass: HomeAssistant, gateway: ScriptedGateway
) -> None:
    """Submitting a form as it is changes nothing."""
    introduce(gateway, models=MODELS)
    stored = AgentOptions(model="cloud/gone", thinking="low")
    entry = await add_entry(hass, gateway, options={"main": stored.as_data()})
    form = await change(hass, entry)
    assert shown(form)["model"] == {"model": "cloud/gone"}
    assert {"value": "cloud/gone", "label": "cloud/gone"} in choices_of(form, "model", "model")
    result = await submit(hass, form, typed_in(form))
    assert result["reason"] == "reconfigure_successful"
    assert AgentOptions.from_data(entry.subentries["subentry-main"].data) == stored


OTHERS: Final[dict[str, dict[str, Any]]] = {
    "conversation": {
        "scope": "area",
        "instructions": "It is {{ 1 + 1 }}.",
        "context": ["area"],
        "only_if_addressed": True,
    },
    "speech": {"spoken_style": "never", "follow_up": "always", "follow_up_limit": 2},
    "long_answers": {
        "patience": 3.5,
        "holding_phrases": ["Wait."],
        "fallback": ["notify.phone"],
        "outage_wait": 0,
    },
    "realtime": {
        "realtime_backend": "gateway",
        "realtime_model": "gpt-realtime",
        "realtime_voice": "cedar",
        "realtime_language": "nl",
        "realtime_silence": 0.7,
        "realtime_asks_first": True,
    },
    "safety": {
        "asks_before_risk": True,
        "offered_as_tool": True,
        "reachable_by_realtime": False,
    },
}


CATALOG: Final[dict[str, Any]] = {
    "realtime": {
        "ready": True,
        "activeProvider": "speaker",
        "providers": [
            {
                "id": "speaker",
                "models": ["small", "large"],
                "voices": ["marin", "cedar"],
                "voicesByModel": {"large": ["sage"]},
            }
        ],
    }
}


async def test_the_gateway_names_voices_and_speech_models(
    hass: HomeAssistant, gateway: ScriptedGateway
) -> None:
    """Those of the chosen model; another one may be typed, and left out again."""
    introduce(gateway, "main", talk=CATALOG)
    entry = await add_entry(hass, gateway)
    form = await change(hass, entry)
    assert choices_of(form, "realtime", "realtime_model") == ["large", "small"]
    assert choices_of(form, "realtime", "realtime_voice") == ["cedar", "marin"]
    await submit(
        hass,
        form,
        JUST_SUBMIT | {"realtime": {"realtime_model": "large", "realtime_voice": "of my own"}},
    )
    options = AgentOptions.from_data(entry.subentries["subentry-main"].data)
    assert options == AgentOptions(realtime_model="large", realtime_voice="of my own")
    form = await change(hass, entry)
    assert choices_of(form, "realtime", "realtime_voice") == ["sage"]
    kept = {"realtime_model": "large", "realtime_voice": "of my own"}
    assert shown(form)["realtime"].items() >= kept.items()
    await submit(hass, form, JUST_SUBMIT)
    stored = AgentOptions.from_data(entry.subentries["subentry-main"].data)
    assert stored == AgentOptions()


async def test_options_are_changed_while_the_gateway_is_away(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """What only the gateway can offer is not shown, and stays."""
    stored = AgentOptions(model="cloud/big", thinking="high")
    entry = await add_entry(hass, friendly, options={"main": stored.as_data()})
    await lose(hass, friendly)
    form = await change(hass, entry)
    assert shown(form).keys() == JUST_SUBMIT.keys()
    result = await submit(hass, form, OTHERS)
    assert result["reason"] == "reconfigure_successful"
    data = entry.subentries["subentry-main"].data
    expected = {name: value for part in OTHERS.values() for name, value in part.items()}
    assert {name: data[name] for name in OPTION_NAMES} == expected | {
        "model": "cloud/big",
        "thinking": "high",
    }
    assert entry.runtime_data.client.snapshot.state == "retry_wait"
    form = await change(hass, entry)
    assert shown(form) == OTHERS


async def test_options_are_changed_of_an_entry_that_is_not_loaded(
    hass: HomeAssistant, gateway: ScriptedGateway
) -> None:
    """The gateway is not needed for that."""
    entry = make_entry(hass, gateway)
    form = await change(hass, entry)
    cleared = JUST_SUBMIT | {"conversation": {"context": []}}
    assert (await submit(hass, form, cleared))["reason"] == "reconfigure_successful"
    data = entry.subentries["subentry-main"].data
    assert AgentOptions.from_data(data) == AgentOptions(context=frozenset())
    assert gateway.connections.total == 0


@pytest.mark.parametrize("method", ["agents.list", "models.list"])
async def test_a_gateway_that_tells_only_a_part_offers_that_part(
    hass: HomeAssistant, gateway: ScriptedGateway, method: str
) -> None:
    """An older gateway, or one with fewer rights for us."""
    introduce(gateway, details={"main": {"thinkingLevels": LEVELS}}, models=MODELS)
    entry = await add_entry(hass, gateway)
    gateway.script(Expect(method, reply=missing_scope("operator.read")))
    form = await change(hass, entry)
    rest = {"agents.list": {"model"}, "models.list": {"thinking"}}[method]
    assert shown(form)["model"].keys() == rest


async def test_a_gateway_that_does_not_answer_does_not_keep_the_form_away(
    hass: HomeAssistant, friendly: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The form comes after some seconds, without what the gateway offers."""
    entry = await add_entry(hass, friendly)
    monkeypatch.setattr(agent_flow, "CHOICES_LIMIT", 0.05)
    friendly.pause_reading()
    form = await change(hass, entry)
    assert shown(form).keys() == JUST_SUBMIT.keys()
    friendly.resume_reading()


async def test_a_template_that_cannot_be_read_is_refused(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The form says so, and nothing is stored."""
    entry = await add_entry(hass, friendly)
    form = await change(hass, entry)
    with pytest.raises(InvalidData):
        await submit(hass, form, JUST_SUBMIT | {"conversation": {"instructions": "{{ x"}})
    assert AgentOptions.from_data(entry.subentries["subentry-main"].data) == AgentOptions()


async def test_instructions_that_are_too_long_are_refused(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The form keeps what was typed, so that it can be shortened."""
    entry = await add_entry(hass, friendly)
    long = "x" * (MAX_INSTRUCTIONS + 1)
    data = JUST_SUBMIT | {
        "conversation": {"instructions": long, "only_if_addressed": True},
        "speech": {"follow_up_limit": 3},
    }
    form = await submit(hass, await change(hass, entry), data)
    assert (form["type"], form["errors"]) == ("form", {"base": "instructions_too_long"})
    typed = typed_in(form)
    assert typed["conversation"]["instructions"] == long
    assert typed["conversation"]["only_if_addressed"] is True
    assert typed["speech"] == {"spoken_style": "auto", "follow_up": "auto", "follow_up_limit": 3}
    typed["conversation"]["instructions"] = long[1:]
    assert (await submit(hass, form, typed))["reason"] == "reconfigure_successful"
    options = AgentOptions.from_data(entry.subentries["subentry-main"].data)
    assert (len(options.instructions), options.follow_up_limit) == (MAX_INSTRUCTIONS, 3)


async def test_the_form_shows_what_the_agent_is_told_at_a_satellite(
    hass: HomeAssistant, friendly: ScriptedGateway, entity_registry: er.EntityRegistry
) -> None:
    """As it would be now, with the options that are stored."""
    stored = AgentOptions(instructions="Call me {{ 'Bo`ss' }}.")
    entry = await add_entry(hass, friendly, options={"main": stored.as_data()})
    told = (await change(hass, entry))["description_placeholders"] or {}
    assert "Satellite" not in told["told"]
    assert "Call me Bo'ss." in told["told"]
    assert max(map(len, told["told"].splitlines())) <= TOLD_WIDTH
    for name, disabled_by in (
        ("attic", er.RegistryEntryDisabler.USER),
        ("kitchen", None),
    ):
        satellite = entity_registry.async_get_or_create(
            "assist_satellite",
            "test",
            name,
            suggested_object_id=name,
            disabled_by=disabled_by,
        )
        entity_registry.async_update_entity(satellite.entity_id, name=f"The {name}")
    told = (await change(hass, entry))["description_placeholders"] or {}
    assert "Satellite: The kitchen" in told["told"]
    without = AgentOptions(context=frozenset(ContextField) - {ContextField.SATELLITE})
    hass.config_entries.async_update_subentry(
        entry, entry.subentries["subentry-main"], data={"agent_id": "main"} | without.as_data()
    )
    told = (await change(hass, entry))["description_placeholders"] or {}
    assert "kitchen" not in told["told"]
