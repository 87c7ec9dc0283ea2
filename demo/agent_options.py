"""Changes the options of an agent through the page that shows them, as the frontend does."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from .client import HomeAssistantClient, HomeAssistantError, JsonObject
from .stage import Agent

FLOW: Final = "/api/config/config_entries/subentries/flow"
AGENT: Final = "agent"
"""The type of the subentry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The page of an agent's options, as it is shown."""

    flow_id: str
    told: str
    """What the agent is told, as the page says."""

    sections: Mapping[str, Mapping[str, object]]
    """What every field holds, by section and name; None where it is empty."""

    @classmethod
    def of(cls, step: JsonObject) -> Self:
        """Read a step of the flow.

        Raises:
            HomeAssistantError: It is another one, or complains.
        """
        if (step["type"], step.get("step_id")) != ("form", "options") or step["errors"]:
            raise HomeAssistantError(f"The page of the options was not shown: {step}")
        sections = {
            section["name"]: {field["name"]: _held(field) for field in section["schema"]}
            for section in step["data_schema"]
        }
        told = step["description_placeholders"]["told"]
        return cls(flow_id=step["flow_id"], told=told, sections=sections)

    def filled_in(self, changes: Mapping[str, object]) -> JsonObject:
        """Return what is sent when these fields are changed and the others left as they are.

        Raises:
            HomeAssistantError: There is no such field.
        """
        left = dict(changes)
        typed = {
            name: {
                key: value
                for key, held in fields.items()
                if (value := left.pop(key, held)) is not None
            }
            for name, fields in self.sections.items()
        }
        if left:
            raise HomeAssistantError(f"The page of the options has no field {', '.join(left)}.")
        return typed

    def held(self, name: str) -> object:
        """Return what one field holds."""
        return next(fields[name] for fields in self.sections.values() if name in fields)


async def open_options(client: HomeAssistantClient, agent: Agent) -> Form:
    """Open the page of an agent's options."""
    rows = await client.agents_of(agent.entry_id)
    (row,) = [row for row in rows if row["entity_id"] == agent.entity_id]
    body = {"handler": [agent.entry_id, AGENT], "subentry_id": row["config_subentry_id"]}
    return Form.of(await client.rest("POST", FLOW, body))


async def send_options(
    client: HomeAssistantClient, form: Form, changes: Mapping[str, object]
) -> None:
    """Send the page with some changes; the next turn uses them.

    Raises:
        HomeAssistantError: They were refused.
    """
    end = await client.rest("POST", f"{FLOW}/{form.flow_id}", form.filled_in(changes))
    if end.get("reason") != "reconfigure_successful":
        raise HomeAssistantError(f"The options were refused: {end}")


def _held(field: JsonObject) -> object:
    """Return what a field of a form holds."""
    return field.get("default", (field.get("description") or {}).get("suggested_value"))
