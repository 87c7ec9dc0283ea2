"""Sets up what the selected tests need: after collecting them, before the first one runs.

`scripts/test` loads this plugin; a plain pytest run does not, and sets up nothing. A test says
what it needs by its marker, `@pytest.mark.e2e("gateway")` with the names of parts of
`scripts/setup`. Without names the fixtures of the real things tell, and where the test has none of
them (it may ask for them later) it needs the gateway and Home Assistant.
"""

from collections.abc import Iterable
from pathlib import Path
import subprocess

import pytest

SETUP = Path(__file__).parents[1] / "scripts" / "setup"
PART_OF_FIXTURE = {
    "real_gateway": "gateway",
    "real_home_assistant": "home-assistant",
    "_recogniser": "speech",
    "_satellite": "speech",
    "_other_satellite": "speech",
}


def parts_of(item: pytest.Item) -> set[str]:
    """Return the parts of the setup that one test needs."""
    marker = item.get_closest_marker("e2e")
    if marker is None:
        return set()
    fixtures: Iterable[str] = getattr(item, "fixturenames", ())
    from_fixtures = {PART_OF_FIXTURE[name] for name in fixtures if name in PART_OF_FIXTURE}
    return {*marker.args} or from_fixtures or {"gateway", "home-assistant"}


def pytest_collection_finish(session: pytest.Session) -> None:
    """Run the setup for what is left after deselecting."""
    parts = set().union(*map(parts_of, session.items))
    if not parts or session.config.option.collectonly:
        return
    capture = session.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        result = subprocess.run([SETUP, *sorted(parts)], check=False)
    if result.returncode:
        pytest.exit(f"scripts/setup {' '.join(sorted(parts))} failed", result.returncode)
