"""What the stand-in for a speech model hears, and what it does then."""

import pytest

from demo.voice.speech_model import (
    INSTANT_WORDS,
    MAX_UTTERANCE,
    PER_CHARACTER,
    RATE,
    WIDTH,
    Consult,
    Control,
    Ears,
    Mind,
    Reaction,
    Say,
    SpeechEnded,
    SpeechStarted,
    instant_voice,
    loudness,
    silence,
    tone,
)


def seconds(samples: bytes) -> float:
    """Return how long some sound is."""
    return len(samples) / (RATE * WIDTH)


def test_speech_begins_and_ends() -> None:
    """What was said is handed out with a little of what was before it, and the silence that ended it."""
    ears = Ears(silence=0.5)

    found = list(ears.feed(silence(0.5) + tone(0.4) + silence(0.7)))

    started, ended = found
    assert started == SpeechStarted()
    assert isinstance(ended, SpeechEnded)
    assert seconds(ended.samples) == pytest.approx(1.2, abs=0.03)
    assert ears.heard == pytest.approx(1.6)


@pytest.mark.parametrize("size", [1, 7, 960, 4801])
def test_pieces_of_any_size_are_the_same_sound(size: int) -> None:
    """Also half samples."""
    ears, sound = Ears(silence=0.2), tone(0.2) + silence(0.3)

    found = [kind for at in range(0, len(sound), size) for kind in ears.feed(sound[at : at + size])]

    assert found == list(Ears(silence=0.2).feed(sound))


def test_a_short_pause_ends_nothing() -> None:
    """People breathe."""
    found = list(Ears(silence=0.5).feed(tone(0.2) + silence(0.4) + tone(0.2) + silence(0.6)))
    assert [type(each) for each in found] == [SpeechStarted, SpeechEnded]


def test_nobody_speaks_for_ever() -> None:
    """What is kept has a bound."""
    found = list(Ears().feed(tone(MAX_UTTERANCE + 1)))
    assert [type(each) for each in found] == [SpeechStarted, SpeechEnded, SpeechStarted]


def test_silence_is_nobody() -> None:
    """Nor is a faint noise."""
    assert list(Ears().feed(silence(2) + tone(2, height=200))) == []
    assert loudness(silence(0.02)) == 0


def test_a_tone_is_as_long_as_it_is_wished() -> None:
    """Over the end of the second it is made of."""
    assert seconds(tone(2.5)) == 2.5
    assert seconds(instant_voice("Hello.")) == pytest.approx(6 * PER_CHARACTER)
    assert loudness(tone(0.02)) > 3000


@pytest.mark.parametrize(
    ("heard", "reaction"),
    [
        ("What time is it?", Say(text="Half past nine.")),
        ("what time is that", Say(text="Half past nine.")),
        ("turn on the kitchen lights", Consult(question="turn on the kitchen lights")),
        ("how is it going", Control(mode="status")),
        ("open the door", Say(text="You said: open the door.")),
        ("", Say(text="I heard nothing.")),
    ],
)
def test_what_is_heard_decides(heard: str, reaction: Reaction) -> None:
    """Also when it is heard a little wrong; what was not taught is repeated."""
    mind = Mind()
    mind.teach("What time is it?", Say(text="Half past nine."))
    mind.teach("Turn on the kitchen light.", Consult())
    mind.teach("How is it going?", Control())

    assert mind.react(heard) == reaction


def test_a_consult_may_ask_something_else() -> None:
    """The model words its question itself."""
    mind = Mind()
    mind.teach("Turn on the light.", Consult(question="Light on, please."))
    assert mind.react("turn on the light") == Consult(question="Light on, please.")


def test_without_ears_it_hears_what_was_said_it_would() -> None:
    """In order; and something, when nothing was said."""
    mind = Mind()
    mind.expect("One.", "Two.")
    assert [mind.next_words() for _ in range(3)] == ["One.", "Two.", INSTANT_WORDS]

    mind.expect("Three.")
    mind.teach("Four.", Say(text="Five."))
    mind.forget()
    assert mind.next_words() == INSTANT_WORDS
    assert mind.react("Four.") == Say(text="You said: Four.")


def test_what_was_never_taught_may_go_to_the_agent() -> None:
    """All that was heard does; what is known stays as it is."""
    mind = Mind()
    mind.teach("What time is it?", Say(text="It is nine."))
    mind.otherwise = Consult()

    assert mind.react("where is the cat") == Consult(question="where is the cat")
    assert mind.react("what time is it") == Say(text="It is nine.")
    assert mind.react("") == Say(text="I heard nothing.")
