"""What is told under Repairs, how it goes away, and trying again from there."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

from homeassistant.config_entries import ConfigEntryDisabler, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.openclaw_voice import coordinator
from custom_components.openclaw_voice.const import CONF_CERTIFICATE_PIN, DOMAIN
from custom_components.openclaw_voice.gateway.errors import (
    CertificateChangedError,
    CredentialsRejectedError,
    GatewayError,
    GatewayMisconfiguredError,
    HandshakeRefusedError,
    MissingRightsError,
    PairingRequiredError,
    ProxyRefusedError,
    SignatureRejectedError,
    UnsupportedVersionError,
)
from custom_components.openclaw_voice.gateway.state import ClientSnapshot, ClientState
from custom_components.openclaw_voice.issues import (
    AWAY,
    AWAY_LIMIT,
    BLOCKED,
    OUTDATED,
    REALTIME,
    GatewayIssues,
    is_older,
)
from custom_components.openclaw_voice.repairs import async_create_fix_flow
from tests.fakes.frames import hello_ok
from tests.fakes.gateway import Expect, ScriptedGateway
from tests.fakes.refusals import (
    PairingRequest,
    Refusal,
    pairing_required,
    protocol_mismatch,
    rate_limited,
)

from .connection import in_state, lose, reconnect, try_now
from .support import WAIT_LIMIT, add_entry, make_entry, state_change

pytestmark = pytest.mark.usefixtures("home")

DOCS = Path(__file__).parents[2] / "docs"
PAIRING = PairingRequest(request_id="r-1", device_id="d", scopes=("operator.read",))
OTHER_PAIRING = PairingRequest(request_id="r-2", device_id="d", scopes=("operator.read",))


def open_issues(hass: HomeAssistant) -> dict[str, ir.IssueEntry]:
    """Return the integration's issues by their translation keys."""
    return {
        str(issue.translation_key): issue
        for (domain, _), issue in ir.async_get(hass).issues.items()
        if domain == DOMAIN
    }


WHILE_RUNNING: dict[str, tuple[Refusal | dict[str, Any], dict[str, str]]] = {
    "pairing_required": (
        pairing_required(PAIRING),
        {"command": "openclaw devices approve r-1"},
    ),
    "missing_rights": (hello_ok(scopes=("operator.read",)), {"missing": "operator.write"}),
    "unsupported_version": (protocol_mismatch(), {}),
}


@pytest.mark.parametrize(
    ("kind", "answer", "placeholders"),
    [(kind, *row) for kind, row in WHILE_RUNNING.items()],
    ids=WHILE_RUNNING.keys(),
)
async def test_a_closed_door_is_told_while_running_and_taken_back(
    hass: HomeAssistant,
    friendly: ScriptedGateway,
    kind: str,
    answer: Refusal | dict[str, Any],
    placeholders: dict[str, str],
) -> None:
    """The issue says what to do and goes when it is done."""
    entry = await add_entry(hass, friendly)
    assert open_issues(hass) == {}
    await reconnect(hass, friendly, entry, answer, "pairing", "refused")
    issues = open_issues(hass)
    assert issues.keys() == {kind}
    assert issues[kind].translation_placeholders == {"gateway": entry.title, **placeholders}
    assert issues[kind].severity is ir.IssueSeverity.ERROR
    assert issues[kind].is_fixable
    await try_now(hass, entry, "ready")
    assert open_issues(hass) == {}


