"""Audio leaves just before it is due, can be taken back, and one knows what was heard."""

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.openclaw_voice.realtime.audio import AudioFormat
from custom_components.openclaw_voice.realtime.playback import Chunk, Cleared, Playback
from custom_components.openclaw_voice.realtime.protocol import MAX_CHUNK

FORMAT = AudioFormat(16_000)
START = 1_000.0


def make(max_ahead: float = 0.4, bound: float = 60.0) -> Playback:
    """Return a playback at 16 kHz."""
    return Playback(FORMAT, max_ahead=max_ahead, bound=bound)


def audio(seconds: float, fill: int = 1) -> bytes:
    """Return audio whose bytes tell whose it is."""
    return bytes([fill]) * FORMAT.size(seconds)


def length(chunks: tuple[Chunk, ...]) -> float:
    """Return how long chunks play in all."""
    return sum(FORMAT.seconds(chunk.pcm) for chunk in chunks)


def play(playback: Playback, now: float, limit: float = 1_000.0) -> list[tuple[float, Chunk]]:
    """Wake whenever something is due, until nothing is; return what was sent when."""
    sent = []
    while (at := playback.next_due(now)) is not None:
        assert now <= at <= START + limit
        now = at
        chunks = playback.due(now)
        marks = playback.marks(now)
        assert chunks or marks or playback.is_drained(now), "woken for nothing"
        sent += [(now, chunk) for chunk in chunks]
    return sent


def test_nothing_is_due_at_first() -> None:
    """Nobody is woken for nothing."""
    playback = make()
    assert playback.next_due(START) is None
    assert playback.due(START) == ()
    assert playback.marks(START) == ()
    assert playback.is_drained(START)
    assert playback.heard(START) == 0
    assert playback.clear(START) == Cleared(turn_id=None, dropped_seconds=0, heard=0)


def test_the_satellite_holds_no_more_than_it_may() -> None:
    """What the model has made in an instant leaves at the speed of speech."""
    playback = make(max_ahead=0.4)
    playback.push("a", audio(2))
    assert length(playback.due(START)) == pytest.approx(0.4)
    assert playback.due(START) == ()
    assert playback.next_due(START) == pytest.approx(START + 0.04)
    assert length(playback.due(START + 0.1)) == pytest.approx(0.08)
    assert playback.waiting == pytest.approx(1.52)


def test_a_late_wake_catches_up() -> None:
    """The satellite's buffer is filled again, and its pause counts for nothing."""
    playback = make(max_ahead=0.4)
    playback.push("a", audio(2))
    playback.due(START)
    assert length(playback.due(START + 1)) == pytest.approx(0.4)
    assert playback.heard(START + 1) == pytest.approx(0.4)
    assert playback.heard(START + 1.1) == pytest.approx(0.5)


def test_without_pacing_everything_leaves_at_once() -> None:
    """Browsers have a queue of their own. Pieces stay small all the same."""
    playback = make(max_ahead=0)
    playback.push("a", audio(2.03))
    assert playback.next_due(START) == START
    chunks = playback.due(START)
    assert length(chunks) == pytest.approx(2.03)
    assert {len(chunk.pcm) for chunk in chunks} == {FORMAT.size(0.04), FORMAT.size(0.03)}
    assert not playback.is_drained(START + 2)
    assert playback.is_drained(START + 2.03)


def test_a_satellite_with_a_small_buffer_gets_smaller_pieces() -> None:
    """Otherwise it would have played everything before the next one may be sent."""
    playback = make(max_ahead=0.03)
    playback.push("a", audio(0.3))
    sent = play(playback, START)
    assert {len(chunk.pcm) for _, chunk in sent} == {FORMAT.size(0.015)}
    for number, (at, _) in enumerate(sent):
        assert at <= START + number * 0.015 + 1e-6


def test_chunks_hold_audio_of_one_turn() -> None:
    """A satellite can tell whose audio it plays."""
    playback = make()
    playback.push("a", audio(0.02, 1))
    playback.push("a", audio(0.01, 2))
    playback.push("b", audio(0.02, 3))
    assert playback.due(START) == (
        Chunk(turn_id="a", pcm=audio(0.02, 1) + audio(0.01, 2)),
        Chunk(turn_id="b", pcm=audio(0.02, 3)),
    )


