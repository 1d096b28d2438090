"""A page in headless Chromium: what it shows, clicks, pictures; by Chromium's own protocol."""

import base64
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
_DEADLINE = 60.0  # seconds

# Where an element's centre is, or null while it moves (a dialog that opens) or something lies over it.
_STILL = """async e => {
    if (!e) return null;
    e.scrollIntoView({block: "center", behavior: "instant"});
    const centre = () => { const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2] };
    const [x, y] = centre();
    await new Promise(resolve => setTimeout(resolve, 100));
    const [later_x, later_y] = centre();
    const top = document.elementFromPoint(x, y);
    return x === later_x && y === later_y && e.contains(top) ? [x, y] : null;
}"""


class Page:
    """A tab."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._sent = 0

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of Chromium's protocol."""
        self._sent += 1
        self._socket.send(json.dumps({"id": self._sent, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv(timeout=_DEADLINE))
            if answer.get("id") == self._sent:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result

    def open(self, url: str) -> None:
        """Go to an address."""
        self.send("Page.navigate", url=url)

    def run(self, script: str) -> Any:
        """Value of a JavaScript expression."""
        answer = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def text(self) -> str:
        """What the page shows as text."""
        return str(self.run("document.body ? document.body.innerText : ''"))

    def wait(self, script: str) -> Any:
        """Wait until an expression is true; its value."""
        end = time.monotonic() + _DEADLINE
        while time.monotonic() < end:
            if value := self.run(script):
                return value
            time.sleep(0.2)
        raise AssertionError(f"{script} stays false; the page shows:\n{self.text()}")

    def click(self, selector: str, text: str = "") -> None:
        """Click on the first element of a selector that shows a text, once it stands still and nothing covers it."""
        every = f"[...document.querySelectorAll({json.dumps(selector)})]"
        found = f"{every}.find(e => (e.innerText ?? '').includes({json.dumps(text)}))"
        self.wait(f"!!{found}")
        x, y = self.wait(f"({_STILL})({found})")
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def picture(self, file: Path) -> Path:
        """Write what the window shows as PNG."""
        file.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"]))
        return file


@contextmanager
def browser(profile: Path, width: int = 1280, height: int = 900) -> Iterator[Page]:
    """A tab of a headless Chromium."""
    assert CHROMIUM is not None
    words = [
        CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
        "--no-first-run", "--disable-background-networking", "--disable-component-update", "--remote-debugging-port=0",
        f"--user-data-dir={profile}", f"--window-size={width},{height}", "about:blank",
    ]  # fmt: skip
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with connect(_address(process, profile), max_size=None, proxy=None) as socket:
            page = Page(socket)
            size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
            page.send("Emulation.setDeviceMetricsOverride", **size)
            yield page
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _address(process: subprocess.Popen[bytes], profile: Path) -> str:
    """Address of the first tab."""
    import requests

    file = profile / "DevToolsActivePort"
    end = time.monotonic() + _DEADLINE
    while time.monotonic() < end:
        assert process.poll() is None, f"Chromium ended with {process.returncode}"
        if file.is_file() and (lines := file.read_text().split()):
            tabs = requests.get(f"http://127.0.0.1:{lines[0]}/json/list", timeout=10).json()
            for tab in tabs:
                if tab["type"] == "page":
                    return str(tab["webSocketDebuggerUrl"])
        time.sleep(0.1)
    raise AssertionError("Chromium opens no tab")
