"""The example of a dashboard, in the frontend of a Home Assistant with something to show.

The picture it leaves in `.artefacts/frontend` is that of `docs/status.md`; whoever changes the example looks at it.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
import re
from typing import Any, Final
import uuid

import pytest
import yaml

from demo.client import HomeAssistantClient
from demo.gateway import GatewayProcess
from demo.home_assistant import DOMAIN, HomeAssistantProcess
from demo.process import CHECKOUT
from demo.stage import Agent

from .administrator import Administrator
from .aloud import act
from .asking import ROOM, question
from .browser import Page
from .frontend import logged_in
from .test_status import entities, state_of
from .told import told

pytestmark = [
    pytest.mark.e2e("browser", "gateway", "home-assistant"),
    pytest.mark.timeout(300),
]

PAGE: Final = CHECKOUT / "docs" / "status.md"
DASHBOARD: Final = "open-claw"
NEXT_JOB: Final = "Morning briefing"
MAIL: Final = (
    "Three new mails. The **invoice** of the electrician is due on Friday, the others can wait."
)
BROKEN: Final = (
    "hui-error-card",
    "hui-warning",
    "hui-error-section",
    "hui-error-badge",
    "ha-alert",
)
"""What the frontend shows instead of a card, section, badge or entity that is not there."""

CHARTS_LIMIT: Final = 30.0
"""Seconds until charts must have stopped growing. It takes two."""

COSTS: Final = (0.6, 0.5, 1.8, 0.6, 0.5, 1.8, 1.6, 1.3, 1.7, 1.3, 1.0, 1.7, 1.7, 1.6)
"""Dollars of fourteen days."""

FIRST_TEXT: Final = (1.4, 1.3, 2.3, 1.9, 1.3, 2.3, 1.5, 2.2, 1.3, 1.9, 1.3, 1.9, 2.0, 1.9)
"""Seconds of fourteen days."""

END: Final = (4.3, 4.4, 6.2, 4.7, 3.9, 6.3, 4.3, 6.3, 4.8, 4.4, 5.6, 4.8, 6.2, 5.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What the entities of the gateway and the agent begin with here, instead of as on the page."""

    gateway: str
    agent: str

    @classmethod
    async def of(cls, client: HomeAssistantClient, agent: Agent) -> Names:
        """Read them off."""
        state = (await entities(client, agent))["connection_state"]
        gateway = state.partition(".")[2].removesuffix("_connection_state")
        return cls(gateway=gateway, agent=agent.entity_id.partition(".")[2])

    def put_into(self, text: str) -> str:
        """Return an example with these names."""
        text = re.sub(r"\b(\w+)\.openclaw_", rf"\1.{self.gateway}_", text)
        return re.sub(r"\b(\w+)\.molty_", rf"\1.{self.agent}_", text)


@pytest.fixture
async def lived_in(
    client: HomeAssistantClient,
    agent: Agent,
    owner: Administrator,
    real_home_assistant: HomeAssistantProcess,
) -> AsyncGenerator[Names]:
    """Return the names where an agent was asked, a job has ended, another one is due, and a question waits."""
    names = await Names.of(client, agent)
    await remember(client, names)
    async with told(real_home_assistant) as seen, due_job(owner):
        await act(
            client,
            "ask",
            agent=agent.entity_id,
            session=uuid.uuid4().hex,
            message=question(ROOM),
            wait=False,
        )
        asked = await seen.of_kind("question_asked", ROOM["question"])
        await act(client, "ask", agent=agent.entity_id, message="MODEL:SAY Good morning.")
        await owner.run_job("Look at the mail", f"MODEL:SAY {MAIL}")
        await seen.of_kind("job_finished", MAIL)
        await spend(client, names)
        yield names
        await client.call(
            "call_service",
            domain=DOMAIN,
            service="answer_question",
            service_data={"question_id": asked["data"]["question_id"], "cancel": True},
        )


@asynccontextmanager
async def due_job(owner: Administrator) -> AsyncGenerator[None]:
    """Have a job due tomorrow while the block lasts, and none before it."""
    listed = await owner.call("cron.list")
    for job in listed["jobs"]:
        if "declarationKey" not in job:
            await owner.call("cron.remove", id=job["id"])
    made = await owner.call(
        "cron.add",
        name=NEXT_JOB,
        agentId="main",
        schedule={"kind": "at", "at": (datetime.now(UTC) + timedelta(hours=15)).isoformat()},
        wakeMode="now",
        sessionTarget="isolated",
        payload={"kind": "agentTurn", "message": "MODEL:SAY Good morning."},
        delivery={"mode": "none"},
    )
    try:
        yield
    finally:
        await owner.call("cron.remove", id=made["id"])


