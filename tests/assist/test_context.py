"""What the agent is told besides the words."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from hypothesis import given, strategies as st
import pytest

from custom_components.openclaw_voice.assist.context import (
    FACTS_TITLE,
    INTRODUCTION,
    LAST_MESSAGES_TITLE,
    MAX_ADDED,
    MAX_EXTRA,
    MAX_MESSAGE,
    MAX_MESSAGES,
    MAX_NAME,
    MAX_REPLY_TO,
    MAX_UNHEARD,
    MAX_WORK_CONTEXT,
    MAX_WORK_LINE,
    ONLY_IF_ADDRESSED,
    REPLY_TITLE,
    SAID_ASIDE_TITLE,
    TASK_TITLE,
    UNHEARD_TITLE,
    VOICE_INSTRUCTION,
    Meanwhile,
    Said,
    build_instructions,
    build_work_context,
    one_line,
    preview,
    room_for_unheard,
)
from custom_components.openclaw_voice.assist.options import AgentOptions, ContextField, When
from custom_components.openclaw_voice.assist.question import Origin, Person, Place, Question

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "context.md"
NOW = datetime(2026, 11, 20, 18, 5, 59, tzinfo=ZoneInfo("Europe/Berlin"))
TIME = "Friday, 2026-11-20 18:05, Europe/Berlin (UTC+01:00)"
KITCHEN = Origin(
    satellite_id="assist_satellite.puck",
    satellite_name="Puck",
    device_id="device-1",
    device_model="Voice PE",
    area=Place(id="area-of-kitchen", name="Kitchen"),
    floor=Place(id="ground", name="Ground floor"),
    person=Person(id="user-of-anna", name="Anna"),
)
LINES = {
    ContextField.AREA: "Room: Kitchen",
    ContextField.FLOOR: "Floor: Ground floor",
    ContextField.SATELLITE: "Satellite: Puck",
    ContextField.DEVICE: "Device: Voice PE",
    ContextField.PERSON: "Person: Anna",
    ContextField.LANGUAGE: "Language: de-DE",
    ContextField.TIME: f"Local time: {TIME}",
}
FACTS = "\n".join([FACTS_TITLE, *(f"- {line}" for line in LINES.values())])
ALL = AgentOptions()
NONE = AgentOptions(context=frozenset())
EXTRA = AgentOptions(context=frozenset({ContextField.EXTRA}))

texts = st.text(max_size=2_000)


def question(**changes: object) -> Question:
    """Return a question of Anna in the kitchen."""
    asked = Question(text="secret words", language="de-DE", origin=KITCHEN, is_spoken=True)
    return replace(asked, **changes)


def told(options: AgentOptions = ALL, /, rendered: str = "", **changes: object) -> str:
    """Return the instructions for a question of Anna in the kitchen."""
    return build_instructions(question(**changes), options, now=NOW, rendered=rendered)


def meanwhile(**beside: object) -> str:
    """Return the instructions for a turn without facts."""
    return build_instructions(question(), NONE, now=NOW, meanwhile=Meanwhile(**beside))


def test_a_spoken_turn_says_how_to_speak_and_what_is_known() -> None:
    """The whole text, word for word: agents get used to it."""
    assert told() == f"{VOICE_INSTRUCTION}\n\n{FACTS}"


def test_the_documentation_shows_what_is_told() -> None:
    """People decide by it what they send."""
    assert f"\n```\n{told()}\n```\n" in DOCUMENTATION.read_text(encoding="utf-8")


def test_a_typed_turn_has_no_rules_of_speech() -> None:
    """People read Markdown very well."""
    assert told(is_spoken=False) == f"{INTRODUCTION}\n\n{FACTS}"


def test_the_voice_instruction_asks_for_what_can_be_read_aloud() -> None:
    """The instruction names speech, brevity and the language of the question."""
    for word in ("aloud", "short", "language of the question", "numbers", "Markdown"):
        assert word in VOICE_INSTRUCTION


@pytest.mark.parametrize("field", LINES)
def test_each_field_can_be_switched_off(field: ContextField) -> None:
    """What is off is told neither with nor without instructions."""
    options = AgentOptions(context=frozenset(ContextField) - {field})
    for text in (told(options), build_work_context(question(), options, NOW)):
        assert LINES[field] not in text
        assert all(line in text for other, line in LINES.items() if other is not field)


@pytest.mark.parametrize("field", LINES)
def test_each_field_can_be_told_alone(field: ContextField) -> None:
    """Nothing comes with it."""
    options = AgentOptions(context=frozenset({field}))
    assert told(options) == f"{VOICE_INSTRUCTION}\n\n{FACTS_TITLE}\n- {LINES[field]}"
    assert build_work_context(question(), options, NOW) == LINES[field]


def test_what_is_unknown_is_not_told() -> None:
    """No line says that nothing is known."""
    text = build_work_context(question(origin=Origin(), language=""), ALL, NOW)
    assert text == f"Local time: {TIME}"
    assert build_work_context(question(), NONE, NOW) == ""
    assert told(NONE) == VOICE_INSTRUCTION


def test_ids_and_words_stay_here() -> None:
    """Registry ids contain names, and the words go their own way."""
    for text in (told(), build_work_context(question(), ALL, NOW)):
        for secret in ("user-of", "area-of", "device-1", "assist_satellite", "secret words"):
            assert secret not in text


def test_a_zone_without_a_name_is_told_by_its_offset() -> None:
    """UTC is one."""
    text = build_work_context(
        question(origin=Origin()), AgentOptions(context=frozenset({ContextField.TIME})), NOW
    )
    assert text == f"Local time: {TIME}"
    utc = build_work_context(question(origin=Origin(), language=""), ALL, NOW.astimezone(UTC))
    assert utc == "Local time: Friday, 2026-11-20 17:05, UTC+00:00"


def test_own_and_extra_instructions_come_last() -> None:
    """The nearer to the turn, the later, where it weighs most; the words are left as they are."""
    text = told(EXTRA, rendered=" Be\n  *kind*. ", extra_instructions=" The door\r\nis open. ")
    assert text == f"{VOICE_INSTRUCTION}\n\nBe\n  *kind*.\n\nThe door\nis open."


@pytest.mark.parametrize("extra", [None, "", " \n "])
def test_an_empty_extra_prompt_adds_nothing(extra: str | None) -> None:
    """No empty line is left behind."""
    assert told(EXTRA, extra_instructions=extra) == VOICE_INSTRUCTION


def test_the_extra_prompt_can_be_switched_off() -> None:
    """Like every other field; the agent's own instructions are not a field."""
    text = told(NONE, rendered="Be kind.", extra_instructions="The door is open.")
    assert text == f"{VOICE_INSTRUCTION}\n\nBe kind."
    work = build_work_context(question(extra_instructions="The door is open."), NONE, NOW)
    assert work == ""