def test_marks_come_back_when_their_audio_was_heard() -> None:
    """Not when it was sent."""
    playback = make(max_ahead=0)
    playback.push("a", audio(0.1), "first")
    playback.push("a", audio(0.1))
    playback.push("a", b"", "second")
    assert playback.marks(START + 5) == ()
    playback.due(START)
    assert playback.marks(START + 0.09) == ()
    assert playback.next_due(START + 0.05) == pytest.approx(START + 0.1)
    assert playback.marks(START + 0.1) == ("first",)
    assert playback.marks(START + 0.3) == ("second",)
    assert playback.next_due(START + 0.3) is None


def test_a_mark_without_audio_is_due_at_once() -> None:
    """There is nothing to wait for, and nothing to send."""
    playback = make()
    playback.push("a", b"", "mark")
    assert playback.next_due(START) == START
    assert playback.due(START) == ()
    assert playback.marks(START) == ("mark",)
    assert playback.next_due(START) is None


def test_what_was_heard_is_that_of_the_turn_that_plays() -> None:
    """Pauses and the turns before do not count."""
    playback = make(max_ahead=0)
    playback.push("a", audio(1))
    playback.push("b", audio(1))
    assert playback.heard(START) == 0
    playback.due(START)
    assert playback.heard(START + 0.25) == pytest.approx(0.25)
    assert playback.heard(START + 1.5) == pytest.approx(0.5)
    assert playback.heard(START + 9) == pytest.approx(1)
    playback.push("b", audio(1))
    playback.due(START + 10)
    assert playback.heard(START + 10.5) == pytest.approx(1.5)
    playback.push("c", audio(1))
    assert playback.heard(START + 11) == 0


def test_clearing_takes_back_what_was_sent_and_what_waits() -> None:
    """What was heard until then is told, for the model to forget the rest."""
    playback = make(max_ahead=0.4)
    playback.push("a", audio(2), "mark")
    playback.due(START)
    cleared = playback.clear(START + 0.1)
    assert cleared.turn_id == "a"
    assert cleared.dropped_seconds == pytest.approx(1.9)
    assert cleared.heard == pytest.approx(0.1)
    assert playback.waiting == 0
    assert playback.due(START + 0.1) == ()
    assert playback.marks(START + 9) == ()
    assert playback.next_due(START + 0.1) is None
    assert playback.is_drained(START + 0.1)
    assert playback.heard(START + 9) == pytest.approx(0.1)


def test_marks_of_what_was_taken_back_never_come() -> None:
    """Neither of what was sent, nor of what waited."""
    playback = make(max_ahead=0.4)
    playback.push("a", audio(0.2), "sent")
    playback.push("a", audio(2), "waiting")
    playback.due(START)
    playback.clear(START + 0.1)
    playback.push("b", audio(0.1), "next")
    playback.due(START + 0.1)
    assert playback.marks(START + 9) == ("next",)


def test_after_clearing_the_next_answer_plays_at_once() -> None:
    """What was taken back takes no time."""
    playback = make(max_ahead=0)
    playback.push("a", audio(5))
    playback.due(START)
    playback.clear(START + 1)
    playback.push("b", audio(1))
    playback.due(START + 1)
    assert playback.heard(START + 1.5) == pytest.approx(0.5)


def test_clearing_audio_that_was_not_sent() -> None:
    """The turn is known; nothing of it was heard."""
    playback = make()
    playback.push("a", audio(1))
    assert playback.clear(START) == Cleared(turn_id="a", dropped_seconds=1, heard=0)


def test_it_is_known_how_much_of_a_turn_was_taken() -> None:
    """Heard, on its way, or waiting."""
    playback = make()
    playback.push("a", audio(1))
    playback.push("b", audio(2))
    for step in range(10):
        now = START + step / 10
        playback.due(now)
        assert playback.taken(now, "a") == pytest.approx(1)
        assert playback.taken(now, "b") == pytest.approx(2)
    assert playback.taken(now, None) == 0


