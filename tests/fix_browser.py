"""A real browser that looks at a page: Chromium, driven over the WebDriver protocol."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

import pytest

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage"]


class Browser:
    """One window of a browser."""

    def __init__(self, driver: str, binary: str, profile: Path) -> None:
        self._url = driver
        options = {"binary": binary, "args": [*ARGUMENTS, f"--user-data-dir={profile}"]}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        started = self._post("/session", {"capabilities": {"alwaysMatch": wanted}})
        self._url = f"{driver}/session/{started['sessionId']}"

    def open(self, page: Path, *, width: int, scheme: str) -> None:
        """Open a page in a window of a width, for a person who likes it ``light`` or ``dark``."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self._devtools("Emulation.setDeviceMetricsOverride", size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._devtools("Emulation.setEmulatedMedia", {"features": features})
        self._post("/url", {"url": page.as_uri()})

    def ask(self, expression: str) -> Any:
        """Give the value of an expression in the page."""
        return self._post("/execute/sync", {"script": f"return {expression}", "args": []})

    def complaints(self) -> list[str]:
        """Give what the page made the console say."""
        return [entry["message"] for entry in self._post("/se/log", {"type": "browser"})]

    def close(self) -> None:
        """Close the browser."""
        self._send(Request(self._url, method="DELETE"))

    def _devtools(self, command: str, parameters: dict[str, Any]) -> None:
        self._post("/goog/cdp/execute", {"cmd": command, "params": parameters})

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        request = Request(self._url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        return self._send(request)

    def _send(self, request: Request) -> Any:
        with build_opener(ProxyHandler({})).open(request, timeout=60) as answer:
            return json.load(answer)["value"]


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser; without one on this machine the test is skipped."""
    binary = next(filter(None, map(shutil.which, CHROMIUM)), None)
    driver = shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("there is no Chromium with its driver here: apt-get install chromium chromium-driver")
    with subprocess.Popen([driver, "--port=0"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = next(found[1] for line in process.stdout if (found := re.search(r"successfully on port (\d+)", line)))
        try:
            browser = Browser(f"http://127.0.0.1:{port}", binary, tmp_path_factory.mktemp("browser"))
            yield browser
            browser.close()
        finally:
            process.terminate()
