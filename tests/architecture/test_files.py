"""Manifest, quality scale and artwork are as Home Assistant wants them."""

import struct

from awesomeversion import AwesomeVersion, AwesomeVersionStrategy
import pytest
import yaml

from custom_components.openclaw_voice.const import DOMAIN

from .source import ROOT, load_json

MANIFEST = load_json("manifest.json")

RULES = {
    "action-setup",
    "appropriate-polling",
    "brands",
    "common-modules",
    "config-flow",
    "config-flow-test-coverage",
    "dependency-transparency",
    "docs-actions",
    "docs-triggers",
    "docs-conditions",
    "docs-high-level-description",
    "docs-installation-instructions",
    "docs-removal-instructions",
    "entity-event-setup",
    "entity-unique-id",
    "has-entity-name",
    "runtime-data",
    "test-before-configure",
    "test-before-setup",
    "unique-config-entry",
    "action-exceptions",
    "config-entry-unloading",
    "docs-configuration-parameters",
    "docs-installation-parameters",
    "entity-unavailable",
    "integration-owner",
    "log-when-unavailable",
    "parallel-updates",
    "reauthentication-flow",
    "test-coverage",
    "devices",
    "diagnostics",
    "discovery",
    "discovery-update-info",
    "docs-data-update",
    "docs-examples",
    "docs-known-limitations",
    "docs-supported-devices",
    "docs-supported-functions",
    "docs-troubleshooting",
    "docs-use-cases",
    "dynamic-devices",
    "stale-devices",
    "entity-category",
    "entity-device-class",
    "entity-disabled-by-default",
    "entity-translations",
    "exception-translations",
    "icon-translations",
    "reconfiguration-flow",
    "repair-issues",
    "async-dependency",
    "inject-websession",
    "strict-typing",
}


def test_manifest_keys_are_sorted() -> None:
    """Domain and name first, the rest by the alphabet."""
    assert list(MANIFEST) == ["domain", "name", *sorted(set(MANIFEST) - {"domain", "name"})]


def test_manifest_has_what_distribution_needs() -> None:
    """Without these the integration is blocked or cannot be installed."""
    assert MANIFEST["domain"] == DOMAIN == ROOT.name
    assert MANIFEST["config_flow"] is True
    assert MANIFEST["integration_type"] == "hub"
    assert MANIFEST["iot_class"] == "local_push"
    assert "conversation" in MANIFEST["dependencies"]
    assert MANIFEST["codeowners"]
    assert MANIFEST["issue_tracker"].startswith(MANIFEST["documentation"])


def test_the_version_can_be_read() -> None:
    """Home Assistant blocks a custom integration whose version it cannot read."""
    assert AwesomeVersion(MANIFEST["version"]).strategy is AwesomeVersionStrategy.SEMVER


def test_the_requirements_are_floors() -> None:
    """Home Assistant constrains the packages itself; a pin would be a conflict."""
    assert MANIFEST["requirements"] == ["numpy>=2.3.0", "websockets>=15.0.1"]


def test_there_is_no_strings_file() -> None:
    """Custom integrations have translations only."""
    assert not (ROOT / "strings.json").exists()


def test_the_quality_scale_names_every_rule_once() -> None:
    """The list is complete, so that nothing is forgotten."""
    scale = yaml.safe_load((ROOT / "quality_scale.yaml").read_text(encoding="utf-8"))["rules"]
    assert scale.keys() == RULES
    assert len(RULES) == 54
    for rule, status in scale.items():
        if isinstance(status, dict):
            assert status["status"] in {"done", "todo", "exempt"}, rule
            assert status["comment"].endswith("."), rule
        else:
            assert status in {"done", "todo"}, rule


@pytest.mark.parametrize("prefix", ["", "dark_"])
@pytest.mark.parametrize(
    ("name", "height", "is_square"),
    [
        ("icon.png", 256, True),
        ("icon@2x.png", 512, True),
        ("logo.png", 128, False),
        ("logo@2x.png", 256, False),
    ],
)
def test_artwork_has_its_sizes(prefix: str, name: str, height: int, is_square: bool) -> None:
    """Home Assistant serves the folder `brand` as it is."""
    header = (ROOT / "brand" / f"{prefix}{name}").read_bytes()[:24]
    assert header.startswith(b"\x89PNG\r\n\x1a\n")
    width, actual = struct.unpack(">II", header[16:24])
    assert actual == height
    assert (width == height) is is_square