def test_clearing_after_the_last_audio_changes_nothing() -> None:
    """A clear with nothing playing is usual: somebody begins to speak."""
    playback = make()
    playback.push("a", audio(0.1))
    playback.due(START)
    cleared = playback.clear(START + 5)
    assert (cleared.turn_id, cleared.dropped_seconds) == ("a", 0)
    assert cleared.heard == pytest.approx(0.1)
    assert playback.push("a", audio(0.1))
    assert length(playback.due(START + 5)) == pytest.approx(0.1)


def test_refused_turns_are_not_taken_any_more() -> None:
    """The model talks on until it hears that it was stopped."""
    playback = make()
    for turn_id in ("a", *["c"] * 100):
        playback.refuse(turn_id)
    assert not playback.push("a", audio(1))
    assert playback.push("b", audio(0.1))
    assert [chunk.turn_id for chunk in playback.due(START)] == ["b", "b", "b"]


def test_refused_turns_are_forgotten_some_day() -> None:
    """A session may last for days."""
    playback = make()
    for number in range(100):
        playback.refuse(str(number))
    assert playback.push("0", audio(0.1))
    assert not playback.push("99", audio(0.1))


def test_a_drained_speaker_has_played_everything() -> None:
    """It knows better than our clock."""
    playback = make(max_ahead=0)
    playback.push("a", audio(1), "mark")
    playback.due(START)
    playback.done(START + 0.7)
    assert playback.marks(START + 0.7) == ("mark",)
    assert playback.is_drained(START + 0.7)
    assert playback.heard(START + 0.7) == pytest.approx(1)


def test_a_drained_turn_says_nothing_of_the_next_one() -> None:
    """The next one's audio was on its way; it begins to play now."""
    playback = make(max_ahead=0)
    playback.push("a", audio(1), "a")
    playback.push("b", audio(1), "b")
    playback.due(START)
    playback.done(START + 0.7, "a")
    assert playback.marks(START + 0.7) == ("a",)
    assert playback.heard(START + 0.9) == pytest.approx(0.2)
    assert playback.marks(START + 1.69) == ()
    assert playback.marks(START + 1.7) == ("b",)


@pytest.mark.parametrize("turn_id", ["older", "a", None])
def test_draining_late_or_of_another_turn_changes_nothing(turn_id: str | None) -> None:
    """The clock was right, or it is about audio that was taken back."""
    playback = make(max_ahead=0)
    playback.push("a", audio(0.1))
    playback.due(START)
    playback.done(START + (0.05 if turn_id == "older" else 3), turn_id)
    assert playback.heard(START + 0.08) == pytest.approx(0.08)


def test_too_much_audio_drops_the_oldest() -> None:
    """The end of an answer is worth more than its beginning; what is lost is counted."""
    playback = make(max_ahead=0, bound=1)
    playback.push("a", audio(0.6, 1), "first")
    playback.push("a", audio(0.6, 2), "second")
    playback.push("a", audio(0.3, 3))
    assert playback.dropped == pytest.approx(0.5)
    assert playback.waiting == pytest.approx(1)
    sent = b"".join(chunk.pcm for chunk in playback.due(START))
    assert sent == audio(0.1, 1) + audio(0.6, 2) + audio(0.3, 3)
    assert playback.marks(START + 0.1) == ("first",)


def test_marks_of_dropped_audio_wait_for_what_was_sent_before_it() -> None:
    """Marks are given in their order."""
    playback = make(max_ahead=0, bound=0.1)
    playback.push("a", audio(0.1), "sent")
    playback.due(START)
    for mark in ("dropped", "cut"):
        playback.push("a", audio(0.1), mark)
    playback.push("a", audio(0.05), "kept")
    assert playback.dropped == pytest.approx(0.15)
    assert playback.marks(START + 0.09) == ()
    assert playback.marks(START + 0.1) == ("sent", "dropped")
    playback.due(START + 0.1)
    assert playback.marks(START + 0.15) == ("cut",)
    assert playback.marks(START + 0.2) == ("kept",)


