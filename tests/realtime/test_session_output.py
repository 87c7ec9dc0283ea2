"""What a session says, on its way to the satellite."""

from unittest.mock import patch

from custom_components.openclaw_voice.realtime import session_output
from custom_components.openclaw_voice.realtime.server_events import AudioDone
from custom_components.openclaw_voice.realtime.session_output import SessionOutput

from .scripted import ListChannel


async def test_an_answer_after_too_much_audio_ends_after_its_last_audio() -> None:
    """What was dropped, and then taken back, counts once."""
    channel = ListChannel()
    now = 0.0
    with patch.object(session_output, "BOUND", 0.5):
        output = SessionOutput(
            channel,
            rate=16_000,
            max_ahead=0.1,
            clock=lambda: now,
            on_mark=lambda _: None,
            on_drained=lambda: None,
        )
    output.push("t", bytes(32_000))
    assert output.dropped > 0
    output.clear(refuse=True)
    output.push("u", bytes(6_400))
    output.follow(AudioDone(turn_id="u"))
    assert channel.events == []
    now = 1.0
    output.done("u")
    output.refuse("u")
    assert not output.push("u", bytes(2))
    while not channel.events:
        now += 0.1
        output.done(None)
    assert len(channel.pcm) > 6_400
