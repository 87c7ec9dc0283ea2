"""Tests of the page with an agent's options, as a program fills it in."""

from typing import Any

import pytest

from demo.agent_options import Form
from demo.client import HomeAssistantError

STEP: dict[str, Any] = {
    "type": "form",
    "step_id": "options",
    "flow_id": "f1",
    "errors": {},
    "description_placeholders": {"told": "It is nine."},
    "data_schema": [
        {
            "name": "long_answers",
            "schema": [
                {"name": "patience", "default": 8},
                {"name": "fallback", "description": {"suggested_value": ["notify.phone"]}},
            ],
        },
        {"name": "model", "schema": [{"name": "thinking"}]},
    ],
}


def test_what_is_not_changed_stays() -> None:
    """Fields that are empty are not sent."""
    form = Form.of(STEP)
    assert (form.flow_id, form.told, form.held("patience")) == ("f1", "It is nine.", 8)
    assert form.filled_in({"patience": 100}) == {
        "long_answers": {"patience": 100, "fallback": ["notify.phone"]},
        "model": {},
    }
    assert form.filled_in({"thinking": "low"})["model"] == {"thinking": "low"}


@pytest.mark.parametrize(
    "odd", [{"type": "abort"}, {"step_id": "user"}, {"errors": {"base": "too_long"}}]
)
def test_another_page_is_an_error(odd: dict[str, Any]) -> None:
    """So is a field that is not there."""
    with pytest.raises(HomeAssistantError, match="page"):
        Form.of(STEP | odd)
    with pytest.raises(HomeAssistantError, match="temper"):
        Form.of(STEP).filled_in({"temper": 1})
