"""The trigger for automations: something happened on a gateway, with filters.

It follows the bus event, not the objects of an entry, which come and go with every reload.
"""

from collections.abc import Mapping
from typing import Any, Final, cast, override

from homeassistant.const import CONF_OPTIONS
from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.trigger import (
    Trigger,
    TriggerActionRunner,
    TriggerConfig,
    TriggerNotTriggeredReporter,
)
from homeassistant.helpers.typing import ConfigType
import voluptuous as vol

from .assist.phrases import async_phrases
from .assist.speech import spoken
from .const import EVENT_NOTIFICATION
from .named_gateway import (
    CONF_AGENT,
    CONF_GATEWAY,
    NAMES,
    conversation_entity_of,
    named_agent,
    named_gateway,
    still_there,
)
from .outbox.notification import NotificationKind
from .text_pattern import TextPattern

CONF_KIND: Final = "kind"
CONF_TEXT: Final = "text"


def _pattern(value: object) -> str:
    """Return a pattern as it was written; none at all is one that was left empty."""
    text = cv.string(value)
    if text.strip():
        TextPattern(text)
    return text


_SCHEMA: Final = vol.Schema(
    {
        vol.Optional(CONF_OPTIONS, default=dict): {
            vol.Optional(CONF_GATEWAY, default=list): NAMES,
            vol.Optional(CONF_AGENT, default=list): NAMES,
            vol.Optional(CONF_KIND, default=list): vol.All(
                cv.ensure_list, [vol.In([kind.value for kind in NotificationKind])]
            ),
            vol.Optional(CONF_TEXT, default=""): _pattern,
        }
    }
)


class NotificationReceivedTrigger(Trigger):
    """Fires for what happens on the chosen gateways, in the order it is told in."""

    @classmethod
    @override
    async def async_validate_config(cls, hass: HomeAssistant, config: ConfigType) -> ConfigType:
        """Check the filters.

        Raises:
            vol.Invalid: One of them names what is not there, or cannot match anything.
        """
        config = cast("ConfigType", _SCHEMA(config))
        options = config[CONF_OPTIONS]
        for name in options[CONF_GATEWAY]:
            named_gateway(hass, name)
        for name in options[CONF_AGENT]:
            named_agent(hass, name)
        return config

    def __init__(self, hass: HomeAssistant, config: TriggerConfig) -> None:
        """Read the filters, which were validated."""
        super().__init__(hass, config)
        options = config.options or {}
        self._gateways: list[str] = options[CONF_GATEWAY]
        self._agents: list[str] = options[CONF_AGENT]
        self._kinds = frozenset(options[CONF_KIND])
        text = options[CONF_TEXT]
        self._pattern = TextPattern(text) if text.strip() else None

    @override
    async def async_attach_runner(
        self,
        run_action: TriggerActionRunner,
        did_not_trigger: TriggerNotTriggeredReporter | None = None,
    ) -> CALLBACK_TYPE:
        """Run the action for every notification that passes the filters."""
        words = (await async_phrases(self._hass, self._hass.config.language)).words

        @callback
        def on_notification(event: Event[Mapping[str, Any]]) -> None:
            data = event.data
            agent = (data.get("entry_id"), data.get("agent"))
            if self._is_wanted(data) and self._is_from(agent):
                payload = {
                    "notification": dict(data),
                    "agent": conversation_entity_of(self._hass, agent),
                    "spoken": spoken(str(data.get("message", "")), words).strip(),
                }
                kind = str(data.get("kind")).replace("_", " ")
                run_action(payload, f"{kind} on an OpenClaw gateway", event.context)

        return self._hass.bus.async_listen(EVENT_NOTIFICATION, on_notification)

    def _is_wanted(self, data: Mapping[str, Any]) -> bool:
        """Tell whether kind and text are among the chosen ones; no choice takes them all."""
        if self._kinds and data.get("kind") not in self._kinds:
            return False
        text = f"{data.get('title', '')}\n{data.get('message', '')}"
        return self._pattern is None or self._pattern.is_in(text)

    def _is_from(self, agent: tuple[object, object]) -> bool:
        """Tell whether gateway and agent are among the chosen ones; no choice takes them all."""
        # Looked up each time: a device may be gone, or an entity renamed, since the automation was set up.
        if self._gateways:
            gateways = still_there(self._hass, named_gateway, self._gateways)
            if agent[0] not in gateways:
                return False
        return not self._agents or agent in still_there(self._hass, named_agent, self._agents)


TRIGGERS: Final[dict[str, type[Trigger]]] = {"notification_received": NotificationReceivedTrigger}


async def async_get_triggers(_: HomeAssistant) -> dict[str, type[Trigger]]:
    """Return the triggers there are, by their names."""
    return TRIGGERS
