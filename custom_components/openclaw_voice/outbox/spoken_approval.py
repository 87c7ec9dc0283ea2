"""Asks for an approval aloud, where the options want that. `announcer` tells where and when.

Only a clear yes allows, this once, and only what was said whole. A clear no denies. Anything else
leaves it open for whoever decides elsewhere.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
import logging
import re
from typing import Final

from homeassistant.const import ATTR_ENTITY_ID
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers.event import async_track_state_change_event

from ..gateway.approvals import ALLOW_ONCE, DENY, Approval, ApprovalKind
from ..gateway.errors import ApprovalGoneError, GatewayError
from .late_answer import cut
from .notification import Notification
from .open_requests import OpenRequests
from .queue import Ask
from .satellites import SATELLITE
from .wording import with_end

_LOGGER: Final = logging.getLogger(__name__)

MAX_SAID: Final = 240
"""Characters of a command that people listen to: a quarter of a minute."""

MAX_WARNING: Final = 160

LISTENING: Final = "listening"
"""The state of a satellite that hears somebody. Source: `AssistSatelliteState` of Home Assistant."""

QUESTION: Final = "approval_question"
PARTLY_SAID: Final = "approval_partly_said"
ALLOWED: Final = "approval_allowed"
DENIED: Final = "approval_denied"
LEFT_OPEN: Final = "approval_open"
OVER: Final = "approval_over"
"""Slugs of what is said, in the `common` translations."""

_UNHEARD: Final = re.compile(r"[;|&<>*?$`\\!#%^~(){}\[\]\n]")
"""Signs that change what a command does, and that voices leave out."""

_WORD: Final = re.compile(r"[^\W_]+")


class SpokenApproval:
    """Asks people at satellites whether an agent may do something."""

    def __init__(
        self,
        hass: HomeAssistant,
        requests: OpenRequests,
        *,
        speak: Callable[[str, str], Awaitable[str]],
        texts: Callable[[str], Awaitable[Mapping[str, str]]],
        explain: Callable[[str, GatewayError], Awaitable[str]],
        can_understand: Callable[[str], bool],
        understand: Callable[[str, str], bool | None],
    ) -> None:
        """Nobody is asked before somebody calls what `ask_of` returns.

        Args:
            hass: Home Assistant.
            requests: What waits for people.
            speak: What the gateway wrote, and its language -> what may be said.
            texts: A language -> the texts of the slugs above.
            explain: A language and an error -> the sentence about it.
            can_understand: Whether yes and no are known in a language.
            understand: What somebody said, and the language -> yes, no, or neither.
        """
        self._hass = hass
        self._requests = requests
        self._speak = speak
        self._texts = texts
        self._explain = explain
        self._can_understand = can_understand
        self._understand = understand

    @callback
    def ask_of(self, notification: Notification) -> Ask | None:
        """Return what asks for the approval of a notification; None when it can only be announced."""
        approval = self._waiting(str(notification.data.get("approval_id")))
        if approval is None or not self._can_understand(self._hass.config.language):
            return None
        # Who can only be refused an answer must not be asked.
        return partial(self._async_ask, approval.id) if DENY in approval.decisions else None

    async def _async_ask(self, approval_id: str, satellite_id: str, text: str) -> None:
        """Ask at a satellite, `text` first, and do what is answered.

        Raises:
            TimeoutError: Nobody knows what was heard.
            HomeAssistantError: The satellite cannot ask.
        """
        approval = self._waiting(approval_id)
        if approval is None:
            return  # It was decided before the satellite had time for it.
        language = self._hass.config.language
        texts = await self._texts(language)
        said, is_whole = await self._async_said(approval, language)
        may_allow = is_whole and ALLOW_ONCE in approval.decisions
        question = f"{text} {said} {texts[QUESTION if may_allow else PARTLY_SAID]}"
        answer = await self._async_listen(satellite_id, question)
        if answer is None:
            return  # Nobody is there.
        is_yes = self._understand(answer, language)
        if is_yes is None or (is_yes and not may_allow):
            await self._async_say(satellite_id, texts[LEFT_OPEN])
            return
        try:
            await self._requests.async_resolve(approval_id, ALLOW_ONCE if is_yes else DENY)
            sentence = texts[ALLOWED if is_yes else DENIED]
        except ApprovalGoneError:
            sentence = texts[OVER]
        except GatewayError as err:
            sentence = await self._explain(language, err)
        await self._async_say(satellite_id, sentence)

    def _waiting(self, approval_id: str) -> Approval | None:
        request = self._requests.get(approval_id)
        return request if isinstance(request, Approval) else None

    async def _async_said(self, approval: Approval, language: str) -> tuple[str, bool]:
        """Return what is said of an approval, and whether that is all of it."""
        command = (await self._speak(approval.command, language)).strip()
        is_whole = (
            not approval.is_cut
            and len(command) <= MAX_SAID
            and _words(command) == _words(approval.command) != []
            and (approval.kind is ApprovalKind.PLUGIN or not _UNHEARD.search(approval.command))
        )
        parts = [cut(command, MAX_SAID)]
        if approval.warning:
            warning = (await self._speak(approval.warning, language)).strip()
            parts.append(cut(warning, MAX_WARNING))
        return " ".join(with_end(part, ".") for part in parts if part), is_whole

    # the satellite

    async def _async_listen(self, satellite_id: str, question: str) -> str | None:
        """Ask, and return what is answered; None when nobody says anything."""
        has_listened = False

        @callback
        def note(event: Event[EventStateChangedData]) -> None:
            nonlocal has_listened
            state = event.data["new_state"]
            has_listened = has_listened or (state is not None and state.state == LISTENING)

        stop = async_track_state_change_event(self._hass, satellite_id, note)
        try:
            answer = await self._hass.services.async_call(
                SATELLITE,
                "ask_question",
                {ATTR_ENTITY_ID: satellite_id, "question": question},
                blocking=True,
                return_response=True,
            )
        except Exception as err:
            if not has_listened:
                raise
            _LOGGER.info("%s got no answer: %s", satellite_id, type(err).__name__)
            return None
        finally:
            stop()
        return str((answer or {}).get("sentence") or "")

    async def _async_say(self, satellite_id: str, sentence: str) -> None:
        """Say what became of it. What was decided is decided, heard or not."""
        try:
            await self._hass.services.async_call(
                SATELLITE,
                "announce",
                {ATTR_ENTITY_ID: satellite_id, "message": sentence, "preannounce": False},
                blocking=True,
            )
        except Exception as err:  # noqa: BLE001  satellites of other integrations raise what they like
            _LOGGER.info("%s cannot confirm: %s", satellite_id, type(err).__name__)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())
