"""Makes the test plugin work on a newer release of Home Assistant than the one it is made for.

`scripts/test` loads this plugin, before any other, when `HOME_ASSISTANT` names a release. It goes
when requirements_test.txt pins a test plugin made for 2026.11.
"""

# From 2026.11 on it has to be imported before httpx, which the test plugin imports.
import homeassistant  # noqa: F401  imported for that effect
from homeassistant.components import logger
from homeassistant.components.logger import helpers

_MOVED = "_clear_logger_overwrites"
"""What the test plugin replaces in `logger`; in 2026.11 it has moved to `helpers`."""

if not hasattr(logger, _MOVED):
    setattr(logger, _MOVED, getattr(helpers, _MOVED))
