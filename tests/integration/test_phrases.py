"""Sentences the integration says itself, in the languages there are."""

import dataclasses

from homeassistant.core import HomeAssistant
import pytest

from custom_components.openclaw_voice import const
from custom_components.openclaw_voice.assist import phrases
from custom_components.openclaw_voice.assist.phrases import PHRASE_KEYS, async_phrases
from tests.architecture.source import load_json


@pytest.mark.parametrize("tag", ["de", "de-DE", "de_AT", "DE"])
async def test_phrases_come_in_the_language_of_the_voice(hass: HomeAssistant, tag: str) -> None:
    """A voice names its region, a translation does not."""
    german = await async_phrases(hass, tag)
    assert german.words.table == load_json("translations/de.json")["common"]["table"]
    assert german != await async_phrases(hass, "en")


@pytest.mark.parametrize("tag", ["en", "en-GB", "tlh", "", "x_y-z"])
async def test_english_stands_in_for_what_nobody_has_translated(
    hass: HomeAssistant, tag: str
) -> None:
    """People hear something in any language."""
    english = await async_phrases(hass, tag)
    assert (
        dataclasses.asdict(english).items() <= load_json("translations/en.json")["common"].items()
    )
    assert english.words.link == "a link"


async def test_names_are_filled_in(hass: HomeAssistant) -> None:
    """Tools are named as people say them; an agent's name is left as it is."""
    english = await async_phrases(hass, "en")
    assert "busy with web search." in english.holding_with("web_search")
    assert "busy with home get state." in english.holding_with("home.get-state")
    assert english.holding_with(None) == english.holding_with("__") == english.holding
    assert english.holding_with("mcp__home_assistant__get_live_context") == english.holding
    assert english.switched_to("Clawd {1} 🦞") == "From now on, you are talking to Clawd {1} 🦞."
    assert english.title_of("Clawd") == "Answer from Clawd"


def test_the_phrases_belong_to_this_integration() -> None:
    """A room cannot ask the flat files for the name."""
    assert phrases._DOMAIN == const.DOMAIN
    assert set(PHRASE_KEYS) <= set(load_json("translations/en.json")["common"])
