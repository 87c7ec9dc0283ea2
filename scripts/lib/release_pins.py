"""Print what the installed release of Home Assistant pins, as requirements.

That is itself, what it is installed with, and what its integrations ask for.
"""

from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
import json
from pathlib import Path
import re
import sys

PIN = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?==[^\s;]+")


def main() -> int:
    """Print each package once, as the first that pins it does."""
    pins: dict[str, str] = {}
    for requirement in requirements():
        if found := PIN.fullmatch(requirement):
            pins.setdefault(re.sub(r"[-_.]+", "-", found[1]).lower(), requirement)
    print("\n".join(pins.values()))
    return 0


def requirements() -> Iterator[str]:
    """Yield what is required, the constraints before what the integrations name."""
    yield f"homeassistant=={metadata.version('homeassistant')}"
    spec = find_spec("homeassistant")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("Home Assistant is not installed")
    folder = Path(spec.origin).parent
    yield from (folder / "package_constraints.txt").read_text(encoding="utf-8").splitlines()
    for manifest in sorted(folder.glob("components/*/manifest.json")):
        yield from json.loads(manifest.read_text(encoding="utf-8")).get("requirements", ())


if __name__ == "__main__":
    sys.exit(main())
