"""What the bench adds to a Home Assistant of its own."""

from pathlib import Path
from typing import Final

from ..home_assistant import HomeAssistantProcess, write_config

FOLDER: Final = Path(__file__).parent


def add_component(home: HomeAssistantProcess, name: str) -> None:
    """Add an integration of the bench's folder to a Home Assistant that has not been started yet."""
    write_config(home.folder, home.port)
    link = home.folder / "custom_components" / name
    link.symlink_to(FOLDER / name, target_is_directory=True)
    with (home.folder / "configuration.yaml").open("a") as configuration:
        configuration.write(f"{name}:\n")