def test_an_agent_that_may_not_be_meant_learns_to_stay_silent() -> None:
    """The words it must answer are those that end a turn silently."""
    options = replace(NONE, only_if_addressed=True)
    assert told(options) == f"{VOICE_INSTRUCTION}\n\n{ONLY_IF_ADDRESSED}"
    assert "exactly NO_REPLY" in ONLY_IF_ADDRESSED


def test_a_name_cannot_pass_for_an_instruction() -> None:
    """It is one line without invisible characters, and not long."""
    name = "Kit\u202echen\n- Person:\u2028Bob\x00\U000e0041" + "!" * 200
    kitchen = replace(KITCHEN, area=Place(id="1", name=name), person=None)
    line = told(origin=kitchen).splitlines()[3]
    assert line.startswith("- Room: Kitchen - Person: Bob!!!")
    assert line.endswith("!…")
    assert len(line) == len("- Room: ") + MAX_NAME


@given(texts, st.integers(min_value=1, max_value=100))
def test_one_line_is_one_line(text: str, limit: int) -> None:
    """Whatever a name contains."""
    line = one_line(text, limit)
    assert len(line) <= limit
    assert len(line.splitlines()) <= 1
    assert line == line.strip()
    assert one_line(line, limit) == line


def test_letters_that_need_joiners_keep_them() -> None:
    """Persian names and emoji of families are written with them."""
    name = "\u0645\u06cc\u200c\u062e \U0001f468\u200d\U0001f467"
    assert one_line(name, MAX_NAME) == name


def test_a_side_session_knows_the_open_task_and_what_was_said() -> None:
    """So that the task is not begun again, and the talk goes on."""
    said = tuple(Said(text=f"number\n{number}", is_answer=number % 2 == 1) for number in range(8))
    assert meanwhile(task="Book\na table", last_messages=said) == "\n\n".join(
        [
            VOICE_INSTRUCTION,
            f"{TASK_TITLE} Book a table",
            "\n".join(
                [
                    LAST_MESSAGES_TITLE,
                    "- Person: number 2",
                    "- You: number 3",
                    "- Person: number 4",
                    "- You: number 5",
                    "- Person: number 6",
                    "- You: number 7",
                ]
            ),
        ]
    )


def test_a_session_learns_what_was_said_aside_and_what_nobody_heard() -> None:
    """Once, in the first turn afterwards."""
    aside = (Said(text="How warm is it?", is_answer=False), Said(text="", is_answer=True))
    late = tuple(f"late {number}" for number in range(MAX_UNHEARD + 1))
    assert meanwhile(said_aside=aside, unheard=late) == "\n\n".join(
        [
            VOICE_INSTRUCTION,
            f"{SAID_ASIDE_TITLE}\n- Person: How warm is it?",
            f"{UNHEARD_TITLE}\n- You: late 0\n- You: late 1\n- You: late 2",
        ]
    )


