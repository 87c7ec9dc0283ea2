"""The way of a person through Home Assistant's own frontend, from a new installation to an answer.

The pictures it leaves in `.artefacts/frontend` are those of the README; whoever changes a text looks at them.
"""

from collections.abc import AsyncGenerator
from pathlib import Path
import shlex

import pytest

from demo.gateway import GatewayProcess
from demo.home_assistant import HomeAssistantProcess
from demo.model_server import ModelServer
from demo.script import plain_answer
from tests.real import OWN_ADDRESS, reachable_by_others

from .browser import Page
from .frontend import logged_in

pytestmark = [
    pytest.mark.e2e("browser", "gateway", "home-assistant"),
    pytest.mark.timeout(600),
]

APPROVED = 60.0
"""Seconds from the owner's approval to the end of the flow. Asking again takes up to 10."""

COMMAND_LIMIT = 120.0
"""Seconds for the command that approves. It takes three."""

GOES_ON = "…"
"""What the frontend puts after an answer that is not complete."""

TOLD = "What I can tell you"
"""So far the model speaks before it is to be seen."""

REPLY = "ha-assist-chat >> .message.hass"
DIALOG = "dialog-data-entry-flow >> dialog"


@pytest.fixture
async def real_home_assistant(
    tmp_path: Path, socket_enabled: None
) -> AsyncGenerator[HomeAssistantProcess]:
    """Return one without a past, in the place of the one other tests have set up."""
    async with HomeAssistantProcess(tmp_path / "home-assistant") as home:
        yield home


@pytest.fixture
async def real_gateway(
    model_server: ModelServer, tmp_path: Path, socket_enabled: None
) -> AsyncGenerator[GatewayProcess]:
    """Return one with a single agent: others have given theirs a second one."""
    async with GatewayProcess(
        tmp_path / "gateway", model_server.base_url, overrides=reachable_by_others()
    ) as gateway:
        yield gateway


@pytest.fixture
async def page(real_home_assistant: HomeAssistantProcess, tmp_path: Path) -> AsyncGenerator[Page]:
    """Return a browser whose user has just logged in."""
    async with logged_in(real_home_assistant, tmp_path) as page:
        yield page


async def test_from_adding_the_integration_to_an_answer(
    page: Page, real_gateway: GatewayProcess, model_server: ModelServer
) -> None:
    """Somebody who types address and token is told what to do on the gateway, and then talks to the agent."""
    assert OWN_ADDRESS, "this computer has no address of its own to connect from as another host"
    await open_the_form(page)
    await be_refused_with_a_wrong_token(page, f"{OWN_ADDRESS}:{real_gateway.port}")
    await page.fill("step-flow-form >> input[name=token]", real_gateway.token)
    await page.click("dialog-data-entry-flow >> ha-button", "Submit")

    await be_approved(page, real_gateway)
    await page.see("step-flow-create-entry", "Agent", limit=APPROVED)
    await page.picture("created", DIALOG)
    await page.click("dialog-data-entry-flow >> ha-button", "finish")
    await look_at_the_device(page, real_gateway.version)

    await choose_the_agent(page)
    await ask_in_assist(page, model_server, "What can you do for me?")


async def open_the_form(page: Page) -> None:
    """Begin to add the integration."""
    await page.click("ha-sidebar >> a", "Settings")
    await page.click("a[href='/config/integrations']")
    await page.click("ha-button", "Add integration")
    await page.fill("dialog-add-integration >> input", "OpenClaw")
    await page.click("ha-integration-list-item", "OpenClaw Voice")


async def be_refused_with_a_wrong_token(page: Page, address: str) -> None:
    """What was typed stays in the form; the secret does not."""
    await page.fill("step-flow-form >> input[name=url]", address)
    await page.fill("step-flow-form >> input[name=token]", "not-the-token")
    await page.picture("setup", DIALOG)
    await page.click("dialog-data-entry-flow >> ha-button", "Submit")

    await page.see("step-flow-form >> ha-alert", "does not accept this token")
    await page.picture("refused", DIALOG)
    assert await page.value("step-flow-form >> input[name=url]") == address
    assert await page.value("step-flow-form >> input[name=token]") == ""


async def be_approved(page: Page, gateway: GatewayProcess) -> None:
    """The page shows a command that the owner runs as it stands."""
    command = await page.see("step-flow-progress >> code", "openclaw devices approve")
    await page.picture("pairing", DIALOG)

    program, *arguments = shlex.split(command)
    assert program == "openclaw"
    await gateway.command(*arguments, limit=COMMAND_LIMIT)


async def look_at_the_device(page: Page, version: str) -> None:
    """The gateway is a device that says how it is connected."""
    await page.click("ha-config-entry-device-row >> ha-list-item-button", "Gateway")
    await page.see("ha-device-entities-card >> ha-card", "Connection state Connected")
    await page.see("ha-config-device-page", version)
    await page.picture("device", "ha-config-device-page", margin=0)


async def choose_the_agent(page: Page) -> None:
    """Make the agent the one of the assistant that is there."""
    await page.click("ha-sidebar >> a", "Settings")
    await page.click("a[href='/config/voice-assistants']")
    await page.click("assist-pref >> ha-list-item-button", "Home Assistant")
    await page.click("ha-conversation-agent-picker >> ha-picker-field")
    await page.click("ha-conversation-agent-picker >> ha-dropdown-item", "main")
    await page.see("ha-conversation-agent-picker >> ha-picker-field", "main")
    await page.picture("assistant", "dialog-voice-assistant-pipeline-detail >> dialog")
    await page.click("dialog-voice-assistant-pipeline-detail >> ha-button", "Update")
    await page.see_no("dialog-voice-assistant-pipeline-detail >> dialog")


async def ask_in_assist(page: Page, model_server: ModelServer, question: str) -> None:
    """The first words of the answer are to be read before the model has said the last."""
    answer = plain_answer(question)
    before, told, after = answer.partition(TOLD)
    rest = after.strip()
    model_server.teach(question, f"MODEL:HOLD {before}{told} | {rest}")
    await page.click("ha-sidebar >> a", "Overview")
    await page.see("hui-root")
    await page.press("a")
    await page.fill("ha-assist-chat >> input", question)
    await page.press("Enter")

    begun = await page.see(REPLY, TOLD)
    await page.picture("assist", "ha-voice-command-dialog >> dialog", at_rest=False)
    assert begun == f"{before}{told}{GOES_ON}"
    model_server.release(rest)
    await page.see(REPLY, answer)
    await page.see_no(REPLY, GOES_ON)
    assert await page.see(REPLY, answer) == answer
