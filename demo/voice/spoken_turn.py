"""One spoken turn at an Assist pipeline: the question's sound in, the answer's sound out, the times of both."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
import time
from typing import Final

from ..client import HomeAssistantClient, HomeAssistantError, JsonObject
from ..turn import Delta, PipelineEvent, TurnEvent, turn_events
from .microphone import speak_into
from .programs import decode
from .sound import RATE, Sound
from .timeline import Timeline

SOUND_LIMIT: Final = 60.0
"""Seconds for the rest of the answer's sound after the turn has ended."""


@dataclass(slots=True, kw_only=True)
class SpokenTurn:
    """What a client of Assist has sent, seen and heard of one turn."""

    timeline: Timeline = field(default_factory=Timeline)
    recognised: str = field(default="", repr=False)
    """What speech-to-text made of the question."""

    sound: Sound = field(default_factory=lambda: Sound(samples=b""))
    """The answer, at the rate of Assist."""


class SpokenTurnRunner:
    """Runs one turn; iterate `events`, then read `turn`."""

    def __init__(
        self,
        client: HomeAssistantClient,
        pipeline_id: str,
        *,
        conversation_id: str | None = None,
        device_id: str | None = None,
    ) -> None:
        """Prepare a turn at a pipeline that hears and speaks.

        Args:
            client: A client of the Home Assistant.
            pipeline_id: The pipeline.
            conversation_id: A new one by default.
            device_id: The device that asks, such as that of a satellite; none by default.
        """
        self._client = client
        target = {"pipeline": pipeline_id, "conversation_id": conversation_id}
        self._target: JsonObject = {
            name: value
            for name, value in (target | {"device_id": device_id}).items()
            if value is not None
        }
        self._start = 0.0
        self._content = bytearray()
        self.turn = SpokenTurn()

    async def events(self, question: Sound) -> AsyncGenerator[TurnEvent]:
        """Speak the question at the pace of a person, and yield what is said to it.

        Raises:
            HomeAssistantError: The pipeline failed, or its sound did not come.
            SoundError: The answer is no sound.
        """
        fields: JsonObject = {
            "start_stage": "stt",
            "end_stage": "tts",
            "input": {"sample_rate": RATE},
        }
        async for event in self._run(fields, question):
            yield event

    async def events_of_text(self, question: str) -> AsyncGenerator[TurnEvent]:
        """Ask in writing, and yield what is said to it; the answer is spoken all the same.

        Raises:
            HomeAssistantError: The pipeline failed, or its sound did not come.
            SoundError: The answer is no sound.
        """
        fields: JsonObject = {
            "start_stage": "intent",
            "end_stage": "tts",
            "input": {"text": question},
        }
        async for event in self._run(fields, None):
            yield event

    async def _run(self, fields: JsonObject, question: Sound | None) -> AsyncGenerator[TurnEvent]:
        tasks: list[asyncio.Task[None]] = []
        self._start = time.monotonic()
        self.turn.timeline.asked = 0.0
        run = self._client.run_pipeline(fields | self._target)
        try:
            async with aclosing(run) as events:
                async for event in events:
                    self._note(event)
                    if event.kind == "run-start":
                        tasks = self._begin(event, question)
                    for turn_event in turn_events(event.kind, event.data, event.seconds):
                        if isinstance(turn_event, Delta):
                            self.turn.timeline.note_text(turn_event.seconds)
                        yield turn_event
            if not tasks:
                raise HomeAssistantError("The pipeline never began.")
            tasks[0].cancel()
            await self._wait_for_sound(tasks[1])
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, event: PipelineEvent, question: Sound | None) -> list[asyncio.Task[None]]:
        """Begin to speak and to listen."""
        handler_id: int = event.data["runner_data"].get("stt_binary_handler_id") or 0
        output = event.data["tts_output"]
        return [
            asyncio.create_task(self._speak(handler_id, question), name="demo question"),
            asyncio.create_task(self._listen(output["url"]), name="demo answer"),
        ]

    async def _wait_for_sound(self, listening: asyncio.Task[None]) -> None:
        try:
            async with asyncio.timeout(SOUND_LIMIT):
                await listening
        except TimeoutError:
            raise HomeAssistantError(
                f"The answer's sound has not ended {SOUND_LIMIT:.0f} seconds after the turn."
            ) from None
        self.turn.sound = await decode(bytes(self._content))

    async def _speak(self, handler_id: int, question: Sound | None) -> None:
        """Send the question as a microphone would, and silence until the turn has ended."""
        if question is None:
            return
        timeline = self.turn.timeline
        await speak_into(
            lambda piece: self._client.send_audio(handler_id, piece),
            question,
            is_over=lambda: bool(timeline.speech_ended),
            on_end=lambda: setattr(timeline, "asked", self._now()),
        )

    async def _listen(self, url: str) -> None:
        """Fetch the answer's sound and note when its first and last part came."""
        timeline = self.turn.timeline
        async for piece in self._client.download(url):
            self._content += piece
            if timeline.first_sound is None and len(self._content) > header_size(self._content):
                timeline.first_sound = self._now()
        timeline.last_sound = self._now()

    def _note(self, event: PipelineEvent) -> None:
        """Note the time of an event, and what speech-to-text understood."""
        self.turn.timeline.note_event(event.kind, event.seconds)
        if event.kind == "stt-end":
            self.turn.recognised = event.data["stt_output"]["text"]

    def _now(self) -> float:
        return time.monotonic() - self._start


def header_size(content: bytes | bytearray) -> int:
    """Return how many bytes of a file come before its sound: an ID3 tag, or the header of a WAV file."""
    if content[:3] == b"ID3"[: len(content)]:
        if len(content) < 10:
            return 10
        # Four bytes of seven bits each.
        tag = content[6:10]
        return 10 + (tag[0] << 21 | tag[1] << 14 | tag[2] << 7 | tag[3])
    return 44 if content[:4] == b"RIFF"[: len(content)] else 0