def test_marks_of_several_dropped_pieces_wait_alike() -> None:
    """None of them comes before what was sent earlier."""
    playback = make(max_ahead=0, bound=0.1)
    playback.push("a", audio(0.1))
    playback.due(START)
    for mark in ("first", "second"):
        playback.push("a", audio(0.05), mark)
    playback.push("a", audio(0.1))
    assert playback.marks(START + 0.09) == ()
    assert playback.marks(START + 0.1) == ("first", "second")


@pytest.mark.parametrize("piece", [audio(0.01), b""], ids=["dropped", "empty"])
def test_marks_without_audio_are_not_kept_without_end(piece: bytes) -> None:
    """A satellite that takes nothing must not fill the memory."""
    playback = make(max_ahead=0, bound=0.01)
    for number in range(70_000):
        playback.push("a", piece, str(number))
    playback.due(START)
    marks = playback.marks(START + 1)
    assert marks[-1] == "69999"
    assert len(marks) == 65_536


def test_speech_is_not_written_to_logs() -> None:
    """Nor are its bytes in the text of an object."""
    assert "pcm" not in repr(Chunk(turn_id="a", pcm=b"secret"))


steps = st.lists(
    st.one_of(
        st.tuples(st.just("push"), st.sampled_from("abc"), st.integers(0, 3_000)),
        st.tuples(st.just("wait"), st.just(""), st.integers(0, 300)),
        st.tuples(st.just("done"), st.sampled_from(["", "a", "b"]), st.just(0)),
        st.tuples(st.just("clear"), st.just(""), st.just(0)),
    ),
    max_size=40,
)


@given(steps, st.sampled_from([0.0, 0.001, 0.02, 0.1, 0.4]), st.sampled_from([0.05, 60.0]))
@settings(max_examples=200, deadline=None)
def test_every_sample_is_sent_cleared_or_counted(
    script: list[tuple[str, str, int]], max_ahead: float, bound: float
) -> None:
    """Whatever happens, pieces are short, the buffer is kept, and what was heard is sensible."""
    playback = make(max_ahead, bound)
    now, pushed, sent, ahead_until, unsent, marks = START, 0.0, 0.0, START, 0.0, 0
    for kind, turn_id, size in script:
        if kind == "push":
            pcm = bytes(size * 2)
            pushed += FORMAT.seconds(pcm)
            marks += playback.push(turn_id, pcm, "mark")
        elif kind == "wait":
            now += size / 1_000
        elif kind == "done":
            playback.done(now, turn_id or None)
            ahead_until = min(ahead_until, now) if not turn_id else ahead_until
        else:
            unsent += playback.waiting
            playback.clear(now)
            ahead_until = now
        for chunk in playback.due(now):
            assert 0 < FORMAT.seconds(chunk.pcm) <= MAX_CHUNK
            sent += FORMAT.seconds(chunk.pcm)
            ahead_until = max(ahead_until, now) + FORMAT.seconds(chunk.pcm)
            if max_ahead and not any(kind == "done" and turn for kind, turn, _ in script):
                assert ahead_until - now <= max_ahead + 1e-3
        marks -= len(playback.marks(now))
        assert marks >= 0
        assert -1e-6 <= playback.heard(now) <= sent + 1e-6
        assert pushed == pytest.approx(sent + unsent + playback.waiting + playback.dropped)
        assert playback.waiting <= bound + 1e-9
    play(playback, now)
    assert playback.waiting == 0


@given(st.lists(st.integers(1, 3_000), min_size=1, max_size=15), st.sampled_from([0.08, 0.4]))
def test_the_speaker_never_runs_dry_while_there_is_audio(
    sizes: list[int], max_ahead: float
) -> None:
    """Each piece is there before the one before it has been played."""
    playback = make(max_ahead)
    for size in sizes:
        playback.push("a", bytes(size * 2), "mark")
    plays_until = START
    for at, chunk in play(playback, START):
        assert at <= plays_until + 1e-6
        plays_until += FORMAT.seconds(chunk.pcm)
    assert plays_until == pytest.approx(START + sum(sizes) / FORMAT.rate)
