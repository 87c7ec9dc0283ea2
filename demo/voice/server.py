"""A voice and a recogniser for Home Assistant: a Wyoming server on this computer.

It keeps what it heard and what it was asked to speak, so that a demo or a test can compare.
"""

from collections import deque
from dataclasses import dataclass, field
import socket
import time
from typing import Final, override

from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import AsrModel, AsrProgram, Describe, Info, TtsProgram, TtsVoice
from wyoming.tts import (
    Synthesize,
    SynthesizeChunk,
    SynthesizeStart,
    SynthesizeStop,
    SynthesizeStopped,
)

from ..process import DemoError
from .hearing import Recogniser
from .programs import AGENT_VOICE, speak
from .sentences import Sentences
from .sound import CHANNELS, RATE, WIDTH, Sound
from .wyoming_server import ATTRIBUTION, Peer, WyomingServer

NAME: Final = "Demo voice"
KEPT: Final = 1_000
"""How many texts and utterances are kept."""

PIECE: Final = 0.1
"""Seconds of sound in one event."""


@dataclass(slots=True, kw_only=True)
class Spoken:
    """One text that was to be spoken, as far as it has come. Times are of `time.monotonic`."""

    asked_at: float = field(default_factory=time.monotonic)
    text: str = field(default="", repr=False)
    """All text received."""

    sentences: list[str] = field(default_factory=list, repr=False)
    """What was spoken at a time."""

    is_streamed: bool = False
    """The text came piece by piece."""

    is_complete: bool = False
    first_sound_at: float | None = None
    seconds: float = 0.0
    """Length of the sound sent so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """An utterance and what the recogniser made of it."""

    sound: Sound
    text: str = field(repr=False)
    seconds: float
    """How long the recogniser took."""


class VoiceServer(WyomingServer):
    """Speech to text and text to speech. What is kept may be read from another thread."""

    def __init__(
        self,
        recogniser: Recogniser,
        *,
        name: str = NAME,
        streams: bool = True,
        listener: socket.socket | None = None,
    ) -> None:
        """Prepare a server.

        Args:
            recogniser: Hears; it is started and stopped by whoever made it.
            name: What Home Assistant calls the config entry.
            streams: Take a text while it still comes; otherwise Home Assistant waits for all of it.
            listener: As for every server.
        """
        super().__init__(listener)
        self.name = name
        self._recogniser = recogniser
        self._info = _info(name, streams=streams)
        self._spoken: deque[Spoken] = deque(maxlen=KEPT)
        self._heard: deque[Heard] = deque(maxlen=KEPT)

    @property
    def spoken(self) -> tuple[Spoken, ...]:
        """What it was asked to speak, oldest first."""
        return tuple(self._spoken)

    @property
    def heard(self) -> tuple[Heard, ...]:
        """What it heard, oldest first."""
        return tuple(self._heard)

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts it has spoken to their ends, oldest first."""
        return tuple(spoken.text for spoken in self.spoken if spoken.is_complete)

    @override
    async def talk(self, peer: Peer) -> None:
        """Answer one client: what we are, an utterance, or a text."""
        while event := await peer.read():
            if Describe.is_type(event.type):
                await peer.write(self._info)
            elif Transcribe.is_type(event.type) or AudioStart.is_type(event.type):
                await self._hear(peer)
                return
            elif Synthesize.is_type(event.type):
                await self._speak_whole(peer, Synthesize.from_event(event).text)
                return
            elif SynthesizeStart.is_type(event.type):
                await self._speak_stream(peer)
                return

    async def _hear(self, peer: Peer) -> None:
        """Take an utterance to its end and return its words."""
        samples = bytearray()
        while event := await peer.read():
            if AudioChunk.is_type(event.type):
                samples += AudioChunk.from_event(event).audio
            elif AudioStop.is_type(event.type):
                break
        else:
            return
        sound = Sound(samples=bytes(samples))
        start = time.monotonic()
        try:
            text = await self._recogniser.hear(sound)
        except DemoError as err:
            await peer.write(Error(text=str(err)))
            return
        self._heard.append(Heard(sound=sound, text=text, seconds=time.monotonic() - start))
        await peer.write(Transcript(text=text))

    async def _speak_whole(self, peer: Peer, text: str) -> None:
        """Speak a text that is complete, all at once."""
        spoken = Spoken(text=text)
        self._spoken.append(spoken)
        await peer.write(AudioStart(rate=RATE, width=WIDTH, channels=CHANNELS))
        if await _say(peer, spoken, text):
            spoken.is_complete = True
            await peer.write(AudioStop())

    async def _speak_stream(self, peer: Peer) -> None:
        """Speak a text while it comes, sentence by sentence."""
        spoken = Spoken(is_streamed=True)
        self._spoken.append(spoken)
        sentences = Sentences()
        await peer.write(AudioStart(rate=RATE, width=WIDTH, channels=CHANNELS))
        while (event := await peer.read()) and not SynthesizeStop.is_type(event.type):
            # The whole text comes as well, for servers that cannot stream; we have it already.
            text = _chunk(event)
            spoken.text += text
            for sentence in sentences.feed(text):
                if not await _say(peer, spoken, sentence):
                    return
        if event is None:
            return
        for sentence in sentences.finish():
            if not await _say(peer, spoken, sentence):
                return
        spoken.is_complete = True
        await peer.write(AudioStop())
        await peer.write(SynthesizeStopped())


def _chunk(event: Event) -> str:
    return SynthesizeChunk.from_event(event).text if SynthesizeChunk.is_type(event.type) else ""


async def _say(peer: Peer, spoken: Spoken, text: str) -> bool:
    """Speak to a client and note it; False when that failed, which the client is told."""
    try:
        sound = await speak(text, voice=AGENT_VOICE)
    except DemoError as err:
        await peer.write(Error(text=str(err)))
        return False
    if sound.samples and spoken.first_sound_at is None:
        spoken.first_sound_at = time.monotonic()
    spoken.sentences.append(text)
    spoken.seconds += sound.seconds
    for piece in sound.pieces(PIECE):
        await peer.write(AudioChunk(rate=RATE, width=WIDTH, channels=CHANNELS, audio=piece))
    return True


def _info(name: str, *, streams: bool) -> Info:
    """Return what Home Assistant is told about us; both programs are made for English."""
    voice = TtsVoice(
        name=AGENT_VOICE,
        languages=["en"],
        attribution=ATTRIBUTION,
        installed=True,
        description=AGENT_VOICE,
        version=None,
    )
    model = AsrModel(
        name="en-us",
        languages=["en"],
        attribution=ATTRIBUTION,
        installed=True,
        description="English",
        version=None,
    )
    return Info(
        asr=[
            AsrProgram(
                name=name,
                models=[model],
                attribution=ATTRIBUTION,
                installed=True,
                description="PocketSphinx",
                version=None,
            )
        ],
        tts=[
            TtsProgram(
                name=name,
                voices=[voice],
                supports_synthesize_streaming=streams,
                attribution=ATTRIBUTION,
                installed=True,
                description="flite",
                version=None,
            )
        ],
    )
