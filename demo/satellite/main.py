"""`scripts/satellite`: talk to an agent through Home Assistant, by voice or with files.

The token is that of a user of Home Assistant, in HASS_TOKEN or --token-file.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import asdict
import json
import os
from pathlib import Path
import sys
from typing import Final
import wave

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, InvalidStatus

from .client import Controls, Report, Satellite
from .devices import DeviceError, Player, recorder
from .microphone import Microphone, Program, Questions
from .protocol import DONE, RATES, Options, endpoint_url, wait_before_next
from .screen import Screen
from .speaker import Recording, Sink

CONNECT_LIMIT: Final = 10.0
LARGEST_MESSAGE: Final = 1 << 20


class SatelliteError(Exception):
    """It cannot go on; the message is a sentence."""


def arguments() -> argparse.ArgumentParser:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(prog="scripts/satellite", description=__doc__)
    parser.add_argument(
        "address", help="of Home Assistant, such as http://homeassistant.local:8123"
    )
    parser.add_argument("--token-file", type=Path, help="a file with the access token")
    parser.add_argument(
        "--token-in-config", action="store_true", help="send it in the first message"
    )
    parser.add_argument(
        "--in", dest="questions", type=Path, nargs="+", metavar="WAV", help="what is said, in turns"
    )
    parser.add_argument("--out", type=Path, metavar="WAV", help="takes what was heard")
    parser.add_argument(
        "--interrupt-after", type=float, metavar="SECONDS", help="of the first answer"
    )
    parser.add_argument("--rate", type=int, choices=RATES, default=16000, help="without --in")
    parser.add_argument("--json-audio", action="store_true", help="audio as base64 in JSON")
    parser.add_argument("--satellite-id", help="becomes a device of Home Assistant")
    parser.add_argument("--name", help="of the device")
    parser.add_argument("--area", help="of the device")
    parser.add_argument("--agent", help="that is to answer")
    parser.add_argument("--backend", choices=("auto", "gateway", "assist"))
    parser.add_argument("--language", help="such as de")
    parser.add_argument("--single", action="store_true", help="one turn")
    parser.add_argument(
        "--standby", action="store_true", help="wait to be told something; Enter begins to talk"
    )
    parser.add_argument("--manual", action="store_true", help="Enter ends what is said, too")
    parser.add_argument("--echo-cancellation", action="store_true", help="the microphone has it")
    parser.add_argument("--microphone", metavar="DEVICE", help="of arecord")
    parser.add_argument("--speaker", metavar="DEVICE", help="of aplay")
    parser.add_argument("--stay", action="store_true", help="connect again after a failure")
    parser.add_argument(
        "--json", action="store_true", help="print a report; the rest goes to stderr"
    )
    return parser


def read_wav(path: Path) -> tuple[int, bytes]:
    """Return the rate and the samples of a WAV file.

    Raises:
        SatelliteError: It cannot be used.
    """
    try:
        with wave.open(str(path)) as file:
            rate, samples = file.getframerate(), file.readframes(file.getnframes())
            is_fit = (file.getsampwidth(), file.getnchannels()) == (2, 1) and rate in RATES
    except (OSError, EOFError, wave.Error) as err:
        raise SatelliteError(f"{path} cannot be read: {err}") from err
    if not is_fit:
        rates = ", ".join(map(str, RATES))
        raise SatelliteError(f"{path} has to have one channel of 16 bits at {rates} Hz")
    return rate, samples


def write_wav(path: Path, rate: int, samples: bytes) -> None:
    """Write a WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples)


def token_of(options: argparse.Namespace) -> str:
    """Return the access token.

    Raises:
        SatelliteError: There is none.
    """
    try:
        token = (
            options.token_file.read_text() if options.token_file else os.environ.get("HASS_TOKEN")
        )
    except OSError as err:
        raise SatelliteError(f"the token cannot be read: {err}") from err
    if not token:
        raise SatelliteError("put an access token into HASS_TOKEN, or name its --token-file")
    return str(token).strip()


def wanted(options: argparse.Namespace, rate: int, *, is_standby: bool = False) -> Options:
    """Return what the command line wants of a session, or for the time between two."""
    return Options(
        rate=rate,
        is_binary=not options.json_audio,
        satellite_id=options.satellite_id,
        name=options.name,
        area=options.area,
        agent=options.agent,
        backend=options.backend,
        language=options.language,
        is_single=options.single,
        is_manual=options.manual,
        is_standby=is_standby,
        # A file hears nothing, so it hears no echo.
        cancels_echo=options.echo_cancellation or options.questions is not None,
        token=token_of(options) if options.token_in_config else None,
    )


