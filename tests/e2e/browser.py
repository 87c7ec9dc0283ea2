"""A headless Chromium that a test uses as a person does: by what is to be seen, with mouse and keyboard.

It is driven through Chromium's own DevTools protocol, so there is no driver to install. The page's
elements are found by `deep_query.js`.
"""

import asyncio
import base64
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
import json
import os
from pathlib import Path
import re
import shutil
from typing import Any, Final, Self

import aiohttp

from demo.process import ChildProcess, clean_environment

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
FLAGS: Final = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
    "--lang=en-US",
    "--remote-debugging-port=0",
    # Pages of this computer alone: a picture of a brand must not make a test wait for the internet.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
START_LIMIT: Final = 90.0
STOP_LIMIT: Final = 5.0
WAIT_LIMIT: Final = 60.0
"""Seconds until something must be seen."""

ANSWER_LIMIT: Final = 45.0
"""Seconds for an answer of the browser, beyond what it was told to wait."""

MAX_MESSAGE: Final = 64 * 1024 * 1024
_DEEP_QUERY: Final = Path(__file__).with_name("deep_query.js").read_text(encoding="utf-8")
_NAVIGATED: Final = ("context was destroyed", "Cannot find context", "Inspected target navigated")

type JsonObject = dict[str, Any]


class BrowserError(AssertionError):
    """Something was not to be seen in time, or the browser refused."""


