"""A voice satellite for a real Home Assistant: speaks questions, plays what it gets, and keeps both.

Home Assistant's own Wyoming integration connects to it, as to any satellite in a room.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
import socket
import time
from typing import Final, override

from wyoming.asr import Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import Describe, Info, Satellite as SatelliteInfo
from wyoming.ping import Ping, Pong
from wyoming.pipeline import PipelineStage, RunPipeline
from wyoming.satellite import RunSatellite
from wyoming.snd import Played
from wyoming.tts import Synthesize
from wyoming.vad import VoiceStopped

from ..process import DemoError
from .microphone import speak_into
from .programs import USER_VOICE, speak
from .server import VoiceServer
from .sound import CHANNELS, RATE, WIDTH, Sound
from .wyoming_server import ATTRIBUTION, Peer, WyomingServer

NAME: Final = "Demo satellite"
KEPT: Final = 200
"""How many playbacks are kept."""

CONNECT_LIMIT: Final = 30.0
"""Seconds until Home Assistant has connected. After it lost a satellite it waits ten."""

ASK_LIMIT: Final = 60.0
"""Seconds from a question's first sample to its words."""

PLAYBACK_LIMIT: Final = 60.0
SAME_LENGTH: Final = 0.15
"""Seconds by which a sound may differ in length from what text-to-speech made: it is converted on the way."""


class SatelliteError(DemoError):
    """Home Assistant is not connected, or did not take a question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Playback:
    """Something the satellite was given to play. Times are of `time.monotonic`."""

    sound: Sound
    is_announcement: bool
    """Home Assistant announced it; otherwise it answers a question."""

    text: str = field(repr=False)
    """The answer's text as Home Assistant tells it; empty for an announcement, see `text_of`."""

    started_at: float
    """Its first part came."""

    received_at: float
    """Its last part came."""


