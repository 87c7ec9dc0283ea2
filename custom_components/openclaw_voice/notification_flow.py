"""The options of an entry: who is told what the gateway says on its own, and what voice costs."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from homeassistant.config_entries import ConfigFlowResult, OptionsFlow
from homeassistant.data_entry_flow import SectionConfig, section
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.selector import (
    BooleanSelector,
    EntitySelector,
    EntitySelectorConfig,
    EntityWithDeviceFilterSelectorConfig,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    Selector,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TimeSelector,
)
import voluptuous as vol

from .const import DOMAIN
from .outbox.notification import NotificationKind
from .outbox.notification_options import (
    EXPIRES_BOUNDS,
    NOTIFY_DOMAIN,
    SATELLITE_DOMAIN,
    NotificationOptions,
)
from .realtime_usage import CONF_PRICE, MAX_PRICE, price_of

COST_SECTION: Final = "realtime"

OPEN_SECTIONS: Final = frozenset({"where", "what"})
"""The sections that are shown open; without the first nothing is told."""

KIND_TEXTS: Final = "notification_kind"
"""Where the translations name the kinds; triggers share it."""

type _Fields = dict[vol.Marker, Selector[Any]]


class NotificationOptionsFlow(OptionsFlow):
    """Changes who is told what. The entry goes on meanwhile, and is not reloaded."""

    async def async_step_init(
        self, user_input: dict[str, dict[str, Any]] | None = None
    ) -> ConfigFlowResult:
        """Show the options there are, and store what was made of them."""
        stored = NotificationOptions.from_data(self.config_entry.options)
        price = price_of(self.config_entry.options)
        schema = notification_schema(stored, own=self._own_entities()).extend(
            cost_schema(price, self.hass.config.currency).schema
        )
        errors = {}
        if user_input is not None:
            options = read_notification_options(user_input, stored)
            if has_both_ends(options):
                # Other pieces may keep their options beside these.
                kept = {**self.config_entry.options, **options.as_data()}
                kept.pop(CONF_PRICE, None)
                if (typed := price_of(user_input[COST_SECTION])) is not None:
                    kept[CONF_PRICE] = typed
                return self.async_create_entry(data=kept)
            errors["base"] = "quiet_hours"
        return self.async_show_form(
            step_id="init",
            data_schema=self.add_suggested_values_to_schema(schema, user_input),
            errors=errors,
        )

    def _own_entities(self) -> list[str]:
        """Return the entities that take messages to agents: they are not told what agents say."""
        entities = er.async_get(self.hass).entities.values()
        return [
            entity.entity_id
            for entity in entities
            if entity.platform == DOMAIN and entity.domain == NOTIFY_DOMAIN
        ]


def notification_schema(options: NotificationOptions, *, own: Sequence[str] = ()) -> vol.Schema:
    """Return the form of the options, filled in with those there are.

    `own` are notify entities that are not offered.
    """
    return vol.Schema(
        {
            vol.Required(name): section(
                vol.Schema(fields), SectionConfig(collapsed=name not in OPEN_SECTIONS)
            )
            for name, fields in _sections(options.as_data(), own).items()
        }
    )


def cost_schema(price: float | None, currency: str) -> vol.Schema:
    """Return the form of what realtime voice costs."""
    field = NumberSelector(
        NumberSelectorConfig(
            min=0,
            max=MAX_PRICE,
            step="any",
            mode=NumberSelectorMode.BOX,
            unit_of_measurement=f"{currency}/min",
        )
    )
    fields = vol.Schema({_clearable(CONF_PRICE, {CONF_PRICE: price}): field})
    return vol.Schema({vol.Required(COST_SECTION): section(fields, SectionConfig(collapsed=True))})


def read_notification_options(
    user_input: Mapping[str, Mapping[str, Any]], options: NotificationOptions
) -> NotificationOptions:
    """Return the options as they were filled in; a field that was left empty is empty."""
    typed = {
        str(marker): user_input[name].get(str(marker))
        for name, fields in _sections(options.as_data()).items()
        for marker in fields
    }
    return NotificationOptions.from_data(typed)


def has_both_ends(options: NotificationOptions) -> bool:
    """Return whether the quiet hours are hours, or there are none."""
    if options.quiet_from is None and options.quiet_to is None:
        return True
    return None not in (options.quiet_from, options.quiet_to) and (
        options.quiet_from != options.quiet_to
    )


def _sections(stored: Mapping[str, Any], own: Sequence[str] = ()) -> dict[str, _Fields]:
    return {
        "where": {
            _clearable("satellites", stored): _entities(SATELLITE_DOMAIN),
            _clearable("notify", stored): _entities(NOTIFY_DOMAIN, own),
            _set("persistent", stored): BooleanSelector(),
        },
        "what": {
            _set("kinds", stored): SelectSelector(
                SelectSelectorConfig(
                    options=[kind.value for kind in NotificationKind],
                    multiple=True,
                    mode=SelectSelectorMode.LIST,
                    translation_key=KIND_TEXTS,
                )
            ),
        },
        "when": {
            _clearable("quiet_from", stored): TimeSelector(),
            _clearable("quiet_to", stored): TimeSelector(),
            _set("expires", stored): NumberSelector(
                NumberSelectorConfig(
                    min=EXPIRES_BOUNDS[0],
                    max=EXPIRES_BOUNDS[1],
                    step=1,
                    mode=NumberSelectorMode.BOX,
                    unit_of_measurement="min",
                )
            ),
        },
        "reply": {
            _set("listens", stored): BooleanSelector(),
            _set("asks_approvals", stored): BooleanSelector(),
        },
    }


def _set(name: str, stored: Mapping[str, Any]) -> vol.Marker:
    """Return the key of a field that always has a value."""
    return vol.Required(name, default=stored[name])


def _clearable(name: str, stored: Mapping[str, Any]) -> vol.Marker:
    """Return the key of a field that may be left empty."""
    return vol.Optional(name, description={"suggested_value": stored[name]})


def _entities(domain: str, left_out: Sequence[str] = ()) -> EntitySelector:
    return EntitySelector(
        EntitySelectorConfig(
            filter=EntityWithDeviceFilterSelectorConfig(domain=domain),
            exclude_entities=[*left_out],
            multiple=True,
        )
    )
