"""What is said to the assistant itself: stop, start over, another agent (pure).

Only a whole utterance counts: "stop", not "stop the music". The sentences are in
`command_sentences.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
import re
from typing import Final
import unicodedata

from hassil import Intents, TextSlotList, recognize

from .command_sentences import SENTENCES, SKIPPED

MAX_LENGTH: Final = 120
"""Characters; nothing longer is a command."""

_FALLBACK: Final = "en"
_TOO_LONG_NAME: Final = 60


@dataclass(frozen=True, slots=True)
class Stop:
    """End what goes on."""


@dataclass(frozen=True, slots=True)
class NewConversation:
    """Forget what was said before."""


@dataclass(frozen=True, slots=True)
class SwitchAgent:
    """Talk to another agent from now on."""

    agent_id: str
    """One of those that were passed with the names."""


type Command = Stop | NewConversation | SwitchAgent


def match(text: str, language: str, agents: Mapping[str, str]) -> Command | None:
    """Return the command an utterance is; None when it is something for the agent.

    Args:
        text: The whole utterance.
        language: Its language, as BCP 47 tag; English is understood where there are no sentences.
        agents: Names of the agents, which may hold emoji -> their ids.
    """
    if len(text) > MAX_LENGTH or not (words := plain(text)):
        return None
    base = re.split("[-_]", language)[0].lower()
    names = _names(agents)
    found = recognize(
        words,
        _intents(base if base in SENTENCES else _FALLBACK),
        slot_lists={"agent": TextSlotList.from_tuples(names.items(), allow_template=False)},
    )
    match found.intent.name if found else None:
        case "Stop":
            return Stop()
        case "NewConversation":
            return NewConversation()
        case "SwitchAgent" if found:
            return SwitchAgent(str(found.entities["agent"].value))
    return None


def _names(agents: Mapping[str, str]) -> dict[str, str]:
    """Return names as they are compared -> ids; of two that sound the same, the first."""
    names: dict[str, str] = {}
    for name, agent_id in agents.items():
        if words := plain(name[:_TOO_LONG_NAME]):
            names.setdefault(words, agent_id)
    return names


@cache
def _intents(language: str) -> Intents:
    """Return the sentences of a language, parsed when they are needed first."""
    return parsed(language, SENTENCES[language], SKIPPED[language])


def parsed(
    language: str, sentences: Mapping[str, Sequence[str]], skipped: Sequence[str]
) -> Intents:
    """Return templates, by intent, that recognise what `plain` makes of a text."""
    return Intents.from_dict(
        {
            "language": language,
            "intents": {
                intent: {"data": [{"sentences": [_without_accents(text) for text in templates]}]}
                for intent, templates in sentences.items()
            },
            "skip_words": [_without_accents(word) for word in skipped],
        }
    )


def plain(text: str) -> str:
    """Return the words of a text in lower case, without accents, punctuation and emoji.

    Who is in a hurry says a word, or all of it, more than once; it counts once.
    """
    words = [word for word, _ in groupby(re.findall(r"[^\W_]+", _without_accents(text)))]
    for length in range(1, len(words) // 2 + 1):
        if words == words[:length] * (len(words) // length):
            return " ".join(words[:length])
    return " ".join(words)


def _without_accents(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(sign for sign in plain if not unicodedata.combining(sign))