class Satellite(WyomingServer):
    """A satellite. What it keeps may be read, and its methods awaited, in another thread's loop too."""

    def __init__(
        self,
        *,
        name: str = NAME,
        area: str | None = None,
        pace: float = 1.0,
        listener: socket.socket | None = None,
    ) -> None:
        """Prepare a satellite.

        Args:
            name: What Home Assistant calls it.
            area: The area that it suggests for itself.
            pace: How long it plays, as a share of the sound's length.
            listener: As for every server.
        """
        super().__init__(listener)
        self.name = name
        self.pace = pace
        self._area = area
        self._home: Peer | None = None
        self._question: _Question | None = None
        self._text = ""
        self._arriving: _Arriving | None = None
        self._playing: set[asyncio.Task[None]] = set()
        self._playbacks: deque[Playback] = deque(maxlen=KEPT)
        self._errors: deque[str] = deque(maxlen=KEPT)

    @override
    async def __aexit__(self, *_: object) -> None:
        """Stop playing, stop listening and hang up."""
        for task in self._playing:
            task.cancel()
        await super().__aexit__()

    @property
    def is_connected(self) -> bool:
        """Whether Home Assistant has connected and is ready to run a pipeline."""
        return self._home is not None

    @property
    def playbacks(self) -> tuple[Playback, ...]:
        """What it has played to its end, oldest first."""
        return tuple(self._playbacks)

    @property
    def errors(self) -> tuple[str, ...]:
        """What Home Assistant told about pipelines that failed."""
        return tuple(self._errors)

    async def wait_until_connected(self, *, limit: float = CONNECT_LIMIT) -> None:
        """Wait for Home Assistant.

        Raises:
            TimeoutError: It has not connected after `limit` seconds.
        """
        await self.wait_for(lambda: self.is_connected, limit=limit)

    async def wait_for_playback(
        self,
        *,
        after: int = 0,
        is_wanted: Callable[[Playback], bool] = lambda _: True,
        limit: float = PLAYBACK_LIMIT,
    ) -> Playback:
        """Wait until something has been played to its end, and return it.

        Args:
            after: How many of the playbacks to skip: those there were before.
            is_wanted: Others are passed over.
            limit: Seconds.

        Raises:
            TimeoutError: There is none after `limit` seconds.
        """
        found: list[Playback] = []

        def is_there() -> bool:
            found.extend(filter(is_wanted, self.playbacks[after:]))
            return bool(found)

        await self.wait_for(is_there, limit=limit)
        return found[0]

    async def ask(self, question: str | Sound, *, limit: float = ASK_LIMIT) -> str:
        """Begin a turn: speak a question, and return what Home Assistant heard of it.

        The answer comes later, see `wait_for_playback`. A turn that still goes on is given up by
        Home Assistant, as when somebody says the wake word again.

        Raises:
            SatelliteError: Home Assistant is not connected, or the pipeline failed.
            TimeoutError: It has not told the words after `limit` seconds.
        """
        return await self._here(self._ask(question, limit))

    async def hang_up(self) -> None:
        """Close Home Assistant's connection; it comes back some seconds later."""
        await self._here(self._hang_up())

    @override
    async def talk(self, peer: Peer) -> None:
        """Answer one client: Home Assistant, or its look at what we are."""
        try:
            while event := await peer.read():
                if Describe.is_type(event.type):
                    await peer.write(self._info())
                elif Ping.is_type(event.type):
                    await peer.write(Pong(text=Ping.from_event(event).text))
                elif RunSatellite.is_type(event.type):
                    self._home = peer
                else:
                    self._take(peer, event)
        finally:
            if self._home is peer:
                self._home = None
                self._settle(None, "Home Assistant has hung up.")

    def _take(self, peer: Peer, event: Event) -> None:
        """Take what Home Assistant tells about a turn, or gives to play."""
        if VoiceStopped.is_type(event.type):
            if self._question:
                self._question.is_over = True
        elif Transcript.is_type(event.type):
            self._settle(Transcript.from_event(event).text, None)
        elif Error.is_type(event.type):
            self._errors.append(Error.from_event(event).text)
            self._settle(None, self._errors[-1])
        elif Synthesize.is_type(event.type):
            self._text = Synthesize.from_event(event).text
        elif AudioStart.is_type(event.type):
            self._arriving = _Arriving(rate=AudioStart.from_event(event).rate)
        elif AudioChunk.is_type(event.type) and self._arriving:
            self._arriving.samples += AudioChunk.from_event(event).audio
        elif AudioStop.is_type(event.type) and self._arriving:
            self._play(peer, self._arriving, AudioStop.from_event(event))
            self._arriving = None

    def _play(self, peer: Peer, arrived: _Arriving, stop: AudioStop) -> None:
        """Play what has come; Home Assistant is told when that is over."""
        # The Wyoming integration says when an answer's last sample is to be played, and of an announcement not.
        is_announcement = stop.timestamp is None
        playback = Playback(
            sound=Sound(samples=bytes(arrived.samples), rate=arrived.rate),
            is_announcement=is_announcement,
            text="" if is_announcement else self._text,
            started_at=arrived.started_at,
            received_at=time.monotonic(),
        )
        task = asyncio.create_task(self._finish(peer, playback), name="satellite playback")
        self._playing.add(task)
        task.add_done_callback(self._playing.discard)

    async def _finish(self, peer: Peer, playback: Playback) -> None:
        rest = playback.started_at + playback.sound.seconds * self.pace - time.monotonic()
        await asyncio.sleep(max(0.0, rest))
        self._playbacks.append(playback)
        await peer.write(Played())

    async def _ask(self, question: str | Sound, limit: float) -> str:
        sound = await speak(question, voice=USER_VOICE) if isinstance(question, str) else question
        home = self._home
        if home is None:
            raise SatelliteError("Home Assistant is not connected to the satellite.")
        self._settle(None, "Another question was asked.")
        asked = self._question = _Question()
        self._text = ""

        async def send(samples: bytes) -> None:
            chunk = AudioChunk(rate=RATE, width=WIDTH, channels=CHANNELS, audio=samples)
            await home.write(chunk)

        await home.write(RunPipeline(start_stage=PipelineStage.ASR, end_stage=PipelineStage.TTS))
        try:
            async with asyncio.timeout(limit):
                await speak_into(send, sound, is_over=lambda: asked.is_over, on_end=lambda: None)
                return await asked.words
        finally:
            asked.words.cancel()

    async def _hang_up(self) -> None:
        if self._home:
            self._home.close()

    def _settle(self, words: str | None, error: str | None) -> None:
        """End the wait of the one who asked, if somebody waits."""
        question, self._question = self._question, None
        if question is None or question.words.done():
            return
        question.is_over = True
        if words is None:
            question.words.set_exception(SatelliteError(error or "Nothing was heard."))
        else:
            question.words.set_result(words)

    async def _here[T](self, coroutine: Coroutine[object, object, T]) -> T:
        """Run something in the loop that the satellite lives in, whichever loop waits for it."""
        if self._loop is None:
            coroutine.close()
            raise SatelliteError("The satellite has not been started.")
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, self._loop))

    def _info(self) -> Info:
        satellite = SatelliteInfo(
            name=self.name,
            area=self._area,
            attribution=ATTRIBUTION,
            installed=True,
            description=self.name,
            version=None,
        )
        return Info(satellite=satellite)


@dataclass(slots=True)
class _Question:
    """A question that is being spoken, and the words Home Assistant hears of it."""

    words: asyncio.Future[str] = field(default_factory=asyncio.Future)
    is_over: bool = False


@dataclass(slots=True, kw_only=True)
class _Arriving:
    """A sound that is still coming."""

    rate: int
    samples: bytearray = field(default_factory=bytearray, repr=False)
    started_at: float = field(default_factory=time.monotonic)


def text_of(playback: Playback, server: VoiceServer) -> str | None:
    """Return the text of a playback that a voice server has spoken: the last one of this length."""
    for spoken in reversed(server.spoken):
        if spoken.is_complete and abs(spoken.seconds - playback.sound.seconds) < SAME_LENGTH:
            return spoken.text
    return None
