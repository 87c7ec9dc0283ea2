"""`scripts/bench`: starts what is measured, measures, stops everything, and prints.

Progress goes to stderr; the figures and, if asked for, one JSON object go to stdout.
"""

import argparse
from contextlib import AsyncExitStack
import json
from pathlib import Path
from typing import Final

from ..gateway import GatewayProcess
from ..home_assistant import HomeAssistantProcess
from ..model_server import ModelServer
from ..stage import (
    PIPELINE_NAME,
    StepError,
    add_gateway,
    folder_of_run,
    run_until_signal,
    start_gateway,
    start_home_assistant,
    step,
    stop,
)
from . import __doc__ as bench_docs
from .bare_client import BareClient
from .comparison import Comparison
from .figures import Figures, table
from .first_audio import Listener
from .homes import add_component
from .notifications import measure_notifications
from .our_code import microseconds_per_delta
from .realtime import __doc__ as realtime_docs
from .realtime.figures import table as realtime_table
from .realtime.measure import measure_realtime

QUESTIONS: Final = 16
LONG_ANSWERS: Final = 3
LOADS: Final = 5
PROBE: Final = "loop_probe"

DELTAS: Final = 400
CHARACTERS: Final = 2_000
LONG_CHARACTERS: Final = 60_000


async def measure(questions: int, folder: Path) -> Figures:
    """Start everything, measure, and stop everything.

    Raises:
        StepError: Something could not be started or set up, or did not answer as it should.
    """
    with step("Timing our own code"):
        delta_us = await microseconds_per_delta(characters=CHARACTERS, deltas=DELTAS)
        long_delta_us = await microseconds_per_delta(characters=LONG_CHARACTERS, deltas=DELTAS)
    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(ModelServer())
        gateway = GatewayProcess(folder / "gateway", model.base_url)
        home = HomeAssistantProcess(folder / "home-assistant")
        add_component(home, PROBE)
        stack.push_async_callback(stop, gateway, home)
        await start_gateway(gateway)
        # Before Home Assistant: the gateway tells those first that came first.
        with step("Connecting the bare client"):
            bare = await stack.enter_async_context(BareClient.connect(gateway.url, gateway.token))
        await start_home_assistant(home)
        assist = await stack.enter_async_context(home.connect())
        with step("Adding the integration and an Assist pipeline"):
            agent = await add_gateway(assist, gateway.url, gateway.token)
            await assist.prefer_agent(agent.entity_id, name=PIPELINE_NAME)
        comparison = Comparison(assist, bare)
        with step("Warming up"):
            await comparison.warm_up()
        with step(f"Asking {questions} questions through Assist and by the bare client"):
            answers = [await comparison.question(number) for number in range(questions)]
        with step("Asking for long answers"):
            long_answers = [
                await comparison.long_answer(number, LONG_CHARACTERS)
                for number in range(LONG_ANSWERS)
            ]
        with step("Listening for the first sound of answers"):
            listener = await Listener.start(stack, assist, folder / "voice")
            await listener.add(agent.entity_id)
            first_audios = await listener.measure()
        with step("Telling notifications, slowly and at once"):
            async with home.connect() as listener_of_events:
                paced, burst = await measure_notifications(assist, listener_of_events)
        with step("Reloading the entry"):
            loads = [await assist.reload_entry(agent.entry_id) for _ in range(LOADS)]
        return Figures(
            gateway_version=gateway.version,
            home_assistant_version=assist.version,
            added_ms=[seconds * 1000 for answer in answers for seconds in answer.added_s],
            first_text_s=[answer.first_text_s for answer in answers],
            bare_first_text_s=[answer.bare_first_text_s for answer in answers],
            delta_us=delta_us,
            long_delta_us=long_delta_us,
            long_answers=long_answers,
            loads_s=loads,
            first_audios=first_audios,
            paced=paced,
            burst=burst,
        )


async def run(questions: int, *, as_json: bool, is_realtime: bool = False) -> int:
    """Run a bench in a folder of its own, which stays when it fails, and return the exit code."""
    try:
        with folder_of_run(".bench") as folder:
            if is_realtime:
                spoken = await measure_realtime(folder)
                text, figures = realtime_table(spoken), spoken.as_json()
            else:
                written = await measure(questions, folder)
                text, figures = table(written), written.as_json()
    except StepError:
        return 1
    print(text)
    if as_json:
        print(json.dumps(figures))
    return 0


def _count(text: str) -> int:
    """Return a number of questions."""
    if (count := int(text)) < 1:
        raise argparse.ArgumentTypeError("at least one question must be asked")
    return count


def main() -> int:
    """Read the command line and run the bench."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description=f"{bench_docs}\n\nWith --realtime:\n\n{realtime_docs}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--questions", type=_count, default=QUESTIONS, help=f"how many ({QUESTIONS})"
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object as the last line of stdout"
    )
    parser.add_argument(
        "--realtime", action="store_true", help="measure conversations by voice instead"
    )
    options = parser.parse_args()
    return run_until_signal(
        run(options.questions, as_json=options.json, is_realtime=options.realtime)
    )
