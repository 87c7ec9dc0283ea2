"""Which session goes on where: generations, continued sessions, and the agent of a satellite."""

from collections.abc import Callable

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback

from .session_key import SessionScope


class SessionRefusedError(Exception):
    """A session cannot be continued."""


class NotOurSessionError(SessionRefusedError):
    """It does not belong to this Home Assistant."""


class OtherAgentsSessionError(SessionRefusedError):
    """It is a session with another agent."""


class Memory:
    """What one entry remembers over restarts about sessions and satellites."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Call `async_load` before anything else."""
        raise NotImplementedError

    async def async_load(self) -> None:
        """Read what was stored. What cannot be read is given up."""
        raise NotImplementedError

    async def async_stop(self) -> None:
        """Write what is not written yet. Nothing is written afterwards."""
        raise NotImplementedError

    @staticmethod
    async def async_remove(hass: HomeAssistant, entry_id: str) -> None:
        """Delete what is stored for an entry that is removed."""
        raise NotImplementedError

    @callback
    def key_of(self, agent_id: str, scope: SessionScope) -> str:
        """Return the key of the session that `scope` has now with an agent."""
        raise NotImplementedError

    @callback
    def new_conversation(self, agent_id: str, scope: SessionScope) -> tuple[str, str]:
        """Start afresh; return the old key and the new one."""
        raise NotImplementedError

    @callback
    def continue_session(self, agent_id: str, scope: SessionScope, key: str) -> None:
        """Let `scope` go on with a session there is.

        Raises:
            NotOurSessionError, OtherAgentsSessionError: It cannot be continued here.
        """
        raise NotImplementedError

    @callback
    def agent_for(self, satellite_id: str) -> str | None:
        """Return the subentry id of the agent chosen for a satellite (an entity id)."""
        raise NotImplementedError

    @callback
    def choose_agent(self, satellite_id: str, subentry_id: str | None) -> None:
        """Let an agent answer at a satellite; None: whichever its pipeline names."""
        raise NotImplementedError

    @callback
    def subscribe(self, listener: Callable[[], None]) -> CALLBACK_TYPE:
        """Call `listener` after every change; return what ends that."""
        raise NotImplementedError
