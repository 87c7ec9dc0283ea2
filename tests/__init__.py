"""Tests of OpenClaw Voice."""

import logging

# As soon as it is imported it complains about a system library that no test needs.
logging.getLogger("homeassistant.components.camera.img_util").setLevel(logging.CRITICAL)