async def remember(client: HomeAssistantClient, names: Names) -> None:
    """Have Home Assistant remember fourteen days of answers and what they have cost."""
    today = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    days = [(today - timedelta(days=ago)).isoformat() for ago in range(14, 0, -1)]
    spent = zip(days, COSTS, accumulate(COSTS), strict=True)
    cost = [{"start": day, "state": state, "sum": total} for day, state, total in spent]
    await _import(client, f"sensor.{names.gateway}_cost_today", cost, "USD", has_sum=True)
    for name, seconds in (("time_to_first_text", FIRST_TEXT), ("time_to_the_end", END)):
        means = [
            {"start": day, "mean": each, "min": each, "max": each}
            for day, each in zip(days, seconds, strict=True)
        ]
        await _import(client, f"sensor.{names.agent}_{name}", means, "s", unit_class="duration")


async def spend(client: HomeAssistantClient, names: Names) -> None:
    """Show what a day uses: the model of these tests costs nothing, and is counted minutes later."""
    for entity_id, state in (
        (f"sensor.{names.gateway}_tokens_today", "48210"),
        (f"sensor.{names.gateway}_cost_today", "1.2"),
        (f"sensor.{names.agent}_tokens_today", "31470"),
    ):
        path = f"/api/states/{entity_id}"
        shown = await client.rest("GET", path)
        await client.rest("POST", path, {"state": state, "attributes": shown["attributes"]})


async def _import(
    client: HomeAssistantClient,
    statistic_id: str,
    rows: list[dict[str, Any]],
    unit: str,
    *,
    has_sum: bool = False,
    unit_class: str | None = None,
) -> None:
    metadata = {
        "statistic_id": statistic_id,
        "source": "recorder",
        "name": None,
        "unit_of_measurement": unit,
        "unit_class": unit_class,
        "has_sum": has_sum,
        "has_mean": not has_sum,
        "mean_type": int(not has_sum),
    }
    await client.call("recorder/import_statistics", metadata=metadata, stats=rows)


@pytest.fixture
async def dashboard(client: HomeAssistantClient, lived_in: Names) -> AsyncGenerator[str]:
    """Return the path of a dashboard with the example of the page."""
    example = re.findall(r"```yaml\n(- title:.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    views = yaml.safe_load(lived_in.put_into(example[0]))
    made = await client.call(
        "lovelace/dashboards/create",
        url_path=DASHBOARD,
        title="OpenClaw",
        mode="storage",
        show_in_sidebar=True,
        require_admin=False,
    )
    await client.call("lovelace/config/save", url_path=DASHBOARD, config={"views": views})
    yield f"/{DASHBOARD}"
    await client.call("lovelace/dashboards/delete", dashboard_id=made["id"])


@pytest.fixture
async def page(
    dashboard: str, real_home_assistant: HomeAssistantProcess, tmp_path: Path
) -> AsyncGenerator[Page]:
    """Return a browser that shows the dashboard."""
    async with logged_in(
        real_home_assistant, tmp_path, dashboard, width=1440, height=590, scale=1.5
    ) as page:
        yield page


async def test_the_example_shows_what_there_is(
    client: HomeAssistantClient, agent: Agent, real_gateway: GatewayProcess, page: Page
) -> None:
    """No card lacks its entity; it says what waits, what comes next, and what was said last."""
    waiting = await state_of(client, (await entities(client, agent))["waiting_answers"])
    await page.see("hui-tile-card", f"Waiting for an answer {waiting} · question")
    await page.see("hui-tile-card", NEXT_JOB)
    await page.see("hui-tile-card", "Connection Connected")
    await page.see("hui-heading-card", f"OK {real_gateway.version}")
    await page.see("hui-markdown-card", f"Look at the mail {MAIL.replace('*', '')}")
    await until_charts_are_drawn(page)

    shown = await page.see("hui-sections-view")
    await page.picture("dashboard", "hui-sections-view >> .wrapper", margin=0)
    assert [part for part in BROKEN if await page.sees(part)] == []
    for complaint in ("not found", "No statistics", "Unavailable", "Error"):
        assert complaint not in shown


async def until_charts_are_drawn(page: Page) -> None:
    """Wait until both charts are there and grow no more, which no animation of the page tells."""
    await page.see("hui-statistics-graph-card >> canvas")
    still = """deep.until(async () => {
        const look = () => deep.all("canvas").map((chart) => chart.toDataURL());
        const before = look();
        await new Promise((done) => setTimeout(done, 300));
        return before.length > 1 && String(before) === String(look());
    }, %d)"""
    assert await page.evaluate(still % (CHARTS_LIMIT * 1000), limit=CHARTS_LIMIT)
