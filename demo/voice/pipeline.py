"""A pipeline of Assist that hears and speaks, with the voice server behind it."""

from collections.abc import Mapping
from typing import Final

from ..client import HomeAssistantClient, HomeAssistantError, JsonObject
from ..config_flow import run_config_flow
from .server import VoiceServer

WYOMING: Final = "wyoming"
LANGUAGE: Final = "en"


async def add_wyoming(client: HomeAssistantClient, title: str, port: int) -> str:
    """Let Home Assistant connect to a Wyoming server of ours, unless it does already.

    Args:
        client: A client of the Home Assistant.
        title: The server's name, by which its config entry is known.
        port: Where on this computer it listens.

    Returns:
        The id of the config entry, which is loaded.

    Raises:
        HomeAssistantError: The config flow or the setup failed.
    """
    known = [entry for entry in await client.entries(WYOMING) if entry["title"] == title]
    if known:
        entry_id: str = known[0]["entry_id"]
    else:
        answer: JsonObject = {"host": "127.0.0.1", "port": port}
        result = await run_config_flow(client, WYOMING, {"user": answer}, _no_wait)
        entry_id = result["result"]["entry_id"]
    await client.wait_for_entry(entry_id, "loaded")
    return entry_id


async def add_voice(client: HomeAssistantClient, server: VoiceServer) -> dict[str, str]:
    """Add a voice server and return the fields of a pipeline that hears and speaks by it.

    Raises:
        HomeAssistantError: It cannot be added, or has not both entities.
    """
    entry_id = await add_wyoming(client, server.name, server.port)
    rows = await client.call("config/entity_registry/list")
    mine = [row["entity_id"] for row in rows if row["config_entry_id"] == entry_id]
    fields: dict[str, str] = {}
    for kind in ("stt", "tts"):
        found = [entity_id for entity_id in mine if entity_id.startswith(f"{kind}.")]
        if not found:
            raise HomeAssistantError(f"{server.name} has no entity of the kind {kind}.")
        fields[f"{kind}_engine"] = found[0]
        fields[f"{kind}_language"] = LANGUAGE
    return fields


async def prefer_voice(
    client: HomeAssistantClient, agent_id: str, server: VoiceServer, *, name: str
) -> str:
    """Make a pipeline with an agent and a voice server the preferred one, and return its id.

    A pipeline of this name that has both already is taken.

    Raises:
        HomeAssistantError: The voice cannot be added.
    """
    fields = await add_voice(client, server)
    known = await client.call("assist_pipeline/pipeline/list")
    wanted = {**fields, "name": name, "conversation_engine": agent_id}
    ours = [row["id"] for row in known["pipelines"] if row.items() >= wanted.items()]
    pipeline_id = ours[0] if ours else await client.create_pipeline(agent_id, name, fields)
    await client.call("assist_pipeline/pipeline/set_preferred", pipeline_id=pipeline_id)
    return str(pipeline_id)


def _no_wait(shown: Mapping[str, str]) -> None:
    """Say that the flow waits, which this one never does."""
    raise HomeAssistantError(f"The config flow waits for something: {dict(shown)}.")