def test_an_agent_knows_what_it_is_answered() -> None:
    """It said so on its own, in another session perhaps; on one line, cut where it is long."""
    reply = replace(question(), reply_to="Garden\nThe tomatoes are ripe." + "x" * MAX_REPLY_TO)
    told = build_instructions(reply, NONE, now=NOW)
    assert f"{REPLY_TITLE} Garden The tomatoes are ripe.x" in told
    assert len(told.split(REPLY_TITLE)[1]) == 1 + MAX_REPLY_TO
    assert "You have just said: Garden The tomatoes" in build_work_context(reply, NONE, NOW)
    follow_up = replace(reply, reply_to="")
    assert REPLY_TITLE not in build_instructions(follow_up, NONE, now=NOW)


@pytest.mark.parametrize("asks", [False, True])
def test_there_is_room_for_as_many_unheard_answers_as_are_told(asks: bool) -> None:
    """Whoever notes that they were told needs to know; the others are told in the next turn."""
    options = replace(NONE, asks_before_risk=asks)
    beside = Meanwhile(unheard=tuple(f"late-{number}" for number in range(9)))
    text = (
        build_work_context(question(), options, NOW, beside)
        if asks
        else build_instructions(question(), options, now=NOW, meanwhile=beside)
    )
    told_ones = [number for number in range(9) if f"late-{number}" in text]
    assert told_ones == list(range(room_for_unheard(options)))


def test_what_goes_on_comes_before_the_extra_prompt() -> None:
    """What an automation asks for right now is the nearest."""
    text = build_instructions(
        question(extra_instructions="The door is open."),
        EXTRA,
        now=NOW,
        meanwhile=Meanwhile(task="Book"),
    )
    assert text.endswith("Book\n\nThe door is open.")


def test_what_is_told_is_bounded() -> None:
    """However much was said, answered or written."""
    long = "x" * 100_000
    text = build_instructions(
        question(extra_instructions=long, language=long),
        ALL,
        now=NOW,
        rendered=long,
        meanwhile=Meanwhile(
            task=long,
            last_messages=(Said(text=long, is_answer=True),) * 20,
            said_aside=(Said(text=long, is_answer=False),) * 20,
            unheard=(long,) * 20,
        ),
    )
    least = MAX_ADDED + MAX_EXTRA + 2 * MAX_MESSAGES * MAX_MESSAGE
    assert least < len(text) < 42_000


def test_work_context_names_room_person_and_time_first() -> None:
    """They are the most useful of the little there is room for."""
    text = build_work_context(question(extra_instructions="The door\nis open."), ALL, NOW)
    assert text.splitlines() == [
        "Room: Kitchen",
        "Person: Anna",
        f"Local time: {TIME}",
        "Floor: Ground floor",
        "Satellite: Puck",
        "Device: Voice PE",
        "Language: de-DE",
        "Added: The door is open.",
    ]


def test_work_context_names_the_open_task_and_the_first_unheard_answer() -> None:
    """Shortened, after room, person and time."""
    beside = Meanwhile(
        task="Book\na table",
        unheard=("y" * 500, "later"),
        last_messages=(Said(text="secret", is_answer=False),),
    )
    lines = build_work_context(question(), ALL, NOW, beside).splitlines()
    assert lines[2:6] == [
        f"Local time: {TIME}",
        "Your open task: Book a table",
        f"Your late answer nobody heard: {'y' * (MAX_WORK_LINE - 1)}…",
        "Floor: Ground floor",
    ]
    assert "secret" not in str(lines)


@given(st.lists(texts, min_size=6, max_size=6), st.one_of(st.none(), texts))
def test_work_context_has_whole_lines_that_fit(names: list[str], extra: str | None) -> None:
    """A line that does not fit is left out; the others stay as they are."""
    area, floor, satellite, model, person, language = names
    asked = Question(
        text="",
        language=language,
        origin=Origin(
            satellite_name=satellite,
            device_model=model,
            area=Place(id="1", name=area),
            floor=Place(id="2", name=floor),
            person=Person(id="3", name=person),
        ),
        extra_instructions=extra,
    )
    text = build_work_context(asked, ALL, NOW)
    assert len(text) <= MAX_WORK_CONTEXT
    assert f"Local time: {TIME}" in text.splitlines()
    assert all(line.split(": ")[1] for line in text.splitlines())


def test_a_line_too_long_for_work_context_is_left_out() -> None:
    """Half a sentence could say the opposite."""
    text = build_work_context(question(extra_instructions="a" * 600), ALL, NOW)
    assert "Added" not in text
    assert "Language: de-DE" in text


def test_a_preview_shows_what_is_told() -> None:
    """The same text as in a turn, for the page of the options."""
    assert preview(ALL, KITCHEN, language="de-DE", now=NOW, rendered="Be kind.") == told(
        rendered="Be kind."
    )
    typed = replace(ALL, spoken_style=When.NEVER)
    assert preview(typed, KITCHEN, language="de-DE", now=NOW) == told(is_spoken=False)


def test_a_preview_of_an_agent_that_asks_shows_the_work_context() -> None:
    """Such an agent takes no instructions."""
    options = replace(ALL, asks_before_risk=True)
    shown = preview(options, KITCHEN, language="de-DE", now=NOW, rendered="Be kind.")
    assert shown == build_work_context(question(), ALL, NOW)
    assert "Room: Kitchen" in shown
    assert "kind" not in shown
