"""Speaks a sound into something at the pace of a person, and silence after it, as a microphone does."""

import asyncio
from collections.abc import Awaitable, Callable
import time
from typing import Final

from .sound import Sound

PIECE: Final = 0.1
"""Seconds of sound sent at a time."""

TRAILING_SILENCE: Final = 30.0
"""Seconds of silence that follow at most; Assist needs about one to know that the speech has ended."""


async def speak_into(
    send: Callable[[bytes], Awaitable[None]],
    sound: Sound,
    *,
    is_over: Callable[[], bool],
    on_end: Callable[[], None],
) -> None:
    """Send a sound, then silence until nobody listens any more.

    Args:
        send: Takes the samples of one piece.
        sound: What to say.
        is_over: Whether nobody listens any more.
        on_end: Called when the last sample of the sound has been sent.
    """
    begin = time.monotonic()
    sent = 0.0
    for part, when_sent in ((sound, on_end), (Sound.silence(TRAILING_SILENCE), None)):
        for piece in part.pieces(PIECE):
            if is_over():
                return
            await send(piece)
            sent += PIECE
            await asyncio.sleep(max(0.0, begin + sent - time.monotonic()))
        if when_sent:
            when_sent()