@asynccontextmanager
async def opened(
    address: str,
    token: str,
    options: Options,
    *,
    microphone: Microphone,
    sink: Sink,
    screen: Screen,
    controls: Controls | None = None,
    interrupt_after: float | None = None,
    speed: float = 1.0,
) -> AsyncIterator[Satellite]:
    """Connect, and yield a session that is to be run; the connection is closed afterwards.

    Raises:
        SatelliteError: It could not be opened, and another try would not help.
        OSError: The connection could not be made.
    """
    headers = {} if options.token else {"Authorization": f"Bearer {token}"}
    try:
        connection = connect(
            endpoint_url(address),
            additional_headers=headers,
            compression=None,
            max_size=LARGEST_MESSAGE,
            open_timeout=CONNECT_LIMIT,
        )
        async with connection as socket:
            yield Satellite(
                socket,
                options,
                microphone=microphone,
                sink=sink,
                screen=screen,
                controls=controls,
                interrupt_after=interrupt_after,
                speed=speed,
            )
    except InvalidStatus as err:
        status = err.response.status_code
        raise SatelliteError(
            "Home Assistant refuses the token"
            if status in {401, 403}
            else f"Home Assistant answers {status}: is the integration set up?"
        ) from None
    except InvalidHandshake as err:
        raise SatelliteError(f"this is no Home Assistant: {type(err).__name__}") from err


async def talk(
    address: str,
    token: str,
    options: Options,
    *,
    microphone: Microphone,
    sink: Sink,
    screen: Screen,
    controls: Controls | None = None,
    interrupt_after: float | None = None,
    speed: float = 1.0,
    has_keys: bool = False,
) -> Report:
    """Run one session, and return what it came to.

    Raises:
        SatelliteError: It could not be opened, and another try would not help.
        OSError: The connection could not be made.
    """
    session = opened(
        address,
        token,
        options,
        microphone=microphone,
        sink=sink,
        screen=screen,
        controls=controls,
        interrupt_after=interrupt_after,
        speed=speed,
    )
    async with session as satellite:
        with keys(satellite) if has_keys else nullcontext():
            return await satellite.run()


@contextmanager
def keys(satellite: Satellite) -> Iterator[None]:
    """Take lines from the keyboard: Enter interrupts, q ends."""
    loop = asyncio.get_running_loop()

    def read() -> None:
        line = sys.stdin.readline()
        if not line or line.strip() == "q":
            loop.remove_reader(sys.stdin)
            satellite.end()
        else:
            satellite.press()

    loop.add_reader(sys.stdin, read)
    try:
        yield
    finally:
        loop.remove_reader(sys.stdin)


@asynccontextmanager
async def hardware(
    options: argparse.Namespace, rate: int
) -> AsyncIterator[tuple[Microphone, Sink]]:
    """Start what hears and plays."""
    async with (
        recorder(rate, options.microphone) as output,
        Player(rate, options.speaker) as player,
    ):
        yield Program(output, rate), player


async def run(options: argparse.Namespace, *, speed: float = 1.0) -> Report:
    """Talk as the command line wants it, and return what the last session came to.

    Raises:
        SatelliteError: It cannot go on.
        DeviceError: There is no microphone, or no loudspeaker.
    """
    token = token_of(options)
    screen = Screen(sys.stderr if options.json else sys.stdout)
    try:
        endpoint_url(options.address)
    except ValueError as err:
        raise SatelliteError(str(err)) from None
    if options.standby and (options.questions or not options.satellite_id):
        raise SatelliteError("--standby is for a --satellite-id, without --in")
    if options.questions is None:
        return await with_hardware(options, token, screen)
    sounds = [read_wav(path) for path in options.questions]
    rate = sounds[0][0]
    if {each for each, _ in sounds} != {rate}:
        raise SatelliteError("the files have to have the same rate")
    recording = Recording()
    try:
        return await talk(
            options.address,
            token,
            wanted(options, rate),
            microphone=Questions([samples for _, samples in sounds], rate, speed=speed),
            sink=recording,
            screen=screen,
            interrupt_after=options.interrupt_after,
            speed=speed,
        )
    except OSError as err:
        raise SatelliteError(f"Home Assistant cannot be reached: {err}") from err
    finally:
        if options.out:
            write_wav(options.out, rate, bytes(recording.samples))


async def with_hardware(options: argparse.Namespace, token: str, screen: Screen) -> Report:
    """Talk by microphone and loudspeaker; stand by in between, and connect again, where that is wanted."""
    attempt = 0
    controls = Controls()
    is_standby: bool = options.standby
    while True:
        report = Report()
        try:
            async with hardware(options, options.rate) as (microphone, sink):
                report = await talk(
                    options.address,
                    token,
                    wanted(options, options.rate, is_standby=is_standby),
                    microphone=microphone,
                    sink=sink,
                    screen=screen,
                    controls=controls,
                    has_keys=sys.stdin.isatty(),
                )
        except OSError as err:
            if not options.stay:
                raise SatelliteError(f"Home Assistant cannot be reached: {err}") from err
        if options.standby and report.wants_to_talk == is_standby and report.close_code in DONE:
            is_standby = not is_standby
            continue
        attempt = 0 if report.backend else attempt
        wait = wait_before_next(report.close_code, attempt)
        if wait is None or not options.stay:
            return report
        screen.note(f"connects again in {wait:g} s")
        await asyncio.sleep(wait)
        attempt += 1


def main(argv: list[str] | None = None) -> int:
    """Run, and return the exit code: 0 when the session ended as it should."""
    options = arguments().parse_args(argv)
    try:
        report = asyncio.run(run(options))
    except (SatelliteError, DeviceError) as err:
        print(f"satellite: {err}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if options.json:
        print(json.dumps(asdict(report), ensure_ascii=False))
    return 0 if report.close_code == 1000 else 1
