"""What an agent may do only when somebody lets it."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
import pytest

from custom_components.openclaw_voice.gateway.approvals import (
    APPROVAL_REQUESTED,
    APPROVAL_RESOLVED,
    MAX_COMMAND,
    MAX_LABEL,
    MAX_RISKS,
    MAX_TITLE,
    Approval,
    ApprovalKind,
    ApprovalResolved,
    Approvals,
)
from custom_components.openclaw_voice.gateway.client import GatewayClient
from custom_components.openclaw_voice.gateway.errors import (
    ApprovalGoneError,
    RequestError,
    WrongDecisionError,
)
from custom_components.openclaw_voice.gateway.redact import MASK
from tests.fakes.gateway import Expect, ScriptedGateway
from tests.fakes.refusals import Refusal, missing_scope
from tests.gateway.garbage import JSON_OBJECTS

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
NOON_MS = int(NOON.timestamp() * 1000)
HALF_PAST = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
KEY = "agent:kitchen:homeassistant:0a1b2c3d:conversation:x"

EXEC: dict[str, Any] = {
    "approvalKind": "exec",
    "id": "e-1",
    "request": {
        "command": "rm -r build",
        "cwd": "/home/user/workspace",
        "host": "gateway",
        "warningText": "It deletes.",
        "commandAnalysis": {"riskKinds": ["delete"], "warningLines": ["It deletes.", "A lot."]},
        "allowedDecisions": ["allow-once", "allow-always", "deny"],
        "unavailableDecisions": ["allow-always"],
        "agentId": "kitchen",
        "resolvedPath": "/usr/bin/rm",
        "sessionKey": KEY,
        "runId": "run-1",
    },
    "createdAtMs": NOON_MS,
    "expiresAtMs": NOON_MS + 1_800_000,
}
PLUGIN: dict[str, Any] = {
    "approvalKind": "plugin",
    "id": "plugin:p-1",
    "request": {
        "title": "Unlock the front door",
        "description": "lock.unlock lock.front_door",
        "detail": "Somebody rang.",
        "severity": "warning",
        "agentId": None,
        "sessionKey": None,
        "runId": None,
    },
    "createdAtMs": NOON_MS - 1,
    "expiresAtMs": NOON_MS + 120_000,
}


def exec_approval(**request: object) -> Approval:
    """Return an approval of a command with some fields changed."""
    payload = EXEC | {"request": EXEC["request"] | request}
    approval = Approval.from_payload(ApprovalKind.EXEC, payload)
    assert approval is not None
    return approval


def test_a_command_is_read_with_all_that_people_decide_by() -> None:
    """What it is, where, for whom, how risky, what can be decided, until when."""
    assert exec_approval() == Approval(
        id="e-1",
        kind=ApprovalKind.EXEC,
        title="rm",
        command="rm -r build",
        cwd="/home/user/workspace",
        host="gateway",
        risks=("delete",),
        warning="It deletes.\nA lot.",
        decisions=("allow-once", "deny"),
        agent_id="kitchen",
        session_key=KEY,
        run_id="run-1",
        created=NOON,
        expires=HALF_PAST,
    )


def test_what_a_plugin_wants_is_read() -> None:
    """It has a title and a description instead of a command, and says no decisions."""
    approval = Approval.from_payload(ApprovalKind.PLUGIN, PLUGIN)

    assert approval is not None
    assert (approval.title, approval.severity) == ("Unlock the front door", "warning")
    assert approval.command == "lock.unlock lock.front_door\nSomebody rang."
    assert approval.decisions == ("allow-once", "allow-always", "deny")
    assert (approval.agent_id, approval.session_key, approval.warning) == (None, None, None)


@pytest.mark.parametrize("missing", ["id", "createdAtMs", "expiresAtMs"])
def test_what_nobody_could_decide_is_no_approval(missing: str) -> None:
    """Without an id or its times."""
    payload = {name: value for name, value in EXEC.items() if name != missing}
    assert Approval.from_payload(ApprovalKind.EXEC, payload) is None


def test_secrets_of_a_command_are_masked() -> None:
    """They would be in notifications and traces."""
    approval = exec_approval(
        command="curl -H 'Authorization: Bearer sk-abcdefgh123' x --token=hunter22",
        warningText="password: hunter22",
        cwd="/srv/token=hunter22",
    )
    shown = f"{approval.command} {approval.warning} {approval.cwd}"
    assert MASK in approval.command
    assert "hunter22" not in shown
    assert "sk-abcdefgh123" not in shown
    assert "hunter22" not in repr(approval)


def test_a_long_command_is_kept_longer_than_other_texts_and_says_when_it_is_cut() -> None:
    """Somebody could hide something behind many harmless words."""
    whole = exec_approval(command="ls " * (MAX_COMMAND // 3))
    cut = exec_approval(command="ls " * MAX_COMMAND + "; rm -r /")

    assert (len(whole.command), whole.is_cut) == (MAX_COMMAND // 3 * 3, False)
    assert (len(cut.command) <= MAX_COMMAND, cut.is_cut) == (True, True)
    assert not exec_approval(command="echo …").is_cut


def test_what_a_mask_may_hide_is_told() -> None:
    """Of a password nobody knows where it ends, so a mask can hide the half of a command."""
    masked = exec_approval(command="echo password: x; rm -r /")
    assert "rm" not in masked.command
    assert masked.is_cut
    assert exec_approval(command="a " * (MAX_COMMAND // 2 - 3) + "key=a").is_cut


@pytest.mark.parametrize(
    "command", [None, "", ["rm", "-r", "/"], {"argv": ["rm"]}, " \n", "l\ud83ds"]
)
def test_a_command_that_cannot_be_read_is_not_shown_whole(command: object) -> None:
    """A newer gateway may write it in another way; nobody must allow what is not shown."""
    assert exec_approval(command=command).is_cut


@pytest.mark.parametrize(
    ("changed", "is_cut"),
    [
        ({}, False),
        ({"description": None, "detail": ""}, False),
        ({"title": None}, False),
        ({"title": None, "description": None, "detail": None}, True),
        ({"title": "Unlock " + "a " * 100 + "b"}, True),
        ({"title": "Use password: x and unlock"}, True),
        ({"title": ["Unlock"]}, True),
        ({"description": {"text": "lock.unlock"}}, True),
        ({"detail": ["Somebody rang."]}, True),
    ],
)
def test_what_a_plugin_wants_is_title_and_description(
    changed: dict[str, object], is_cut: bool
) -> None:
    """Either may be missing, neither may be shown in part."""
    request = PLUGIN["request"] | changed
    approval = Approval.from_payload(ApprovalKind.PLUGIN, PLUGIN | {"request": request})
    assert approval is not None
    assert approval.is_cut is is_cut
    assert len(approval.title) <= MAX_TITLE


def test_signs_that_hide_others_are_shown() -> None:
    """A command must not look like another one."""
    approval = exec_approval(
        command="echo \u202etxt.sh\u200b\x1b[8m\n\tls", resolvedPath="C:\\b\\x"
    )
    assert approval.command == "echo �txt.sh��[8m\n\tls"
    assert approval.title == "x"


def test_words_of_the_gateway_are_words() -> None:
    """A sentence in their place would be shown as a button."""
    approval = exec_approval(
        allowedDecisions=["allow-once", "Tap here to win!", 3, "allow-once"],
        unavailableDecisions=None,
        commandAnalysis=None,
        warningText=None,
    )
    assert approval.decisions == ("allow-once",)
    assert approval.risks == ()
    assert approval.warning is None


def test_no_risk_is_left_out() -> None:
    """However a newer gateway names it; it is shown, never tapped on."""
    risks = [
        "network",
        "shell:inline eval",
        "network",
        "token=hunter22",
        3,
        "\u202ex",
        "long " * 99,
    ]
    approval = exec_approval(commandAnalysis={"riskKinds": [*risks, *map(str, range(99))]})
    assert approval.risks[:4] == ("network", "shell:inline eval", "token=***", "\ufffdx")
    assert all(len(risk) <= MAX_LABEL for risk in approval.risks)
    assert len(approval.risks) == MAX_RISKS


def test_the_end_of_an_approval_tells_what_it_was() -> None:
    """The event repeats the request, without its times."""
    payload = {
        "id": "e-1",
        "decision": "allow-once",
        "resolvedBy": "Home Assistant",
        "ts": NOON_MS,
        "request": EXEC["request"],
    }
    resolved = ApprovalResolved.from_payload(ApprovalKind.EXEC, payload, now=HALF_PAST)

    assert resolved is not None
    assert (resolved.decision, resolved.resolved_by) == ("allow-once", "Home Assistant")
    assert resolved.at == NOON
    assert resolved.approval is not None
    assert resolved.approval.command == "rm -r build"


def test_an_end_with_little_in_it_is_read() -> None:
    """A newer gateway may say less."""
    resolved = ApprovalResolved.from_payload(ApprovalKind.PLUGIN, {"id": "p"}, now=NOON)
    assert resolved == ApprovalResolved(id="p", kind=ApprovalKind.PLUGIN, decision=None, at=NOON)
    assert ApprovalResolved.from_payload(ApprovalKind.PLUGIN, {}, now=NOON) is None


@given(payload=JSON_OBJECTS, request=JSON_OBJECTS)
def test_nothing_the_gateway_sends_breaks_the_reader(
    payload: dict[str, Any], request: dict[str, Any]
) -> None:
    """A newer gateway must not break us."""
    for kind in ApprovalKind:
        Approval.from_payload(kind, EXEC | payload)
        assert Approval.from_payload(kind, EXEC | {"request": request}) is not None
        ApprovalResolved.from_payload(kind, {"request": request} | payload, now=NOON)


def test_the_events_are_known_by_their_kind() -> None:
    """Those of the gateway's own administration are not ours to decide."""
    assert APPROVAL_REQUESTED["exec.approval.requested"] is ApprovalKind.EXEC
    assert APPROVAL_RESOLVED["plugin.approval.resolved"] is ApprovalKind.PLUGIN
    assert len(APPROVAL_REQUESTED) == len(APPROVAL_RESOLVED) == 2


