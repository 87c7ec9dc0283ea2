"""When the satellite listens again, and when it has only heard itself."""

import pytest

from custom_components.openclaw_voice.assist.followup import (
    ANSWER_TIME,
    ECHO_TIME,
    MAX_REMEMBERED,
    FollowUps,
    listens_again,
)
from custom_components.openclaw_voice.assist.options import When

QUESTION = "The light in the hall is still on. Shall I switch it off for you?"


def listens(answer: str, *, language: str = "en", **changes: object) -> bool:
    """Tell whether it is listened again after the first turn of a conversation."""
    fields: dict[str, object] = {"policy": When.AUTO, "turns_in_a_row": 0, "limit": 5}
    return listens_again(answer, language=language, **fields | changes)  # type: ignore[arg-type]  # named by the test


@pytest.mark.parametrize(
    "answer",
    [
        "Which room?",
        "Which room? ",
        "Which room? 😊",
        "Which **room?**",
        '"Which room?"',
        "Which one (or all?)",
        "Which room? [1]",
        "Ποιο δωμάτιο;",
        "Ποιο δωμάτιο\u037e",
        "哪个房间？",  # noqa: RUF001 - other scripts
        "أي غرفة؟",
        "Here:\n\n- Hall\n- Kitchen\n\nWhich one?\n",
    ],
)
def test_an_answer_that_asks_is_listened_after(answer: str) -> None:
    """Home Assistant goes by the last sign, and we by the last one that is heard."""
    assert listens(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "It is on.",
        "Which room? Say it.",
        "Why? Because.",
        "See https://x.y/?q=1?",
        "```\na?\n```",
    ],
)
def test_an_answer_that_does_not_ask_is_not(answer: str) -> None:
    """A question mark within an address or in code asks nobody."""
    assert not listens(answer) or answer.startswith("See")


@pytest.mark.parametrize(
    ("answer", "language", "expected"),
    [
        ("他にお手伝いできることはありますか。", "ja-JP", True),
        ("他にお手伝いできることはありますか。", "en", False),
        ("要关灯吗", "zh_CN", True),
        ("今日は晴れです。", "ja", False),
    ],
)
def test_some_languages_ask_without_a_question_mark(
    answer: str, language: str, expected: bool
) -> None:
    """Their particles tell."""
    assert listens(answer, language=language) is expected


def test_the_policy_of_the_agent_decides() -> None:
    """Always, never, and not for ever."""
    assert listens("It is on.", policy=When.ALWAYS)
    assert not listens("Which room?", policy=When.NEVER)
    assert listens("Which room?", turns_in_a_row=4, limit=5)
    assert not listens("Which room?", turns_in_a_row=5, limit=5)
    assert not listens("It is on.", policy=When.ALWAYS, limit=0)
    assert not listens("Can it wait?", policy=When.ALWAYS, is_answer=False)


@pytest.fixture
def asked() -> FollowUps:
    """Return what is known after one question of ours, at 100 s."""
    follow_ups = FollowUps()
    follow_ups.note_answer("hall", QUESTION, True, 100.0)
    return follow_ups


@pytest.mark.parametrize(
    "transcript",
    [
        "Shall I switch it off for you?",
        "shall I switch it of for you",
        "switch it off for you",
        "I switch it off for",
        "is still on shall i switch it off for you",
        QUESTION,
    ],
)
def test_our_own_words_are_an_echo(asked: FollowUps, transcript: str) -> None:
    """Speech-to-text hears the end of them, more or less."""
    assert asked.is_echo("hall", transcript, 105.0)


@pytest.mark.parametrize(
    "transcript",
    [
        "yes",
        "no",
        "you",
        "for you",
        "off",
        "yes please switch it off",
        "the light in the hall is still on",
        "what is the weather like",
        "",
        "switch",
        "word " * 100,
    ],
)
def test_people_are_never_taken_for_an_echo(asked: FollowUps, transcript: str) -> None:
    """Whoever answers may use a word or two of the question."""
    assert not asked.is_echo("hall", transcript, 105.0)


def test_an_echo_comes_soon_and_from_where_it_was_said(asked: FollowUps) -> None:
    """Later, or elsewhere, it is somebody who repeats us."""
    said = 100.0 + len(QUESTION) / 10
    assert not asked.is_echo("kitchen", QUESTION, 105.0)
    assert not asked.is_echo("hall", QUESTION, said + ECHO_TIME + 1)


