"""What people read and choose in the frontend: options of gateway and agent, and our parts of an automation.

The pictures are in `.artefacts/frontend`; whoever changes a text looks at them.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest

from demo.client import HomeAssistantClient
from demo.home_assistant import DOMAIN, HomeAssistantProcess
from demo.stage import Agent

from .automations import Automations
from .browser import BrowserError, Page
from .frontend import LOADED, logged_in, speak, texts_in, translations

pytestmark = [
    pytest.mark.e2e("browser", "gateway", "home-assistant"),
    pytest.mark.timeout(300),
]

LANGUAGES = ("de", "en")
ENTRY = f"/config/integrations/integration/{DOMAIN}"
FORM = "step-flow-form"
DIALOG = "dialog-data-entry-flow >> dialog"
PERSISTENT = f"{FORM} >> ha-selector-boolean >> ha-switch"
"""The first switch of the options: whether it is shown in Home Assistant."""

SILENCE = f"{FORM} >> ha-selector-number >> input"
"""The one number of the options of an agent that is to be seen once *Realtime satellites* is open."""

MOVED: Final = 5.0
"""Seconds after which a click on a section has gone elsewhere."""

SIDEBAR = "ha-automation-sidebar"
TRIGGER, CONDITION = "notification_received", "is_connected"


@pytest.fixture
async def page(
    client: HomeAssistantClient,
    agent: Agent,
    real_home_assistant: HomeAssistantProcess,
    tmp_path: Path,
) -> AsyncGenerator[Page]:
    """Return a browser whose user has just logged in, and speaks English again afterwards."""
    async with logged_in(
        real_home_assistant, tmp_path, ENTRY, width=1280, height=1400, scale=1
    ) as page:
        yield page
    await speak(client, "en")


@pytest.fixture
async def automation(agent: Agent, automations: Automations) -> str:
    """Return the path of the editor of an automation with our trigger and our condition."""
    config = {
        "triggers": [
            {
                "trigger": f"{DOMAIN}.{TRIGGER}",
                "options": {"kind": ["job_finished"], "agent": [agent.entity_id], "text": "mail"},
            }
        ],
        "conditions": [{"condition": f"{DOMAIN}.{CONDITION}", "options": {}}],
        "actions": [],
    }
    return f"/config/automation/edit/{await automations.add('read', config)}"


async def test_what_people_choose_is_said_in_their_language(
    client: HomeAssistantClient,
    real_home_assistant: HomeAssistantProcess,
    automation: str,
    page: Page,
) -> None:
    """Every text of the options, the trigger and the condition is to be read; options are stored.

    Of the agent's options, the texts about satellites that talk in real time.
    """
    url = real_home_assistant.url
    for language in LANGUAGES:
        await speak(client, language)
        await page.open(f"{url}{ENTRY}")
        ours = translations(language)
        await read_the_options(page, ours, language)
        await page.open(f"{url}{ENTRY}")
        await read_the_agents_options(page, ours, language)
        await read_the_automation(page, f"{url}{automation}", ours, language)

    await page.open(f"{url}{ENTRY}")
    await change_an_option(page)
    await change_the_silence(page)


async def read_the_options(page: Page, ours: Any, language: str) -> None:  # noqa: ANN401  any JSON
    """All sections, opened from below so that none moves, with the kinds by their names."""
    texts = ours["options"]["step"]["init"]
    await open_the_options(page)
    await page.see(DIALOG, texts["title"])
    for name in ("realtime", "reply", "when"):
        await unfold(page, texts["sections"][name])
    await page.picture(f"notifications-{language}", DIALOG)
    kinds = ours["selector"]["notification_kind"]
    assert unread([texts["description"], texts["sections"], kinds], await page.see(FORM)) == []


async def read_the_agents_options(page: Page, ours: Any, language: str) -> None:  # noqa: ANN401  any JSON
    """What answers a satellite, and whether one may ask at all."""
    sections = ours["config_subentries"]["agent"]["step"]["options"]["sections"]
    await open_the_agents_options(page)
    for name in ("safety", "realtime"):
        await unfold(page, sections[name])
    await page.picture(f"agent-{language}", DIALOG)
    chosen = ours["selector"]["realtime_backend"]["options"]["auto"]
    assert unread([sections["realtime"], sections["safety"], chosen], await page.see(FORM)) == []


async def read_the_automation(page: Page, address: str, ours: Any, language: str) -> None:  # noqa: ANN401  any JSON
    """The editor of both, not as YAML, with all their fields."""
    await page.open(address)
    for kind, key in (("trigger", TRIGGER), ("condition", CONDITION)):
        texts = ours[f"{kind}s"][key]
        await open_part(page, address, kind, texts["name"])
        await page.see(SIDEBAR, texts["description"])
        await page.picture(f"{kind}-{language}")
        shown = await page.see(SIDEBAR)
        assert unread([texts], shown) == []
        if kind == "trigger":
            assert ours["selector"]["notification_kind"]["options"]["job_finished"] in shown


async def open_part(page: Page, address: str, kind: str, name: str) -> None:
    """Open a part of an automation.

    The frontend shows it as YAML, and goes on to, when it has not been told yet what the part is made of.
    """
    form, warning = f"ha-automation-{kind}-platform", "ha-automation-editor-warning"
    async with asyncio.timeout(LOADED):
        while True:
            await page.click(f"ha-automation-{kind}-row >> ha-automation-row", name)
            await page.see(f"{SIDEBAR} >> {form}, {warning}")
            if await page.sees(f"{SIDEBAR} >> {form}"):
                return
            await page.open(address)


async def change_an_option(page: Page) -> None:
    """It is stored, shown when the page is opened again, and taken back."""
    for is_on in (False, True):
        await open_the_options(page)
        await page.see(PERSISTENT)
        assert await page.evaluate(f"deep.one('{PERSISTENT}').checked") is is_on
        await page.click(PERSISTENT)
        await page.click("dialog-data-entry-flow >> ha-button", "Submit")
        await page.see("step-flow-create-entry")
        await page.click("dialog-data-entry-flow >> ha-button", "Finish")
        await page.see_no(DIALOG)


async def change_the_silence(page: Page) -> None:
    """What was typed into the section of the satellites is there the next time."""
    texts = translations("en")["config_subentries"]["agent"]["step"]["options"]
    for typed in ("1.5", ""):
        await open_the_agents_options(page)
        await unfold(page, texts["sections"]["realtime"])
        await page.see(SILENCE)
        assert (await page.value(SILENCE) != "") is (typed == "")
        await page.fill(SILENCE, typed)
        await page.click("dialog-data-entry-flow >> ha-button", "Submit")
        await page.see("step-flow-abort")
        await page.click("dialog-data-entry-flow >> ha-button", "Close")
        await page.see_no(DIALOG)


async def open_the_agents_options(page: Page) -> None:
    """Press the gear of an agent."""
    await page.click("ha-config-sub-entry-row >> ha-icon-button[slot=end]")
    await page.see(FORM)


async def open_the_options(page: Page) -> None:
    """Press the gear of the gateway, which is before those of its agents."""
    await page.click("ha-config-entry-row >> ha-icon-button[slot=end]")
    await page.see(FORM)


async def unfold(page: Page, section: Any) -> None:  # noqa: ANN401  any JSON
    """Open a section of a form; again when the form, which still loads, has moved it from under the click."""
    inside = next(iter(section["data_description"].values()))
    async with asyncio.timeout(LOADED):
        while not await page.sees(FORM, inside):
            await page.click(f"{FORM} >> ha-expansion-panel", section["name"])
            with suppress(BrowserError):
                await page.see(FORM, inside, limit=MOVED)


def unread(texts: object, shown: str) -> list[str]:
    """Return the texts that are not to be read."""
    return [text for text in texts_in(texts) if text not in shown]
