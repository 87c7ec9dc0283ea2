"""The forms of the agent flow: which agents there are, and the options of one, in sections."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from homeassistant.data_entry_flow import SectionConfig, section
from homeassistant.helpers.selector import (
    BooleanSelector,
    EntitySelector,
    EntitySelectorConfig,
    EntityWithDeviceFilterSelectorConfig,
    LanguageSelector,
    LanguageSelectorConfig,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectOptionDict,
    Selector,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TemplateSelector,
    TextSelector,
    TextSelectorConfig,
)
import voluptuous as vol

from .assist.options import (
    FALLBACK_DOMAINS,
    FOLLOW_UP_BOUNDS,
    OUTAGE_WAIT_BOUNDS,
    PATIENCE_BOUNDS,
    SILENCE_BOUNDS,
    AgentOptions,
    ContextField,
    RealtimeBackend,
    When,
)
from .assist.session_key import SessionKind
from .gateway.models import AgentInfo, ModelInfo

OPEN_SECTION: Final = "conversation"
"""The section that is shown open; people rarely need the others."""

type _Fields = dict[vol.Marker, Selector[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What the gateway offers an agent. Nothing while it is away."""

    thinking_levels: tuple[str, ...] = ()
    models: tuple[ModelInfo, ...] = ()
    speech_models: tuple[str, ...] = ()
    voices: tuple[str, ...] = ()
    """Of the speech model the agent has in realtime sessions."""


def agent_selector(agents: Iterable[AgentInfo], *, multiple: bool) -> SelectSelector:
    """Return a selector of agents: by the name people know them by, and the id to be sure."""
    options = [SelectOptionDict(value=agent.agent_id, label=_label(agent)) for agent in agents]
    return SelectSelector(
        SelectSelectorConfig(options=options, multiple=multiple, mode=SelectSelectorMode.LIST)
    )


def options_schema(options: AgentOptions, choices: Choices) -> vol.Schema:
    """Return the form of the options, filled in with those there are.

    What only the gateway can offer is left out while it is away.
    """
    return vol.Schema(
        {
            vol.Required(name): section(
                vol.Schema(fields), SectionConfig(collapsed=name != OPEN_SECTION)
            )
            for name, fields in _sections(options, choices).items()
        }
    )


def read_options(
    user_input: Mapping[str, Mapping[str, Any]], options: AgentOptions, choices: Choices
) -> AgentOptions:
    """Return the options as they were filled in. What the form did not show stays as it is."""
    typed = {
        str(marker): user_input[name].get(str(marker))
        for name, fields in _sections(options, choices).items()
        for marker in fields
    }
    return AgentOptions.from_data(options.as_data() | typed)


def _sections(options: AgentOptions, choices: Choices) -> dict[str, _Fields]:
    stored = options.as_data()
    sections: dict[str, _Fields] = {
        OPEN_SECTION: {
            _set("scope", stored): _of_enum(SessionKind, "session_scope"),
            _clearable("instructions", stored): TemplateSelector(),
            _set("context", stored): _of_names(
                [member.value for member in ContextField], "context_field", multiple=True
            ),
            _set("only_if_addressed", stored): BooleanSelector(),
        },
        "speech": {
            _set("spoken_style", stored): _of_enum(When, "spoken_style"),
            _set("follow_up", stored): _of_enum(When, "follow_up"),
            _set("follow_up_limit", stored): _number(FOLLOW_UP_BOUNDS, step=1),
        },
        "long_answers": {
            _set("patience", stored): _number(PATIENCE_BOUNDS, step=0.5, unit="s"),
            _clearable("holding_phrases", stored): TextSelector(TextSelectorConfig(multiple=True)),
            _clearable("fallback", stored): EntitySelector(
                EntitySelectorConfig(
                    filter=EntityWithDeviceFilterSelectorConfig(domain=[*FALLBACK_DOMAINS]),
                    multiple=True,
                    reorder=True,
                )
            ),
            _set("outage_wait", stored): _number(OUTAGE_WAIT_BOUNDS, step=1, unit="s"),
        },
        "realtime": {
            _set("realtime_backend", stored): _of_enum(RealtimeBackend, "realtime_backend"),
            _clearable("realtime_model", stored): _text_or_one_of(choices.speech_models),
            _clearable("realtime_voice", stored): _text_or_one_of(choices.voices),
            _clearable("realtime_language", stored): LanguageSelector(
                LanguageSelectorConfig(native_name=True)
            ),
            _clearable("realtime_silence", stored): _number(SILENCE_BOUNDS, step=0.1, unit="s"),
            _set("realtime_asks_first", stored): BooleanSelector(),
        },
    }
    if offered := _offered(options, stored, choices):
        sections["model"] = offered
    return sections | {
        "safety": {
            _set("asks_before_risk", stored): BooleanSelector(),
            _set("offered_as_tool", stored): BooleanSelector(),
            _set("reachable_by_realtime", stored): BooleanSelector(),
        },
    }


