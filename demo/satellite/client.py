"""One session of a satellite: sends what it hears, plays and shows what it gets."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
import json
from typing import Any, Final

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from .microphone import Microphone, is_loud
from .protocol import Options, audio_message, read_message, session_config
from .screen import Screen
from .speaker import Sink, Speaker

SEND_LIMIT: Final = 10.0
"""Seconds a message may take to be sent."""

PLAY_OUT_LIMIT: Final = 2.0
"""Seconds an answer may still be heard after the session it ends."""

ECHO_TAIL: Final = 0.2
"""Seconds that a room still sounds after the loudspeaker."""


@dataclass(kw_only=True)
class Turn:
    """What was said, and how fast."""

    user: str = field(default="", repr=False)
    assistant: str = field(default="", repr=False)
    first_audio_s: float | None = None
    """Seconds from the last loud piece of the microphone to the first audio of the answer."""

    clear_ms: float | None = None
    """Milliseconds from our interruption to `audio.clear`."""

    tools: list[str] = field(default_factory=list, repr=False)


@dataclass(kw_only=True)
class Report:
    """What a session came to."""

    backend: str | None = None
    agent: str | None = None
    turns: list[Turn] = field(default_factory=list)
    announcements: list[str] = field(default_factory=list, repr=False)
    errors: list[str] = field(default_factory=list)
    """Their reasons."""

    reason: str | None = None
    """Why it ended; None when nobody said."""

    close_code: int | None = None
    """None when the connection was lost."""

    wants_to_talk: bool = False
    """Standby is over because somebody is to talk with the agent: a session is to follow."""


@dataclass(kw_only=True)
class Controls:
    """What stays from one session to the next."""

    volume: float = 1.0
    is_muted: bool = False


class Satellite:
    """One session on a socket that is open."""

    def __init__(
        self,
        socket: ClientConnection,
        options: Options,
        *,
        microphone: Microphone,
        sink: Sink,
        screen: Screen,
        controls: Controls | None = None,
        interrupt_after: float | None = None,
        speed: float = 1.0,
    ) -> None:
        """Interrupt the first answer after so many seconds, if any."""
        self.report = Report()
        self._socket = socket
        self._options = options
        self._microphone = microphone
        self._screen = screen
        self._speaker = Speaker(sink, options.rate, self._heard, speed=speed)
        self._controls = controls or Controls()
        self._speaker.volume = self._controls.volume
        self._interrupt_after = interrupt_after
        self._clock = asyncio.get_running_loop().time
        self._sending = set[asyncio.Task[None]]()
        self._is_listening = not options.is_standby
        """The microphone is open."""

        self._is_complete = False
        """Home Assistant has nothing to add to the turn."""

        self._turn_id: str | None = None
        self._cut = set[str | None]()
        """Turns that we have interrupted: whatever still comes of them is late."""

        self._awaits_audio = False
        self._loud_at: float | None = None
        self._interrupted_at: float | None = None
        self._heard_until_cut = 0.0
        self._quiet_until = 0.0
        self._handlers: dict[str, Callable[[dict[str, Any]], None]] = {
            "session.ready": self._on_ready,
            "session.ended": self._on_ended,
            "audio.delta": self._on_audio,
            "audio.clear": self._on_clear,
            "audio.done": lambda event: self._speaker.finish(event["turnId"]),
            "turn.started": self._on_turn,
            "turn.ended": self._on_turn_ended,
            "response.started": lambda _: self._screen.state("thinks"),
            "transcript.delta": lambda event: self._screen.words(event["role"], event["text"]),
            "transcript.done": self._on_transcript,
            "tool.progress": self._on_tool,
            "announcement": self._on_announcement,
            "latency.metrics": self._on_latency,
            "satellite.set": self._on_controls,
            "listen": self._on_listen,
            "listen.ended": lambda _: self._close_microphone(),
            "error": self._on_error,
        }

    async def run(self) -> Report:
        """Talk until the session ends, and return what it came to."""
        async with asyncio.TaskGroup() as group:
            await self._send(json.dumps(session_config(self._options)))
            tasks = [group.create_task(self._speaker.run()), group.create_task(self._listen())]
            try:
                await self._receive()
                await self._play_out()
            finally:
                for task in (*tasks, *self._sending):
                    task.cancel()
        return self.report

    def press(self) -> None:
        """Obey a button: interrupt what is said, or say that the utterance is over. In standby, talk."""
        if self._options.is_standby and not self._speaker.is_playing:
            self._begin_to_talk()
        elif self._options.is_manual and not self._speaker.is_playing:
            self.commit()
        else:
            self.interrupt()

    def interrupt(self) -> None:
        """Stop the answer: first here, then there."""
        self._heard_until_cut = self._speaker.clear()
        self._interrupted_at = self._clock()
        self._tell({"type": "response.cancel"})

    def commit(self) -> None:
        """Say that the utterance is over, where Home Assistant does not find that out."""
        self._tell({"type": "audio.commit"})

    def end(self) -> None:
        """End the session; Home Assistant closes it."""
        self._tell({"type": "session.end"})

    async def _receive(self) -> None:
        """Take what comes, until the socket is closed."""
        try:
            async for message in self._socket:
                event = read_message(message)
                if handler := self._handlers.get(event["type"]):
                    handler(event)
        except ConnectionClosed:
            pass
        frame = self._socket.protocol.close_rcvd
        self.report.close_code = frame.code if frame else None

    async def _play_out(self) -> None:
        """Let the end of the answer be heard after which the session is over."""
        if self.report.reason == "completed":
            with suppress(TimeoutError):
                async with asyncio.timeout(PLAY_OUT_LIMIT):
                    await self._speaker.wait_until_silent()

    async def _listen(self) -> None:
        """Send what the microphone hears."""
        was_saying = False
        async for pcm in self._microphone.pieces():
            after = self._interrupt_after
            if after is not None and self._speaker.played >= after:
                self._interrupt_after = None
                self.interrupt()
            if self._is_listening:
                await self._send(audio_message(self._as_sent(pcm), self._options))
            is_saying = self._microphone.is_saying
            if self._options.is_manual and was_saying and not is_saying:
                self.commit()
            was_saying = is_saying

    def _as_sent(self, pcm: bytes) -> bytes:
        """Return a piece, or silence when it would be our own voice, or nobody is to be heard."""
        now = self._clock()
        if self._speaker.is_playing:
            self._quiet_until = now + ECHO_TAIL
        hears_itself = not self._options.cancels_echo and now < self._quiet_until
        if self._controls.is_muted or hears_itself:
            return bytes(len(pcm))
        if is_loud(pcm):
            self._loud_at = now
        return pcm

    async def _send(self, message: str | bytes) -> None:
        """Send, unless the socket is closed: whoever receives sees that."""
        try:
            async with asyncio.timeout(SEND_LIMIT):
                await self._socket.send(message)
        except ConnectionClosed:
            return

    def _tell(self, event: dict[str, Any]) -> None:
        """Send an event soon."""
        task = asyncio.get_running_loop().create_task(self._send(json.dumps(event)))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    def _heard(self, turn_id: str) -> None:
        """The speaker has drained."""
        self._tell({"type": "playback.done", "turnId": turn_id})
        self._screen.state("listens" if self._is_listening else "stands by")
        if self._is_complete:
            self._go_on()

    def _go_on(self) -> None:
        """Say the next thing, or end."""
        self._is_complete = False
        if not self._microphone.next_question():
            self.end()

    @property
    def _turn(self) -> Turn:
        """The turn that goes on."""
        if not self.report.turns:
            self.report.turns.append(Turn())
        return self.report.turns[-1]

    def _on_ready(self, event: dict[str, Any]) -> None:
        self.report.backend = event.get("backend")
        self.report.agent = event.get("agent")
        notes = ", ".join(event.get("notes") or ())
        self._tell_controls()
        if self._options.is_standby:
            self._screen.state("stands by")
            return
        self._screen.note(
            f"{event.get('agentName') or self.report.agent} answers ({self.report.backend}"
            + (f"; {notes})" if notes else ")")
        )
        self._screen.state("listens")
        self._microphone.next_question()

    def _on_ended(self, event: dict[str, Any]) -> None:
        self.report.reason = event["reason"]
        seconds, turns = event["durationSec"], event["turnCount"]
        self._screen.note(f"ended: {event['reason']} after {seconds} s, {turns} turns")

    def _on_audio(self, event: dict[str, Any]) -> None:
        if self._interrupted_at is not None:
            return
        if self._awaits_audio and self._loud_at is not None:
            self._turn.first_audio_s = round(self._clock() - self._loud_at, 3)
        if not self._speaker.is_playing:
            self._screen.state("speaks")
        self._awaits_audio = False
        self._speaker.play(event["pcm"])

    def _on_clear(self, event: dict[str, Any]) -> None:
        heard = self._speaker.clear()
        if self._interrupted_at is not None:
            heard = self._heard_until_cut
        self._screen.note(f"silence ({event['reason']}) after {heard:.1f} s")
        if self._interrupted_at is not None:
            self._turn.clear_ms = round((self._clock() - self._interrupted_at) * 1000, 1)
            self._interrupted_at = None
            self._cut |= {self._turn_id, event.get("turnId")} - {None}
            self._screen.state("listens")
            self._go_on()

    def _on_turn(self, event: dict[str, Any]) -> None:
        self._turn_id = event.get("turnId")
        self.report.turns.append(Turn())
        self._is_complete = False
        self._awaits_audio = True
        self._screen.state("hears")

    def _on_turn_ended(self, event: dict[str, Any]) -> None:
        if event.get("turnId") in self._cut:
            return
        self._is_complete = True
        if not self._speaker.is_playing:
            self._go_on()

    def _on_transcript(self, event: dict[str, Any]) -> None:
        self._screen.sentence(event["role"], event["text"])
        if event["role"] == "user":
            self._turn.user = event["text"]
        else:
            self._turn.assistant = event["text"]

    def _on_tool(self, event: dict[str, Any]) -> None:
        self._turn.tools.append(event["summary"])
        self._screen.note(event["summary"])

    def _on_announcement(self, event: dict[str, Any]) -> None:
        self.report.announcements.append(event["text"])
        self._screen.sentence("announcement", event["text"] or "(a sound)")

    def _on_listen(self, event: dict[str, Any]) -> None:
        """Somebody is to speak: to the agent, or to answer a question of Home Assistant."""
        if self._options.is_standby and event.get("purpose") != "answer":
            self._begin_to_talk()
            return
        self._is_listening = True
        self._screen.state("listens")
        self._microphone.next_question()

    def _close_microphone(self) -> None:
        """The answer was heard. A conversation goes on listening."""
        if self._options.is_standby:
            self._is_listening = False
            self._screen.state("stands by")

    def _begin_to_talk(self) -> None:
        """End standby; whoever runs this opens a session."""
        self.report.wants_to_talk = True
        self.end()

    def _on_latency(self, event: dict[str, Any]) -> None:
        names = {"endpointMs": "end of speech", "firstAudioFromTurnStartMs": "first audio"}
        times = [f"{name} {event[key]} ms" for key, name in names.items() if key in event]
        if (own := self._turn.first_audio_s) is not None:
            times.append(f"heard here after {own * 1000:.0f} ms")
        self._screen.note(", ".join(times))

    def _on_controls(self, event: dict[str, Any]) -> None:
        """Obey, and say how it is now."""
        controls = self._controls
        if (volume := event.get("volume")) is not None:
            self._speaker.volume = controls.volume = float(volume)
        if (muted := event.get("muted")) is not None:
            controls.is_muted = bool(muted)
        self._screen.note(f"volume {controls.volume:.0%}{', muted' * controls.is_muted}")
        self._tell_controls()

    def _tell_controls(self) -> None:
        controls = self._controls
        state = {"volume": controls.volume, "muted": controls.is_muted}
        self._tell({"type": "satellite.state", **state})

    def _on_error(self, event: dict[str, Any]) -> None:
        self.report.errors.append(event["reason"])
        self._screen.note(f"error {event['code']} {event['reason']}: {event['message']}")
