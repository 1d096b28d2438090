"""The report in a browser that has no network: no error, no request, and the film follows the keyboard."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from nni_emodarts.report.page import report

BROWSER = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no chromium here: apt-get install chromium"),
]


class Tab:
    """A page of a browser, over its DevTools protocol."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._count = 0
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._count += 1
        self._socket.send(json.dumps({"id": self._count, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=60))
            if message.get("id") == self._count:
                assert "error" not in message, message
                return dict(message["result"])
            self.events.append(message)

    def value(self, expression: str) -> Any:
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def press(self, key: str) -> None:
        code = {"ArrowLeft": 37, "Home": 36, " ": 32}[key]
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key.strip() or "Space",
                      windowsVirtualKeyCode=code, text=" " if key == " " and kind == "keyDown" else "")  # fmt: skip

    def named(self, *methods: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event.get("method") in methods]


@pytest.fixture
def tab(tmp_path: Path) -> Iterator[Tab]:
    profile = tmp_path / "profile"
    words = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-port=0",
             f"--user-data-dir={profile}", "--host-resolver-rules=MAP * ~NOTFOUND", "--disable-background-networking",
             "--no-first-run", "about:blank"]  # fmt: skip
    with subprocess.Popen([str(BROWSER), *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          env={**os.environ, "HOME": str(tmp_path)}) as browser:  # fmt: skip
        try:
            with connect(_address(profile), max_size=None) as socket:
                whole = Tab(socket)
                targets = whole.call("Target.getTargets")["targetInfos"]
                identity = next(target["targetId"] for target in targets if target["type"] == "page")
            base = _address(profile).rsplit("/devtools/", 1)[0]
            with connect(f"{base}/devtools/page/{identity}", max_size=None) as socket:
                yield Tab(socket)
        finally:
            browser.terminate()
            browser.wait(timeout=30)


def _address(profile: Path) -> str:
    file = profile / "DevToolsActivePort"
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if file.exists() and len(lines := file.read_text().split()) == 2:
            return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
        time.sleep(0.1)
    raise TimeoutError("the browser did not start")


def test_the_report_opens_without_network(tab: Tab, search_run: Path, retrain_run: Path, tmp_path: Path) -> None:
    file = report([str(search_run), str(retrain_run)], tmp_path / "report.html", audio=True, worst=2)
    for domain in ("Runtime", "Log", "Network", "Page"):
        tab.call(f"{domain}.enable")
    tab.call("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0, uploadThroughput=0)
    tab.call("Page.navigate", url=file.as_uri())
    end = time.monotonic() + 60
    while tab.value("document.documentElement.dataset.ready") != "yes" and time.monotonic() < end:
        time.sleep(0.1)
    assert tab.value("document.documentElement.dataset.ready") == "yes"
    assert tab.value("[...document.images].every(i => i.complete && i.naturalWidth > 0)")

    last = tab.value("document.querySelector('.film output').textContent")
    box = "document.querySelector('.matrix td')"
    shown = tab.value(f"{box}.textContent")
    assert shown.endswith("%")
    assert tab.value(f"getComputedStyle({box}).backgroundColor") != "rgba(0, 0, 0, 0)"
    tab.value("document.querySelector('.film input').focus()")
    tab.press("Home")
    assert tab.value("document.querySelector('.film output').textContent") == "0" != last
    tab.value("document.querySelector('.film button').focus()")
    tab.press(" ")
    end = time.monotonic() + 30
    while tab.value("document.querySelector('.film output').textContent") != last and time.monotonic() < end:
        time.sleep(0.1)
    assert tab.value("document.querySelector('.film output').textContent") == last, "it plays to its end"

    beyond = (
        "[...document.querySelectorAll('body *')].filter(e => !e.closest('{scrolling}') && "
        "e.getBoundingClientRect().right > document.documentElement.clientWidth + 1).map(e => e.outerHTML.slice(0, 80))"
    )
    # On a telephone a drawing keeps a size at which it can be read, and scrolls inside its figure.
    for width, scrolling in ((1200, ".wide, .skip, pre"), (420, ".wide, .skip, pre, figure img")):
        tab.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        assert tab.value(beyond.replace("{scrolling}", scrolling)) == [], f"nothing sticks out at {width} pixels"
    assert len(tab.call("Page.printToPDF")["data"]) > 10_000
    assert tab.value("[...document.querySelectorAll('audio')].every(a => a.error === null && a.duration > 0)")

    requests = [event["params"]["request"]["url"] for event in tab.named("Network.requestWillBeSent")]
    assert [url for url in requests if not url.startswith(("data:", "file:", "about:"))] == []
    assert sum(url.startswith("file:") for url in requests) == 1
    wrong = [
        event for event in tab.named("Log.entryAdded") if event["params"]["entry"]["level"] in ("error", "warning")
    ]
    said = [event for event in tab.named("Runtime.consoleAPICalled") if event["params"]["type"] in ("error", "warning")]
    assert wrong + said + tab.named("Runtime.exceptionThrown") == []