def _offered(options: AgentOptions, stored: Mapping[str, Any], choices: Choices) -> _Fields:
    """Return the fields whose values the gateway names. A stored value can always be kept."""
    fields: _Fields = {}
    if choices.models:
        models = {model.reference: model for model in choices.models if model.is_available}
        labels = {reference: f"{model.name} ({reference})" for reference, model in models.items()}
        if options.model is not None:
            labels.setdefault(options.model, options.model)
        fields[_clearable("model", stored)] = SelectSelector(
            SelectSelectorConfig(
                options=[SelectOptionDict(value=key, label=text) for key, text in labels.items()],
                mode=SelectSelectorMode.DROPDOWN,
            )
        )
    levels = {model.reference: model.thinking_levels for model in choices.models}
    if known := levels.get(options.model or "") or choices.thinking_levels:
        kept = [options.thinking] if options.thinking is not None else []
        fields[_clearable("thinking", stored)] = _of_names(
            [*dict.fromkeys((*known, *kept))], "thinking_level"
        )
    return fields


def _set(name: str, stored: Mapping[str, Any]) -> vol.Marker:
    """Return the key of a field that always has a value."""
    return vol.Required(name, default=stored[name])


def _clearable(name: str, stored: Mapping[str, Any]) -> vol.Marker:
    """Return the key of a field that may be left empty."""
    return vol.Optional(name, description={"suggested_value": stored[name]})


def _of_enum(kind: type[StrEnum], key: str) -> SelectSelector:
    return _of_names([member.value for member in kind], key)


def _of_names(names: list[str], key: str, *, multiple: bool = False) -> SelectSelector:
    """Return a selector of names whose texts the translations hold under `key`."""
    return SelectSelector(
        SelectSelectorConfig(
            options=names,
            multiple=multiple,
            mode=SelectSelectorMode.LIST if multiple else SelectSelectorMode.DROPDOWN,
            translation_key=key,
        )
    )


def _text_or_one_of(names: Iterable[str]) -> Selector[Any]:
    """Return a selector of names that takes others, too: the gateway may not tell all of them."""
    options = sorted(names)
    if not options:
        return TextSelector()
    return SelectSelector(
        SelectSelectorConfig(options=options, custom_value=True, mode=SelectSelectorMode.DROPDOWN)
    )


def _number(bounds: tuple[float, float], *, step: float, unit: str | None = None) -> NumberSelector:
    config = NumberSelectorConfig(
        min=bounds[0], max=bounds[1], step=step, mode=NumberSelectorMode.BOX
    )
    if unit is not None:
        config["unit_of_measurement"] = unit
    return NumberSelector(config)


def _label(agent: AgentInfo) -> str:
    name = f"{agent.emoji} {agent.name}" if agent.emoji else agent.name
    return name if agent.name == agent.agent_id else f"{name} ({agent.agent_id})"
