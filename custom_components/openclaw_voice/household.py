"""What the agents of an entry share: which sessions go on, what is owed, what is told unasked."""

import asyncio
from collections.abc import Callable
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback

from .agents import agents_of
from .assist.agent import Agent, House, raise_first
from .assist.consent import can_consent, consent
from .assist.memory import Memory
from .assist.phrases import async_phrases, async_texts
from .assist.session_key import is_ours
from .assist.speech import spoken
from .const import CONF_AGENT_ID
from .exceptions import async_sentence
from .gateway.approvals import Approval
from .gateway.client import GatewayClient
from .gateway.errors import AgentNotFoundError, GatewayError
from .outbox.announcer import Announcer
from .outbox.late_answers import Outbox
from .outbox.notifier import Notifier
from .outbox.open_requests import OpenRequests
from .outbox.spoken_approval import SpokenApproval


class Household:
    """The agents of one entry, with their memory, their outbox and their notifier."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry[Any],
        client: GatewayClient,
        instance_id: str,
        *,
        on_agent_missing: Callable[[], None],
    ) -> None:
        """Nothing is read before `async_load`.

        Args:
            hass: Home Assistant.
            entry: The agents are its subentries.
            client: The client of the entry.
            instance_id: Id of this Home Assistant, a part of every session key.
            on_agent_missing: The gateway says that it does not have one of them.
        """
        self.memory = Memory(hass, entry.entry_id)
        self.outbox = Outbox(
            hass,
            entry,
            client,
            speak=self._async_speak,
            sentence=self._async_phrase,
            explain=lambda error, language: self._async_explain(language, error),
            fallback_of=self._fallback_of,
            agent_name=self._name_of,
        )
        self.requests = OpenRequests(
            hass, entry, client, is_ours=lambda key: is_ours(key, instance_id)
        )
        self.notifier = Notifier(
            hass,
            entry,
            client,
            is_ours=lambda key: is_ours(key, instance_id),
            agent_ids=lambda: [agent.data[CONF_AGENT_ID] for agent in agents_of(entry)],
        )
        self.announcer = Announcer(
            hass,
            entry,
            speak=self._async_speak,
            texts=lambda language: async_texts(hass, language, "common"),
            agent_name=self._name_of_agent,
            unsaid=self.notifier.unsaid,
        )
        self.notifier.remind = self.announcer.async_remind
        self.announcer.ask_approval = SpokenApproval(
            hass,
            self.requests,
            speak=self._async_speak,
            texts=lambda language: async_texts(hass, language, "common"),
            explain=self._async_explain,
            can_understand=can_consent,
            understand=consent,
        ).ask_of
        self.agents: dict[str, Agent] = {}
        """By the id of their subentry."""

        self._hass = hass
        self._entry = entry
        self._on_agent_missing = on_agent_missing
        self._house = House(
            hass=hass,
            entry=entry,
            client=client,
            memory=self.memory,
            outbox=self.outbox,
            explain=self._async_explain,
            agents=self.agents,
        )
        self.async_update()

    @callback
    def agent_at(self, satellite_id: str | None) -> Agent | None:
        """Return the agent that was chosen for a satellite."""
        chosen = self.memory.agent_for(satellite_id) if satellite_id else None
        return self.agents.get(chosen or "")

    @callback
    def agent_of(self, agent_id: str) -> Agent | None:
        """Return an agent by the gateway's id, if it is one of this entry."""
        return next((each for each in self.agents.values() if each.agent_id == agent_id), None)

    @callback
    def async_update(self) -> None:
        """Bring in agents that were added to the entry, and let those go that were removed."""
        subentries = {subentry.subentry_id: subentry for subentry in agents_of(self._entry)}
        for subentry_id in self.agents.keys() - subentries.keys():
            del self.agents[subentry_id]
        for subentry_id, subentry in subentries.items():
            if subentry_id not in self.agents:
                agent_id = subentry.data[CONF_AGENT_ID]
                self.agents[subentry_id] = Agent(self._house, subentry_id, agent_id)

    async def async_load(self) -> None:
        """Read what was remembered."""
        await self.memory.async_load()
        # So that the first turn need not wait for them.
        await async_phrases(self._hass, self._hass.config.language)

    async def async_start(self) -> None:
        """Go on with the answers that are owed, and tell what happens on the gateway."""
        await self.outbox.async_start()
        self.requests.async_start()
        self.announcer.async_start(self.notifier.async_subscribe)
        self.requests.async_subscribe(self._on_requests)
        await self.notifier.async_start()

    async def async_stop(self) -> None:
        """Hand over the turns people listen to, and keep what is owed. Before the client stops."""
        await asyncio.gather(*(agent.async_leave() for agent in self.agents.values()))
        await self.outbox.async_stop()
        await self.notifier.async_stop()
        await self.announcer.async_stop()
        await self.notifier.async_save()
        self.requests.async_stop()
        await self.memory.async_stop()

    async def async_stop_runs(self) -> None:
        """Stop all that goes on for this home, whether somebody waits for it or not.

        Raises:
            GatewayError: The gateway could not be asked to stop one of them.
        """
        raise_first(
            await asyncio.gather(
                *(agent.async_stop_all() for agent in self.agents.values()), return_exceptions=True
            )
        )

    async def _async_explain(self, language: str, error: GatewayError) -> str:
        if isinstance(error, AgentNotFoundError):
            self._on_agent_missing()
        return await async_sentence(self._hass, language, error)

    # for the outbox and the announcer

    async def _async_speak(self, text: str, language: str) -> str:
        return spoken(text, (await async_phrases(self._hass, language)).words)

    async def _async_phrase(self, language: str, slug: str) -> str:
        phrase: str = getattr(await async_phrases(self._hass, language), slug)
        return phrase

    @callback
    def _fallback_of(self, subentry_id: str) -> tuple[str, ...]:
        agent = self.agents.get(subentry_id)
        return agent.options.fallback if agent is not None else ()

    @callback
    def _name_of(self, subentry_id: str) -> str:
        agent = self.agents.get(subentry_id)
        return agent.name if agent is not None else ""

    @callback
    def _on_requests(self) -> None:
        """Let the announcer know what is still open, also when that was decided while we were away."""
        self.announcer.async_note_open(
            frozenset(
                f"approval:{each.id}" if isinstance(each, Approval) else f"question:{each.id}"
                for each in self.requests.pending
            )
        )

    @callback
    def _name_of_agent(self, agent_id: str) -> str | None:
        agent = self.agent_of(agent_id)
        return agent.name if agent is not None else None