async def test_a_proxy_that_is_not_trusted_is_told(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The gateway answers with 403 to whoever comes through it."""
    entry = await add_entry(hass, friendly)
    friendly.refuse_upgrade(403)
    async with state_change(hass, in_state("retry_wait", "refused")):
        await friendly.drop()
    await try_now(hass, entry, "refused")
    issue = open_issues(hass)["proxy_refused"]
    assert issue.translation_placeholders == {"gateway": entry.title, "status": "403"}
    friendly.accept()
    await try_now(hass, entry, "ready")
    assert open_issues(hass) == {}


async def test_an_issue_follows_the_id_of_the_request(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """A request expires, and the next one has another id: the old command would not work."""
    entry = await add_entry(hass, friendly)
    await reconnect(hass, friendly, entry, pairing_required(PAIRING), "pairing")
    friendly.script(Expect("connect", reply=pairing_required(OTHER_PAIRING)))
    await try_now(hass, entry, "connecting")
    async with state_change(hass, in_state("pairing")):
        pass
    issues = open_issues(hass)
    assert issues.keys() == {"pairing_required"}
    placeholders = issues["pairing_required"].translation_placeholders or {}
    assert placeholders["command"] == "openclaw devices approve r-2"


async def test_only_the_latest_obstacle_is_told(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Approved, but with a gateway that was updated meanwhile."""
    entry = await add_entry(hass, friendly)
    await reconnect(hass, friendly, entry, pairing_required(PAIRING), "pairing")
    friendly.script(Expect("connect", reply=protocol_mismatch()))
    await try_now(hass, entry, "refused")
    assert open_issues(hass).keys() == {"unsupported_version"}
    friendly.refuse_upgrade(503)
    await try_now(hass, entry, "retry_wait")
    assert open_issues(hass) == {}


ERRORS: list[GatewayError] = [
    CertificateChangedError("x", fingerprint="ab" * 32),
    GatewayMisconfiguredError("x"),
    HandshakeRefusedError("x"),
    MissingRightsError("x", missing=("a",)),
    PairingRequiredError("x", request_id="r-1", reason="not-paired"),
    ProxyRefusedError("x", status=403),
    SignatureRejectedError("x", expired=True),
    UnsupportedVersionError("x"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.category)
async def test_every_obstacle_a_person_must_remove_is_told(
    hass: HomeAssistant, error: GatewayError
) -> None:
    """The client waits for a person, who must learn of it."""
    entry = MockConfigEntry(domain=DOMAIN, title="Molty")
    issues = GatewayIssues(hass, entry)
    issues.async_update(ClientSnapshot(state=ClientState.REFUSED, error=error))
    assert open_issues(hass).keys() == {error.category}
    issues.async_clear()
    assert open_issues(hass) == {}


def test_the_obstacles_above_are_all_there_are() -> None:
    """A new one needs its row."""
    assert {error.category for error in ERRORS} == set(BLOCKED)


async def test_a_refused_credential_is_no_issue(hass: HomeAssistant) -> None:
    """Home Assistant asks for a new one by itself."""
    issues = GatewayIssues(hass, MockConfigEntry(domain=DOMAIN))
    refused = ClientSnapshot(state=ClientState.REFUSED, error=CredentialsRejectedError("x"))
    issues.async_update(refused)
    assert open_issues(hass) == {}


async def test_a_certificate_that_changed_is_told_when_setting_up(
    hass: HomeAssistant, friendly: ScriptedGateway, tls: tuple[Any, Any]
) -> None:
    """The pinned certificate is not the one that answers."""
    async with ScriptedGateway(ssl_context=tls[0]) as gateway:
        entry = make_entry(hass, gateway, **{CONF_CERTIFICATE_PIN: "ab" * 32})
        assert not await hass.config_entries.async_setup(entry.entry_id)
        assert entry.state is ConfigEntryState.SETUP_ERROR
        assert open_issues(hass).keys() == {"certificate_changed"}
        assert gateway.received("connect") == []
        assert await hass.config_entries.async_unload(entry.entry_id)


# The gateway is away


async def pass_time(hass: HomeAssistant, duration: timedelta) -> None:
    """Let timers believe that time has passed."""
    async_fire_time_changed(hass, dt_util.utcnow() + duration)
    await hass.async_block_till_done()


async def test_a_gateway_that_is_away_for_an_hour_is_told_and_taken_back(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """A restart is nobody's business; an hour is."""
    entry = await add_entry(hass, friendly)
    await lose(hass, friendly)
    await pass_time(hass, AWAY_LIMIT - timedelta(minutes=1))
    assert open_issues(hass) == {}
    await pass_time(hass, AWAY_LIMIT + timedelta(minutes=1))
    issue = open_issues(hass)[AWAY]
    assert issue.severity is ir.IssueSeverity.WARNING
    assert not issue.is_fixable
    await friendly.start()
    await try_now(hass, entry, "ready")
    assert open_issues(hass) == {}


async def test_the_hour_ends_when_the_gateway_answers(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Whoever refuses is not away; two short absences are not a long one."""
    entry = await add_entry(hass, friendly)
    await lose(hass, friendly)
    await friendly.start()
    friendly.script(Expect("connect", reply=rate_limited(300_000)))
    await try_now(hass, entry, "rate_limited")
    await pass_time(hass, AWAY_LIMIT + timedelta(minutes=1))
    assert open_issues(hass) == {}


async def test_the_timer_ends_with_the_entry(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The test kit fails on timers that are left over."""
    entry = await add_entry(hass, friendly)
    await lose(hass, friendly)
    assert await hass.config_entries.async_unload(entry.entry_id)
    await pass_time(hass, AWAY_LIMIT + timedelta(minutes=1))
    assert open_issues(hass) == {}


async def test_a_gateway_that_is_away_since_the_start_is_told(
    hass: HomeAssistant,
    friendly: ScriptedGateway,
    monkeypatch: pytest.MonkeyPatch,
    freezer: Any,  # noqa: ANN401  the fixture's class is not public
) -> None:
    """Home Assistant tries the setup again and again; together that is one absence."""
    monkeypatch.setattr(coordinator, "CONNECT_TIMEOUT", 0.0)
    await friendly.stop()
    entry = make_entry(hass, friendly)
    assert not await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert open_issues(hass) == {}
    freezer.tick(AWAY_LIMIT)
    async_fire_time_changed(hass)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert open_issues(hass).keys() == {AWAY}
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert open_issues(hass) == {}


# The gateway is old


async def test_an_older_gateway_than_the_oldest_tested_is_told_until_it_is_updated(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """It is connected all the same."""
    friendly.script(Expect("connect", reply=hello_ok(version="2026.8.30")))
    entry = await add_entry(hass, friendly)
    issue = open_issues(hass)[OUTDATED]
    assert issue.translation_placeholders == {
        "gateway": entry.title,
        "version": "2026.8.30",
        "oldest": "2026.9.6",
    }
    assert not issue.is_fixable
    async with state_change(hass, in_state("retry_wait")):
        await friendly.drop()
    assert open_issues(hass).keys() == {OUTDATED}
    await try_now(hass, entry, "ready")
    assert open_issues(hass) == {}


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("2026.9.5", True),
        ("2025.12.31", True),
        ("2026.9.6", False),
        ("2026.9.6-beta.1", False),
        ("2026.9.10", False),
        ("2026.10.1", False),
        ("2027.1.0-dev", False),
        ("unknown", False),
        ("", False),
    ],
)
def test_versions_are_compared_by_their_numbers(version: str, expected: bool) -> None:
    """What cannot be read is not called old."""
    assert is_older(version, "2026.9.6") is expected


# The gateway has no realtime voice


async def test_missing_realtime_voice_is_told_until_it_is_there(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """With a page that says how to set it up; it goes with the entry, too."""
    entry = await add_entry(hass, friendly)
    issues = entry.runtime_data.issues
    issues.async_show_realtime(True)
    [issue] = open_issues(hass).values()
    assert issue.translation_key == REALTIME
    assert issue.translation_placeholders == {"gateway": entry.title}
    assert (issue.severity, issue.is_fixable) == (ir.IssueSeverity.WARNING, False)
    assert issue.learn_more_url is not None
    page, _, chapter = issue.learn_more_url.rpartition("/")[2].partition("#")
    assert f"# {chapter.replace('-', ' ')}\n" in (DOCS / page).read_text(encoding="utf-8").lower()
    issues.async_show_realtime(False)
    assert open_issues(hass) == {}
    issues.async_show_realtime(True)
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert open_issues(hass) == {}


# When the entry goes


@pytest.mark.parametrize("end", ["remove", "disable", "unload"])
@pytest.mark.parametrize("is_loaded", [True, False], ids=["loaded", "never loaded"])
async def test_issues_go_with_the_entry(
    hass: HomeAssistant, friendly: ScriptedGateway, end: str, is_loaded: bool
) -> None:
    """Nobody is asked to repair what is no longer there."""
    if is_loaded:
        entry = await add_entry(hass, friendly)
        await reconnect(hass, friendly, entry, pairing_required(PAIRING), "pairing")
    else:
        friendly.script(Expect("connect", reply=pairing_required(PAIRING)))
        entry = make_entry(hass, friendly)
        assert not await hass.config_entries.async_setup(entry.entry_id)
    assert open_issues(hass).keys() == {"pairing_required"}
    match end:
        case "remove":
            await hass.config_entries.async_remove(entry.entry_id)
        case "disable":
            user = ConfigEntryDisabler.USER
            assert await hass.config_entries.async_set_disabled_by(entry.entry_id, user)
        case _:
            assert await hass.config_entries.async_unload(entry.entry_id)
    assert open_issues(hass) == {}


async def test_a_setup_that_succeeds_in_the_end_takes_its_issue_back(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Approving is found out by the next try of Home Assistant."""
    friendly.script(Expect("connect", reply=pairing_required(PAIRING)))
    entry = make_entry(hass, friendly)
    assert not await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert open_issues(hass).keys() == {"pairing_required"}
    loaded = asyncio.Event()
    entry.async_on_state_change(
        lambda: loaded.set() if entry.state is ConfigEntryState.LOADED else None
    )
    await pass_time(hass, timedelta(minutes=5))
    async with asyncio.timeout(WAIT_LIMIT):
        await loaded.wait()
    assert open_issues(hass) == {}


# Trying again from there


async def start_repair(
    hass: HomeAssistant, hass_client: ClientSessionGenerator
) -> Callable[[], Any]:
    """Open the dialog of the only issue and return what submits it."""
    assert await async_setup_component(hass, "repairs", {})
    (issue,) = open_issues(hass).values()
    client = await hass_client()
    response = await client.post(
        "/api/repairs/issues/fix", json={"handler": DOMAIN, "issue_id": issue.issue_id}
    )
    assert response.status == HTTPStatus.OK
    form = await response.json()
    assert (form["type"], form["step_id"]) == ("form", "confirm")
    assert form["description_placeholders"] == issue.translation_placeholders

    async def submit() -> Any:  # noqa: ANN401  a result as the frontend gets it
        answer = await client.post(f"/api/repairs/issues/fix/{form['flow_id']}", json={})
        assert answer.status == HTTPStatus.OK
        return await answer.json()

    return submit


async def test_submitting_an_issue_connects(
    hass: HomeAssistant, friendly: ScriptedGateway, hass_client: ClientSessionGenerator
) -> None:
    """The owner has approved, and does not wait for the next poll."""
    entry = await add_entry(hass, friendly)
    await reconnect(hass, friendly, entry, pairing_required(PAIRING), "pairing")
    submit = await start_repair(hass, hass_client)
    assert (await submit())["type"] == "create_entry"
    await hass.async_block_till_done()
    assert entry.runtime_data.is_connected
    assert open_issues(hass) == {}


async def test_submitting_an_issue_that_is_not_solved_keeps_it(
    hass: HomeAssistant, friendly: ScriptedGateway, hass_client: ClientSessionGenerator
) -> None:
    """The dialog says so."""
    entry = await add_entry(hass, friendly)
    await reconnect(hass, friendly, entry, protocol_mismatch(), "refused")
    friendly.script(Expect("connect", reply=protocol_mismatch()))
    submit = await start_repair(hass, hass_client)
    result = await submit()
    assert (result["type"], result["reason"]) == ("abort", "not_solved")
    assert open_issues(hass).keys() == {"unsupported_version"}


@pytest.mark.parametrize("is_solved", [True, False], ids=["solved", "not solved"])
async def test_submitting_an_issue_of_an_entry_that_was_not_set_up_sets_it_up(
    hass: HomeAssistant,
    friendly: ScriptedGateway,
    hass_client: ClientSessionGenerator,
    is_solved: bool,
) -> None:
    """Home Assistant itself would not try again after such an error."""
    friendly.script(*[Expect("connect", reply=protocol_mismatch())] * (1 if is_solved else 2))
    entry = make_entry(hass, friendly)
    assert not await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_ERROR
    submit = await start_repair(hass, hass_client)
    result = await submit()
    await hass.async_block_till_done()
    if is_solved:
        assert result["type"] == "create_entry"
        assert entry.state is ConfigEntryState.LOADED
        assert open_issues(hass) == {}
    else:
        assert (result["type"], result["reason"]) == ("abort", "not_solved")
        assert open_issues(hass).keys() == {"unsupported_version"}


async def test_submitting_an_issue_of_an_entry_that_is_gone_is_fine(hass: HomeAssistant) -> None:
    """The dialog was left open while the integration was removed."""
    flow = await async_create_fix_flow(hass, "pairing_required_x", {"entry_id": "x"})
    flow.hass = hass
    result = await flow.async_step_confirm({})  # type: ignore[attr-defined]
    assert result["type"] == "create_entry"
