"""What an agent says by itself can be answered in the session it belongs to."""

import pytest

from custom_components.openclaw_voice.gateway.client import GatewayClient
from custom_components.openclaw_voice.gateway.connection import Connection
from custom_components.openclaw_voice.gateway.run_request import RunMethod

from .test_unasked import Told, ask, owner, run_job, told

__all__ = ["owner", "told"]


async def test_a_scheduled_job_leaves_no_session_that_knows_of_it(
    client: GatewayClient, owner: Connection, told: Told
) -> None:
    """So there is nothing in which it could be answered."""
    await run_job(owner, "MODEL:SAY The bins go out.")
    await told.until(lambda: told.jobs)
    session_key = told.jobs[0].session_key
    assert session_key is not None
    assert await client.sessions.messages(session_key, 10) == ()


@pytest.mark.parametrize("method", RunMethod)
async def test_a_job_in_a_session_can_be_answered(
    client: GatewayClient, owner: Connection, told: Told, session_key: str, method: RunMethod
) -> None:
    """The agent knows there what it has said."""
    await ask(client, session_key, "MODEL:SAY Hello.")
    await run_job(owner, "MODEL:SAY The bins go out.", session_key=session_key)
    await told.until(lambda: told.jobs)
    assert await ask(client, session_key, "MODEL:SAY Okay.", method) == "Okay."
    said = [message.text for message in await client.sessions.messages(session_key, 10)]
    assert said[-1] == "Okay."
    assert "The bins go out." in said


async def test_a_heartbeat_can_be_answered(client: GatewayClient) -> None:
    """In the main session of its agent."""
    assert await ask(client, "agent:main:main", "MODEL:SAY Okay.") == "Okay."
