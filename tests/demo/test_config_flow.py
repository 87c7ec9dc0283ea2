"""How a config flow is gone through, against one that plays a script."""

import pytest

from demo import config_flow
from demo.client import HomeAssistantError
from demo.config_flow import Shown, run_config_flow
from demo.script import JsonObject

FORM = {
    "type": "form",
    "flow_id": "f",
    "step_id": "user",
    "data_schema": [{"name": "url"}],
    "errors": None,
}
AGENTS = FORM | {"step_id": "agents"}
DECISION = FORM | {"step_id": "certificate", "data_schema": []}
CREATED = {"type": "create_entry", "flow_id": "f", "result": {"entry_id": "e1"}}
ABORTED = {"type": "abort", "flow_id": "f", "reason": "already_configured"}
ANSWERS = {"user": {"url": "ws://127.0.0.1:1"}}


def waiting(command: str) -> JsonObject:
    """Return a progress step that shows a command."""
    return {
        "type": "progress",
        "flow_id": "f",
        "step_id": "pairing",
        "description_placeholders": {"command": command},
    }


class ScriptedHome:
    """Answers requests to its REST API with these steps, one after the other."""

    def __init__(self, *steps: JsonObject) -> None:
        """Begin with the first step."""
        self._steps = list(steps)
        self.requests: list[tuple[str, str, object]] = []
        self.shown: list[Shown] = []

    async def rest(self, method: str, path: str, body: object = None) -> JsonObject:
        """Answer a request; without a step left it is one for something that is not there."""
        self.requests.append((method, path.removeprefix("/api/config/config_entries/"), body))
        if not self._steps:
            raise HomeAssistantError(f"{method} {path} was answered 404")
        return self._steps.pop(0)

    async def run_flow(self) -> JsonObject:
        """Go through the flow."""
        return await run_config_flow(self, "openclaw_voice", ANSWERS, self.shown.append)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look again without a pause."""
    monkeypatch.setattr(config_flow, "POLL_INTERVAL", 0.0)


async def test_forms_get_their_answers_or_their_defaults() -> None:
    """A form nobody has an answer for is sent empty."""
    home = ScriptedHome(FORM, AGENTS, CREATED)
    assert await home.run_flow() == CREATED
    assert home.requests == [
        ("POST", "flow", {"handler": "openclaw_voice"}),
        ("POST", "flow/f", ANSWERS["user"]),
        ("POST", "flow/f", {}),
    ]


async def test_what_is_waited_for_is_told_once_and_again_when_it_changes() -> None:
    """The page is only looked at while it waits; a new request has another command."""
    home = ScriptedHome(FORM, waiting("1"), waiting("1"), waiting("2"), AGENTS, CREATED)
    assert await home.run_flow() == CREATED
    assert home.shown == [{"command": "1"}, {"command": "2"}]
    assert [method for method, *_ in home.requests] == ["POST", "POST", "GET", "GET", "GET", "POST"]


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([FORM, FORM | {"errors": {"base": "cannot_connect"}}], "user: .*cannot_connect"),
        ([FORM, AGENTS, AGENTS | {"errors": {"a": "none"}}], "agents: .*none"),
        ([FORM, waiting("1"), FORM | {"errors": {"base": "tls"}}], "user: .*tls"),
        ([FORM, DECISION], "a decision at step certificate"),
        ([FORM, {"type": "menu", "flow_id": "f", "step_id": "which"}], "a decision at step which"),
        ([FORM], "404"),
    ],
    ids=["refused", "defaults refused", "broken off", "confirmation", "menu", "request refused"],
)
async def test_a_flow_that_cannot_go_on_is_removed(steps: list[JsonObject], message: str) -> None:
    """The error says where the flow stands."""
    home = ScriptedHome(*steps)
    with pytest.raises(HomeAssistantError, match=message):
        await home.run_flow()
    assert home.requests[-1] == ("DELETE", "flow/f", None)


async def test_a_flow_that_ends_without_an_entry_is_an_error() -> None:
    """There is nothing to remove then."""
    home = ScriptedHome(FORM, ABORTED)
    with pytest.raises(HomeAssistantError, match="abort: already_configured"):
        await home.run_flow()
    assert home.requests[-1][0] == "POST"
