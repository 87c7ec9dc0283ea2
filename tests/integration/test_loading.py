"""Home Assistant loads what is not code without a complaint."""

import logging

from homeassistant.core import HomeAssistant
from homeassistant.helpers.translation import async_get_translations
from homeassistant.loader import async_get_integration
import pytest

from custom_components.openclaw_voice.const import DOMAIN


async def test_the_manifest_is_accepted(hass: HomeAssistant) -> None:
    """The integration is found, with a version, and asks for one package."""
    integration = await async_get_integration(hass, DOMAIN)
    assert not integration.is_built_in
    assert str(integration.version) == integration.manifest["version"]
    assert integration.config_flow
    assert integration.integration_type == "hub"
    assert integration.requirements == ["numpy>=2.3.0", "websockets>=15.0.1"]
    assert await integration.resolve_dependencies() is not None


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("category", ["config", "config_subentries", "exceptions"])
async def test_translations_are_accepted(
    hass: HomeAssistant, caplog: pytest.LogCaptureFixture, language: str, category: str
) -> None:
    """Placeholders agree, nothing is left out."""
    texts = await async_get_translations(hass, language, category, {DOMAIN})
    assert len(texts) > 5
    assert all(key.startswith(f"component.{DOMAIN}.{category}.") for key in texts)
    assert [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= logging.WARNING and record.name == "homeassistant.helpers.translation"
    ] == []