async def test_both_kinds_are_listed_in_order(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The lists are arrays; a row that is none is left out."""
    gateway.script(
        Expect("exec.approval.list", params={}, reply=[EXEC, {"id": "broken"}]),
        Expect("plugin.approval.list", params={}, reply=[PLUGIN]),
    )
    assert [approval.id for approval in await client.approvals.list()] == ["plugin:p-1", "e-1"]


@pytest.mark.parametrize("known", ApprovalKind)
async def test_a_kind_the_gateway_does_not_know_hides_no_other(
    gateway: ScriptedGateway, client: GatewayClient, known: ApprovalKind
) -> None:
    """It says that a right is missing, as for every method it does not have."""
    for kind in ApprovalKind:
        refusal = missing_scope("operator.admin")
        reply = [EXEC] if kind is known else refusal
        gateway.script(Expect(f"{kind}.approval.list", reply=reply))
    assert [approval.kind for approval in await client.approvals.list()] == [known]


@pytest.mark.parametrize(
    "refusals",
    [
        [missing_scope("operator.approvals")] * 2,
        [Refusal(message="no")],
        [missing_scope("operator.approvals"), Refusal(message="no")],
    ],
    ids=["all", "first", "second"],
)
async def test_a_list_that_is_refused_is_not_empty(
    gateway: ScriptedGateway, client: GatewayClient, refusals: list[Refusal]
) -> None:
    """Something may wait all the same."""
    for kind, refusal in zip(ApprovalKind, refusals, strict=False):
        gateway.script(Expect(f"{kind}.approval.list", reply=refusal))
    with pytest.raises(RequestError):
        await client.approvals.list()


async def test_a_decision_goes_to_where_its_kind_is_decided(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """A plugin's one has methods of its own."""
    plugin = Approval.from_payload(ApprovalKind.PLUGIN, PLUGIN)
    assert plugin is not None
    gateway.script(
        Expect(
            "exec.approval.resolve",
            params={"id": "e-1", "decision": "deny"},
            reply={"ok": True},
        ),
        Expect(
            "plugin.approval.resolve",
            params={"id": "plugin:p-1", "decision": "allow-once"},
            reply={"ok": True},
        ),
    )
    await client.approvals.resolve(exec_approval(), "deny")
    await client.approvals.resolve(plugin, "allow-once")


async def test_a_decision_that_is_not_offered_is_not_sent(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The strict gateway would fail the test."""
    with pytest.raises(WrongDecisionError) as caught:
        await client.approvals.resolve(exec_approval(), "allow-always")
    assert caught.value.offered == ("allow-once", "deny")
    assert not [each for each in gateway.requests if each.method != "connect"]


@pytest.mark.parametrize("reason", ["APPROVAL_NOT_FOUND", "APPROVAL_ALREADY_RESOLVED"])
async def test_an_approval_that_waits_no_longer_is_told_apart(
    gateway: ScriptedGateway, client: GatewayClient, reason: str
) -> None:
    """Decided by somebody else, expired, or another device's."""
    refusal = Refusal(message="unknown or expired approval id", details={"reason": reason})
    gateway.script(Expect("exec.approval.resolve", reply=refusal))

    with pytest.raises(ApprovalGoneError):
        await client.approvals.resolve(exec_approval(), "deny")


async def test_a_decision_the_gateway_does_not_offer_after_all_is_told_apart(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """A plugin's request does not say what can be decided."""
    plugin = Approval.from_payload(ApprovalKind.PLUGIN, PLUGIN)
    assert plugin is not None
    refusal = Refusal(message="no", details={"reason": "APPROVAL_ALLOW_ALWAYS_UNAVAILABLE"})
    gateway.script(Expect("plugin.approval.resolve", reply=refusal))

    with pytest.raises(WrongDecisionError) as caught:
        await client.approvals.resolve(plugin, "allow-always")
    assert caught.value.offered == ("allow-once", "deny")


async def test_another_refusal_stays_what_it_is(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The approval may still wait."""
    refusal = Refusal(code="FORBIDDEN", message="missing scope: operator.approvals")
    gateway.script(Expect("exec.approval.resolve", reply=refusal))

    with pytest.raises(RequestError):
        await client.approvals.resolve(exec_approval(), "deny")


async def test_a_list_that_is_none_is_empty() -> None:
    """A gateway that answers with something else."""

    class Odd:
        async def request(self, *_: object, **__: object) -> dict[str, Any]:
            return {"rows": {"a": 1}}

    assert await Approvals(Odd()).list() == ()
