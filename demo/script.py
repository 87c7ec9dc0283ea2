"""What the model server answers, decided from the messages of one request. Pure.

A plain question gets an answer of a few sentences that repeats it. Tests put one of these directives into the
question instead; it ends with its line:

    MODEL:SAY <text>            exactly this text
    MODEL:SLOW <ms> <n>         n words, one every ms milliseconds
    MODEL:PACE <n/s> <n> <word> n words in sentences of ten, so many a second, about the word
    MODEL:LONG <chars>          so many characters of numbered sentences
    MODEL:MD                    markdown, umlauts, emoji and a table
    MODEL:TOOL <name> <json>    some text and a call of this tool; after its result, an answer that quotes it
    MODEL:MEDIA <url> <text>    the text, and a file that belongs to it
    MODEL:NO_REPLY              the word with which an agent keeps silent
    MODEL:EMPTY                 no text at all
    MODEL:FAIL <status>         an HTTP error
    MODEL:HANG <seconds> <text> nothing for so long, then the text; without one, a word
    MODEL:HOLD <text> | <rest>  the text, and the rest once `ModelServer.release` is called with it; without a bar,
                                nothing before the release, then the text

A question that is spoken cannot hold one: then a test teaches beforehand which words stand for which directive.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
import re
from typing import Any, Final

from .voice.likeness import share_heard

type JsonObject = dict[str, Any]

WORD_PAUSE: Final = 0.12
"""Seconds between the words of a plain answer: more than the 75 ms within which the gateway joins deltas."""

SCRIPTED_PAUSE: Final = 0.01
"""Seconds between the pieces of a scripted answer."""

HOLD_LIMIT: Final = 300.0
"""Seconds after which an answer that is held counts as forgotten."""

HOLD_MARK: Final = "|"
"""Between what is said at once and what is held."""

MAX_PIECES: Final = 400
"""A scripted answer is sent in no more pieces than this, so that a long one does not take minutes."""

TOOL_PREFACE: Final = "Let me look that up."
QUOTED_RESULT_CHARS: Final = 200
SENTENCE_WORDS: Final = 10

TAUGHT_SHARE: Final = 0.75
"""How many words of a question that stands for a directive must be there."""

MARKDOWN: Final = (
    "# Küchenlicht 💡\n\nDas Licht ist **an**. A list:\n\n- one *item*\n- another `item`\n\n"
    "| room | light |\n|---|---|\n| kitchen | on |\n\n```python\nprint('on')\n```\n\n"
    "See [the manual](https://example.invalid/manual). 台所 🏠 – done."
)

RETRY_INSTRUCTION: Final = "The previous attempt did not produce a user-visible answer."
"""How the message begins with which the gateway asks once more after an empty or silent answer."""

HEARTBEAT_PROMPT: Final = "Follow the heartbeat monitor"
"""How the message begins with which the gateway wakes an agent; the reason is told in the internal context."""

_SYSTEM_EVENT: Final = re.compile(
    r"^\"?System: \[[^\]\n]*UTC\] (?!New session created)(.+)$", re.MULTILINE
)
_DIRECTIVE: Final = re.compile(r"MODEL:([A-Z_]+)(?:[ \t]+([^\n]*))?")
_TIME_STAMP: Final = re.compile(r"\A\[[A-Z][a-z]{2} \d{4}-\d{2}-\d{2} \d{2}:\d{2}[^\]\n]*\] ?")
_RUNTIME_LINE: Final = re.compile(r"\n+Runtime: agent=[^\n]*")
_CONSULT: Final = re.compile(r"\n\n(?:Context|Spoken style):\n.*\Z", re.DOTALL)
"""What a speech model adds to a question for the agent."""

_INTERNAL_CONTEXT: Final = re.compile(
    r"<<<BEGIN_OPENCLAW_INTERNAL_CONTEXT>>>.*?(?:<<<END_OPENCLAW_INTERNAL_CONTEXT>>>|\Z)", re.DOTALL
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """Stream these pieces, `pause` seconds apart."""

    pieces: tuple[str, ...]
    pause: float = SCRIPTED_PAUSE


@dataclass(frozen=True, slots=True, kw_only=True)
class CallTool:
    """Stream the pieces of a preface, then call a tool with `arguments` (JSON text)."""

    pieces: tuple[str, ...]
    name: str
    arguments: str
    pause: float = SCRIPTED_PAUSE


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail:
    """Answer with an HTTP error."""

    status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hang:
    """Stream the first `begun` pieces, then nothing for `seconds`, then the other pieces."""

    seconds: float
    pieces: tuple[str, ...] = ("late",)
    begun: int = 0
    held: str = ""
    """When a test releases these words the silence ends; without that the answer fails at its end."""


type Reply = Say | CallTool | Fail | Hang


def reply_to(messages: Sequence[JsonObject], taught: Mapping[str, str] | None = None) -> Reply:
    """Decide the answer to one request.

    Args:
        messages: Those of the request.
        taught: Directives by the question that stands for them, which may be heard a little wrong.
    """
    if (result := tool_result(messages)) is not None:
        first_line = (result.splitlines() or [""])[0]
        return Say(pieces=words(f"The tool answered: {first_line[:QUOTED_RESULT_CHARS]}".rstrip()))
    question = _meant(user_text(messages), taught or {})
    if question.startswith(HEARTBEAT_PROMPT):
        question = system_event(messages) or "MODEL:NO_REPLY"
    directives = list(_DIRECTIVE.finditer(question))
    if not directives:
        return Say(pieces=words(plain_answer(question)), pause=WORD_PAUSE)
    name, argument = directives[-1].groups(default="")
    return _scripted(name, argument.strip())


def _meant(question: str, taught: Mapping[str, str]) -> str:
    """Return the directive that a question stands for, or the question."""
    if _DIRECTIVE.search(question):
        return question
    for words_of_it, directive in taught.items():
        if share_heard(words_of_it, question) >= TAUGHT_SHARE:
            return directive
    return question


def plain_answer(question: str) -> str:
    """Return the answer to a question without a directive."""
    return (
        f"You asked: “{question}”. I am a small model on this computer, so I know little about that. "
        "What I can tell you is how your question came here: through Assist in Home Assistant to your OpenClaw "
        "gateway, and from there to me. My words take the same way back, one after the other."
    )


def user_text(messages: Sequence[JsonObject]) -> str:
    """Return what the user said in the current turn, without what the gateway adds to it.

    The gateway puts a time stamp before it, a runtime line after it, and a block of internal context into the same
    or another user message; a speech model adds context and style to its questions.
    When it asks again it speaks as the user.
    """
    for message in reversed(messages):
        if message.get("role") == "user" and (text := _without_additions(_content_text(message))):
            return text
    return ""


def system_event(messages: Sequence[JsonObject]) -> str | None:
    """Return what the gateway tells the agent in this turn on behalf of no user, such as the text of a wake."""
    for message in reversed(messages):
        if message.get("role") == "assistant":
            return None
        context = _content_text(message).replace(r"\n", "\n").replace(r"\"", '"')
        if message.get("role") == "user" and (events := _SYSTEM_EVENT.findall(context)):
            return str(events[-1]).removesuffix('"')
    return None


def tool_result(messages: Sequence[JsonObject]) -> str | None:
    """Return the result of the tool called last, if the user has said nothing since."""
    for message in reversed(messages):
        if message.get("role") == "tool":
            return _content_text(message)
        if message.get("role") == "user" and _without_additions(_content_text(message)):
            return None
    return None


def words(text: str) -> tuple[str, ...]:
    """Split a text into words that carry the white space before them; joined they are the text again."""
    return tuple(re.findall(r"\s*\S+|\s+\Z", text))


def _scripted(name: str, argument: str) -> Reply:
    """Return the reply a directive asks for."""
    fields = argument.split()
    match name:
        case "SAY":
            return Say(pieces=words(argument))
        case "SLOW":
            pause_ms, count = int(fields[0]), int(fields[1])
            pieces = words(" ".join(f"word{number}" for number in range(1, count + 1)))
            return Say(pieces=pieces, pause=pause_ms / 1000)
        case "PACE":
            pace, count, word = float(fields[0]), int(fields[1]), fields[2]
            return Say(pieces=words(_sentences(count, word)), pause=1 / pace)
        case "LONG":
            return Say(pieces=_joined(words(_numbered_sentences(int(fields[0])))))
        case "MD":
            return Say(pieces=words(MARKDOWN))
        case "TOOL":
            tool, _, arguments = argument.partition(" ")
            return CallTool(
                pieces=words(TOOL_PREFACE), name=tool, arguments=arguments.strip() or "{}"
            )
        case "MEDIA":
            url, _, text = argument.partition(" ")
            return Say(pieces=words(f"{text.strip()}\nMEDIA:{url}".lstrip()))
        case "NO_REPLY":
            return Say(pieces=("NO_REPLY",))
        case "EMPTY":
            return Say(pieces=())
        case "FAIL":
            return Fail(status=int(fields[0]))
        case "HANG" | "HOLD":
            return _hang(argument) if name == "HANG" else _hold(argument)
        case _:
            return Say(pieces=words(f"This model knows no directive {name}."))


def _hang(argument: str) -> Hang:
    """Return a reply that comes late, with a text or without one."""
    seconds, _, text = argument.partition(" ")
    if not text:
        return Hang(seconds=float(seconds))
    return Hang(seconds=float(seconds), pieces=words(text.strip()))


def _hold(argument: str) -> Hang:
    """Return a reply whose last words, or all of them, wait for their release."""
    begun, mark, rest = argument.rpartition(HOLD_MARK)
    held = rest.strip()
    pieces = words(begun.strip())
    more = words(f" {held}" if mark else held)
    return Hang(seconds=HOLD_LIMIT, pieces=pieces + more, begun=len(pieces), held=held)


def _sentences(count: int, word: str) -> str:
    """Return so many words in sentences of ten; a last one may be shorter."""
    wheel = ("and", "then", "we", "speak", "of", word, "for", "a", "little", "while")
    texts: list[str] = []
    for number in range(count):
        text = wheel[number % SENTENCE_WORDS]
        is_first = number % SENTENCE_WORDS == 0
        is_last = number % SENTENCE_WORDS == SENTENCE_WORDS - 1 or number == count - 1
        texts.append((text.capitalize() if is_first else text) + ("." if is_last else ""))
    return " ".join(texts)


def _numbered_sentences(chars: int) -> str:
    """Return a text of exactly `chars` characters that does not end in white space."""
    text, number = "", 0
    while len(text) < chars:
        number += 1
        text += f"This is sentence number {number} of a long answer. "
    text = text[:chars]
    return text if text == text.rstrip() else f"{text.rstrip()}."


def _joined(pieces: tuple[str, ...]) -> tuple[str, ...]:
    """Join neighbours until at most `MAX_PIECES` are left."""
    step = -(-len(pieces) // MAX_PIECES)
    return tuple("".join(pieces[at : at + step]) for at in range(0, len(pieces), step or 1))


def _without_additions(text: str) -> str:
    """Strip what the gateway adds to a user message."""
    text = _CONSULT.sub("", _INTERNAL_CONTEXT.sub("", text))
    text = _RUNTIME_LINE.sub("", text).strip()
    text = _TIME_STAMP.sub("", text).strip()
    return "" if text.startswith(RETRY_INSTRUCTION) else text


def _content_text(message: JsonObject) -> str:
    """Return the text of a message whose content is a string or a list of parts."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts: Iterable[JsonObject] = content or ()
    return "\n".join(part.get("text", "") for part in parts if part.get("type") == "text")
