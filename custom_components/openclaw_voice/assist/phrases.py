"""What is said in place of the agent, or besides it, in the user's language.

Sentences about errors are not here: `exceptions.py` has them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
import re
from typing import Final

from homeassistant.core import HomeAssistant
from homeassistant.helpers.translation import async_get_translations

from .speech import SpeechWords

_DOMAIN: Final = "openclaw_voice"
_CATEGORY: Final = "common"

MAX_TOOL_NAME: Final = 30
"""Characters of the name of a tool that is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrases:
    """Sentences of one language. Every field is a key of the translations."""

    table: str
    """Said in place of a table."""

    code: str
    """Said in place of a block of code."""

    link: str
    """Said in place of an address."""

    file: str
    """Said when an answer comes with pictures or other files."""

    holding: str
    """Ends a turn whose answer comes later."""

    holding_tool: str
    """The same, with the placeholder `{tool}`; see `holding_with`."""

    no_answer: str
    """Shown, not said: the agent decided that nothing needs to be said."""

    stopped: str
    """After "stop": the answer is ended."""

    task_stopped: str
    """After "stop": the task that went on without its turn is ended."""

    nothing_to_stop: str
    new_conversation: str
    agent_switched: str
    """With the placeholder `{agent}`; see `switched_to`."""

    approval_awaited: str
    """In the middle of a turn that waits for an approval."""

    question_options: str
    """Before a question of the agent, with the placeholder `{options}`; see `options_of`."""

    question_elsewhere: str
    """After a question of the agent that cannot be answered in one sentence."""

    question_answered: str
    """After the answer to a question of the agent, which goes on with it."""

    late_title: str
    """Title of a notification, with the placeholder `{agent}`; see `title_of`."""

    late_ready: str
    """Before a late answer."""

    late_more: str
    """Between late answers that are said together."""

    late_done: str
    """In place of a late answer in which nothing is left to say."""

    late_failed: str
    """In place of a late answer when nothing is known about why there is none."""

    @property
    def words(self) -> SpeechWords:
        """What speech puts in place of what cannot be read aloud."""
        return SpeechWords(table=self.table, code=self.code, link=self.link)

    def holding_with(self, tool: str | None) -> str:
        """Return the holding phrase; it names the tool, as people would say it, when one is known.

        A name nobody would say is left out, as those of tools of other servers often are.
        """
        name = re.sub(r"[\W_]+", " ", tool or "").strip()
        is_fit = 0 < len(name) <= MAX_TOOL_NAME
        return self.holding_tool.format(tool=name) if is_fit else self.holding

    def options_of(self, options: Sequence[str]) -> str:
        """Return the sentence about what can be answered to a question."""
        return self.question_options.format(options=", ".join(options))

    def switched_to(self, agent: str) -> str:
        """Return the sentence that another agent, by name, listens from now on."""
        return self.agent_switched.format(agent=agent)

    def title_of(self, agent: str) -> str:
        """Return the title of a notification with a late answer of an agent, by name."""
        return self.late_title.format(agent=agent)


PHRASE_KEYS: Final = tuple(field.name for field in fields(Phrases))


async def async_phrases(hass: HomeAssistant, language: str) -> Phrases:
    """Return the phrases of a language, in English where there is no translation."""
    texts = await async_texts(hass, language, _CATEGORY)
    return Phrases(**{key: texts[key] for key in PHRASE_KEYS})


async def async_texts(hass: HomeAssistant, language: str, category: str) -> dict[str, str]:
    """Return our texts of a category by their keys, in English where there is no translation."""
    english = found = await async_get_translations(hass, "en", category, {_DOMAIN})
    # Voices have languages such as de-DE or de_DE; Home Assistant itself falls back to English.
    for tag in (language, re.split("[-_]", language)[0].lower()):
        if found == english:
            found = await async_get_translations(hass, tag, category, {_DOMAIN})
    prefix = f"component.{_DOMAIN}.{category}."
    return {key.removeprefix(prefix): text for key, text in found.items()}