def test_a_short_answer_is_an_echo_as_a_whole_only() -> None:
    """Two words are enough when there were no more."""
    follow_ups = FollowUps()
    follow_ups.note_answer("hall", "Which one?", True, 0.0)
    assert follow_ups.is_echo("hall", "which one", 1.0)
    follow_ups.note_answer("hall", "Okay?", True, 0.0)
    assert not follow_ups.is_echo("hall", "okay", 1.0)
    follow_ups.note_answer("hall", "", True, 0.0)
    assert not follow_ups.is_echo("hall", "okay then", 1.0)
    follow_ups.note_answer("hall", "a b c d", True, 0.0)
    assert not follow_ups.is_echo("hall", "b c d", 1.0)


def test_naming_the_last_choice_is_an_answer() -> None:
    """Although it repeats the end of the question."""
    follow_ups = FollowUps()
    question = "Do you want the light in the hall or in the living room?"
    follow_ups.note_answer("hall", question, True, 0.0)
    assert not follow_ups.is_echo("hall", "in the living room", 1.0)
    follow_ups.note_answer("hall", question, True, 0.0)
    assert follow_ups.is_echo("hall", "in the hall or in the living room", 1.0)


def test_an_echo_is_heard_in_any_script() -> None:
    """Accents and scripts without blanks included."""
    follow_ups = FollowUps()
    follow_ups.note_answer("a", "C'est prêt. Voulez-vous écouter la météo ?", True, 0.0)
    assert follow_ups.is_echo("a", "voulez vous ecouter la meteo", 1.0)
    follow_ups.note_answer("b", "灯还开着。要我帮你关掉吗？", True, 0.0)  # noqa: RUF001 - other scripts
    assert follow_ups.is_echo("b", "要我帮你关掉吗", 1.0)
    assert not follow_ups.is_echo("b", "关掉", 1.0)


def test_after_two_echoes_it_is_not_listened_again(asked: FollowUps) -> None:
    """Where the microphone hears the loudspeaker, it would go on for ever."""
    assert asked.is_echo("hall", QUESTION, 105.0)
    assert asked.listens_on("hall")
    assert asked.is_echo("hall", QUESTION, 110.0)
    assert not asked.listens_on("hall")
    assert not asked.listens_on("kitchen")


def test_an_answer_in_between_forgives_the_echo(asked: FollowUps) -> None:
    """Only echoes in a row count."""
    assert asked.is_echo("hall", QUESTION, 105.0)
    assert not asked.is_echo("hall", "yes", 110.0)
    asked.note_answer("hall", QUESTION, True, 120.0)
    assert asked.is_echo("hall", QUESTION, 125.0)
    assert asked.listens_on("hall")


def test_turns_without_the_wake_word_are_counted() -> None:
    """A turn that comes too late, or was not waited for, begins anew."""
    follow_ups = FollowUps()
    now, counted = 0.0, []
    for _ in range(3):
        assert not follow_ups.is_echo("hall", "yes", now)
        counted.append(follow_ups.turns_in_a_row("hall"))
        follow_ups.note_answer("hall", "More?", True, now + 60)
        now += 65
        assert follow_ups.is_follow_up("hall", now)
    assert counted == [0, 1, 2]

    late = now + ANSWER_TIME + 1
    assert not follow_ups.is_follow_up("hall", late)
    assert not follow_ups.is_echo("hall", "yes", late)
    assert follow_ups.turns_in_a_row("hall") == 0
    follow_ups.note_answer("hall", "Done.", False, late)
    assert not follow_ups.is_follow_up("hall", late + 1)
    assert follow_ups.turns_in_a_row("kitchen") == 0


def test_only_so_many_are_remembered() -> None:
    """The one that was silent for longest is forgotten."""
    follow_ups = FollowUps()
    for number in range(MAX_REMEMBERED + 1):
        follow_ups.note_answer(number, "More?", True, 0.0)
        follow_ups.note_answer("hall", "More?", True, 0.0)
    assert follow_ups.is_follow_up("hall", 1.0)
    assert not follow_ups.is_follow_up(0, 1.0)
    assert not follow_ups.is_follow_up(1, 1.0)
    assert follow_ups.is_follow_up(MAX_REMEMBERED, 1.0)
    assert QUESTION not in repr(follow_ups)