class Page:
    """The one tab of a browser."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, pictures: Path) -> None:
        """Wrap the debugging socket of a tab; pictures are kept in a folder."""
        self._socket = socket
        self._pictures = pictures
        self._last_id = 0

    async def prepare(self, *, width: int, height: int, scale: float) -> Self:
        """Set the size of the window and put our helper into each page that will be opened."""
        await self._call("Page.enable")
        await self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=False,
        )
        await self._call(
            "Page.addScriptToEvaluateOnNewDocument", source=f"window.deep = {_DEEP_QUERY};"
        )
        return self

    async def open(self, url: str) -> None:
        """Go to an address."""
        await self._call("Page.navigate", url=url)

    async def see(
        self, selector: str, text: str | None = None, *, limit: float = WAIT_LIMIT
    ) -> str:
        """Wait until an element is to be seen and return what it reads.

        Args:
            selector: CSS, matched in every shadow root.
            text: What the element must contain.
            limit: Seconds.
        """
        found = f"deep.one({_js(selector)}, {_js(text)})"
        read = await self._wait_for(
            f"{found} && {{text: deep.words({found})}}", selector, text, limit
        )
        return str(read["text"])

    async def see_no(self, selector: str, text: str | None = None) -> None:
        """Wait until an element is not to be seen any more."""
        await self._wait_for(f"!deep.one({_js(selector)}, {_js(text)})", f"no {selector}", text)

    async def sees(self, selector: str, text: str | None = None) -> bool:
        """Return whether an element is to be seen now."""
        return bool(await self.evaluate(f"!!deep.one({_js(selector)}, {_js(text)})"))

    async def click(
        self, selector: str, text: str | None = None, *, limit: float = WAIT_LIMIT
    ) -> None:
        """Click an element as soon as it is there, at rest and not covered."""
        expression = f"deep.spot({_js(selector)}, {_js(text)})"
        spot = await self._wait_for(expression, selector, text, limit)
        for kind, buttons in (("mouseMoved", 0), ("mousePressed", 1), ("mouseReleased", 0)):
            await self._call(
                "Input.dispatchMouseEvent",
                type=kind,
                x=spot["x"],
                y=spot["y"],
                button="none" if kind == "mouseMoved" else "left",
                buttons=buttons,
                clickCount=int(kind != "mouseMoved"),
            )

    async def fill(self, selector: str, text: str, *, limit: float = WAIT_LIMIT) -> None:
        """Click an empty field and type into it; again, when a page that still loads takes it away."""
        async with asyncio.timeout(limit + WAIT_LIMIT):
            while True:
                await self.click(selector, limit=limit)
                await self._call("Input.insertText", text=text)
                if await self.evaluate(f"deep.holds({_js(selector)}, {_js(text)})"):
                    return

    async def press(self, key: str) -> None:
        """Press a key: a letter or `Enter`."""
        is_enter = key == "Enter"
        text = "\r" if is_enter else key
        fields: JsonObject = {
            "key": key,
            "code": key if is_enter else f"Key{key.upper()}",
            "windowsVirtualKeyCode": 13 if is_enter else ord(key.upper()),
        }
        await self._call("Input.dispatchKeyEvent", type="keyDown", text=text, **fields)
        await self._call("Input.dispatchKeyEvent", type="keyUp", **fields)

    async def value(self, selector: str) -> str:
        """Return what is in a field."""
        return str(await self.evaluate(f"deep.one({_js(selector)}).value"))

    async def picture(
        self, name: str, around: str | None = None, *, margin: int = 16, at_rest: bool = True
    ) -> None:
        """Keep a picture of what is to be seen now.

        Args:
            name: Of the file, without its ending.
            around: What is to be in the picture; all of the window by default.
            margin: Pixels around that.
            at_rest: Wait until nothing moves any more.
        """
        if at_rest:
            await self._wait_for("deep.isAtRest()", "a page at rest", None)
        clip: JsonObject = {}
        if around:
            box = await self._wait_for(f"deep.box({_js(around)}, {margin})", around, None)
            clip = {"clip": box | {"scale": 1}}
        answer = await self._call("Page.captureScreenshot", format="png", **clip)
        self._pictures.mkdir(parents=True, exist_ok=True)
        (self._pictures / f"{name}.png").write_bytes(base64.b64decode(answer["data"]))

    async def evaluate(self, expression: str, *, limit: float = 0.0) -> Any:  # noqa: ANN401 - what the expression is
        """Return the value of an expression in the page; what it promises is awaited.

        Raises:
            BrowserError: It raised, or the browser does not answer.
        """
        answer = await self._call(
            "Runtime.evaluate",
            limit=limit,
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
        )
        if details := answer.get("exceptionDetails"):
            reason = details.get("exception", {}).get("description") or details["text"]
            raise BrowserError(f"{expression}: {reason}")
        return answer["result"].get("value")

    async def _wait_for(
        self, expression: str, selector: str, text: str | None, limit: float = WAIT_LIMIT
    ) -> Any:  # noqa: ANN401 - what the expression is
        """Return the value of an expression once it is true, over page loads."""
        loop = asyncio.get_running_loop()
        end = loop.time() + limit
        found = None
        while not found and (left := end - loop.time()) > 0:
            waiting = f"deep.until(() => {expression}, {left * 1000})"
            try:
                found = await self.evaluate(waiting, limit=left)
            except BrowserError as err:
                # Another page took the place of the one that was asked.
                if not any(sign in str(err) for sign in _NAVIGATED):
                    raise
        if not found:
            await self.picture("failure", at_rest=False)
            wanted = f"{selector} with {text!r}" if text else selector
            raise BrowserError(f"{wanted} was not seen in {limit:.0f} seconds; see failure.png")
        return found

    async def _call(self, method: str, *, limit: float = 0.0, **parameters: object) -> JsonObject:
        """Run one command of the DevTools protocol and return its result."""
        self._last_id += 1
        await self._socket.send_json({"id": self._last_id, "method": method, "params": parameters})
        async with asyncio.timeout(limit + ANSWER_LIMIT):
            while True:
                message: JsonObject = json.loads(await self._socket.receive_str())
                if message.get("id") == self._last_id:
                    break
        if error := message.get("error"):
            raise BrowserError(f"{method}: {error['message']}")
        result: JsonObject = message["result"]
        return result


@asynccontextmanager
async def browser(
    folder: Path, pictures: Path, *, width: int = 1280, height: int = 800, scale: float = 2.0
) -> AsyncGenerator[Page]:
    """Start a browser without a past, yield its tab and stop it.

    Args:
        folder: An empty folder for what it writes.
        pictures: Where pictures are kept.
        width: Of the window.
        height: Of the window.
        scale: Of the pictures.
    """
    profile = folder / "profile"
    child = ChildProcess.start(
        "Chromium",
        [executable(), *FLAGS, f"--user-data-dir={profile}", "about:blank"],
        env=clean_environment(without=("DBUS_", "DISPLAY"), HOME=str(folder)),
        cwd=folder,
        log_path=folder / "chromium.log",
    )
    try:
        port_file = profile / "DevToolsActivePort"

        async def has_port() -> bool:
            return port_file.exists() and "\n" in port_file.read_text()

        await child.wait_until(has_port, limit=START_LIMIT)
        port = int(port_file.read_text().split()[0])
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
            async with session.get("/json/list") as response:
                tabs = await response.json()
            address = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
            async with session.ws_connect(
                re.sub(r"^ws", "http", address), max_msg_size=MAX_MESSAGE
            ) as socket:
                yield await Page(socket, pictures).prepare(width=width, height=height, scale=scale)
    finally:
        await child.stop(limit=STOP_LIMIT)


def executable() -> str:
    """Return the browser of this machine.

    Raises:
        BrowserError: There is none.
    """
    found = [
        path for name in (os.environ.get("CHROMIUM", ""), *NAMES) if (path := shutil.which(name))
    ]
    if not found:
        raise BrowserError("There is no Chromium; scripts/setup browser installs it.")
    return found[0]


def _js(value: object) -> str:
    """Write a value as JavaScript."""
    return json.dumps(value)
