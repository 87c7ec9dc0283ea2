"""The frontend of the real Home Assistant, as its owner has it on the screen."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
import json
from pathlib import Path
from typing import Any, Final

from demo.client import HomeAssistantClient
from demo.home_assistant import DOMAIN, HomeAssistantProcess
from demo.process import CHECKOUT

from .browser import Page, browser

PICTURES: Final = CHECKOUT / ".artefacts" / "frontend"
LOADED: Final = 120.0
"""Seconds until the frontend is there for the first time. It takes ten."""


@asynccontextmanager
async def logged_in(
    home: HomeAssistantProcess,
    folder: Path,
    path: str = "",
    *,
    width: int = 1280,
    height: int = 800,
    scale: float = 2.0,
) -> AsyncGenerator[Page]:
    """Yield a browser whose user has just logged in.

    Args:
        home: The Home Assistant.
        folder: An empty folder for what the browser writes.
        path: The page that is opened.
        width: Of the window.
        height: Of the window.
        scale: Of the pictures.
    """
    async with browser(folder, PICTURES, width=width, height=height, scale=scale) as page:
        await page.open(f"{home.url}{path}")
        await page.fill("input[name=username]", home.account.username, limit=LOADED)
        await page.fill("input[name=password]", home.account.password)
        await page.click("ha-button", "Log in")
        await page.see("ha-sidebar >> a[href='/config']", limit=LOADED)
        yield page


async def speak(client: HomeAssistantClient, language: str) -> None:
    """Have the frontend speak a language with the owner from the next page on."""
    value = {"language": language, "number_format": "language", "time_format": "language"}
    await client.call("frontend/set_user_data", key="language", value=value)


def texts_in(tree: object) -> list[str]:
    """Return the texts of a part of the translations, without those that are filled in later."""
    if isinstance(tree, dict):
        tree = [*tree.values()]
    if isinstance(tree, list):
        return [text for part in tree for text in texts_in(part)]
    return [] if "{" in str(tree) else [str(tree)]


def translations(language: str) -> Any:  # noqa: ANN401  any JSON
    """Return our texts in a language."""
    path = CHECKOUT / "custom_components" / DOMAIN / "translations" / f"{language}.json"
    return json.loads(path.read_text(encoding="utf-8"))
