"""Takes the pictures of the console that the documentation shows: python -m tools.screenshots FOLDER

They are of a real run: the demonstration with its faults, looked at by a real Chromium. The variable CHROMIUM names it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

_RUN_SECONDS = 45
_START_SECONDS = 90.0
_LOOK_AFTER_SECONDS = 14.0
"""By then the service misbehaves, and something is retried and dead-lettered."""
_DESK = {"width": 1280, "height": 860}
_PHONE = {"width": 390, "height": 844}
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/login#\S+")


def main(folder: str) -> None:
    """Take all pictures."""
    command = [str(Path(sys.executable).parent / "hookline"), "demo", "--faults", "--seconds", str(_RUN_SECONDS)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=subprocess.STDOUT, text=True) as demo:  # noqa: S603 - our own
        try:
            address = _address(demo)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=os.environ.get("CHROMIUM"), args=["--no-sandbox"])
                time.sleep(_LOOK_AFTER_SECONDS)
                _take(browser, address, Path(folder))
                browser.close()
        finally:
            demo.terminate()


def _address(demo: subprocess.Popen[str]) -> str:
    give_up = time.monotonic() + _START_SECONDS
    for line in demo.stdout or ():
        found = _ADDRESS.search(line)
        if found:
            return found[0]
        if time.monotonic() > give_up:
            break
    raise SystemExit("the demonstration did not say where its console is")


def _take(browser: Browser, address: str, folder: Path) -> None:
    desk = _logged_in(browser, address, _DESK, "light")
    for path, name in (
        ("/", "overview"),
        ("/partitions/charging_sessions/2", "partition"),
        ("/dead-letters", "dead-letters"),
    ):
        _picture(desk, path, folder / f"console-{name}.png")
    _picture(_logged_in(browser, address, _PHONE, "dark"), "/", folder / "console-phone.png")


def _logged_in(browser: Browser, address: str, size: Any, scheme: Any) -> Page:
    page = browser.new_context(viewport=size, color_scheme=scheme).new_page()
    page.goto(address)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("heading", name="Overview").wait_for()
    return page


def _picture(page: Page, path: str, file: Path) -> None:
    origin = "/".join(page.url.split("/")[:3])
    page.goto(origin + path)
    page.get_by_role("heading", level=1).wait_for()
    # The plots are drawn when their figures have come.
    page.wait_for_timeout(1500)
    page.screenshot(path=str(file))
    print(file)


if __name__ == "__main__":
    main(*sys.argv[1:])
