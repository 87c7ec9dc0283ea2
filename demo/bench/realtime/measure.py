"""Starts what is measured, measures, and stops everything."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from ...gateway import GatewayProcess, realtime_config
from ...home_assistant import HomeAssistantProcess
from ...model_server import ModelServer
from ...satellite.protocol import Options
from ...stage import (
    add_gateway,
    start_gateway,
    start_home_assistant,
    step,
    stop,
)
from ...voice.provider_session import SpeechModel
from ...voice.realtime_provider import RealtimeProvider
from ...voice.speech_model import INSTANT_WORDS, Say
from ..homes import add_component
from .assist import measure_assist
from .figures import RealtimeFigures
from .line import PIPE, PIPE_RATE, Line, opened, satellite
from .load import measure_load
from .pipe import running_pipe
from .sound import ANSWER, Taps, measure_cancels, measure_starts, measure_ways
from .tap import Tap

RATE: Final = 16_000


async def measure_realtime(folder: Path) -> RealtimeFigures:
    """Start everything, measure, and stop everything.

    Raises:
        StepError: Something could not be started or set up, or did not answer as it should.
    """
    async with AsyncExitStack() as stack:
        provider = await stack.enter_async_context(RealtimeProvider.instant())
        provider.model.mind.teach(INSTANT_WORDS, Say(text=ANSWER))
        to_provider = Tap(int(provider.url.rpartition(":")[2]))
        await stack.enter_async_context(to_provider)
        model = await stack.enter_async_context(ModelServer())
        gateway = GatewayProcess(
            folder / "gateway",
            model.base_url,
            overrides=realtime_config(f"http://127.0.0.1:{to_provider.port}"),
        )
        taps = Taps(
            ours=await stack.enter_async_context(Tap(gateway.port)),
            pipe=await stack.enter_async_context(Tap(gateway.port)),
            provider=to_provider,
        )
        home = HomeAssistantProcess(folder / "home-assistant")
        for name in ("loop_probe", "instant_voice"):
            add_component(home, name)
        stack.push_async_callback(stop, gateway, home)
        await start_gateway(gateway)
        await start_home_assistant(home)
        with step("Adding the integration"):
            async with home.connect() as client:
                await add_gateway(client, f"ws://127.0.0.1:{taps.ours.port}", gateway.token)
        with step("Starting the bare pipe"):
            pipe_url = await stack.enter_async_context(
                running_pipe(folder / "pipe", f"ws://127.0.0.1:{taps.pipe.port}", gateway.token)
            )
        return await _measure(home, taps, provider.model, pipe_url, gateway.version)


async def _measure(
    home: HomeAssistantProcess,
    taps: Taps,
    model: SpeechModel,
    pipe_url: str,
    gateway_version: str,
) -> RealtimeFigures:
    # Nobody reads this connection, so it does not last: only its token is used.
    async with home.connect() as client:
        token, version = client.token, client.version

    @asynccontextmanager
    async def ours(*, max_ahead: float = 0.4) -> AsyncGenerator[tuple[Line, float]]:
        options = Options(rate=RATE, max_ahead=max_ahead, satellite_id="bench", backend="gateway")
        async with satellite(home.url, token, options) as line:
            yield line

    @asynccontextmanager
    async def pipe() -> AsyncGenerator[tuple[Line, float]]:
        async with opened(pipe_url, PIPE, rate=PIPE_RATE) as line:
            yield line

    with step("Opening sessions"):
        start, pipe_start = await measure_starts(ours, pipe)
    with step("Timing sound, both ways"):
        up, down = await measure_ways(taps, lambda: ours(max_ahead=0.0), pipe)
    with step("Interrupting answers"):
        clear = await measure_cancels(ours)
        pipe_clear = await measure_cancels(pipe)
    with step("Asking Home Assistant's own speech engines"):
        async with home.connect() as client:
            first_audio = await measure_assist(client)
    with step("Opening sixteen microphones"):
        async with home.connect() as client:
            load = await measure_load(client, model, pipe_url)
    return RealtimeFigures(
        gateway_version=gateway_version,
        home_assistant_version=version,
        up=up,
        down=down,
        clear=clear,
        pipe_clear=pipe_clear,
        start=start,
        pipe_start=pipe_start,
        assist_first_audio_s=first_audio,
        load=load,
    )
