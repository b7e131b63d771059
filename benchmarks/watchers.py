"""People who have pages of the console open: each follows its stream, and gets a page's content with every event.

That is what the page itself does, in as many browsers.
"""

from __future__ import annotations

import contextlib
import http.client
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

_PAGES = ("/", "/partitions", "/deliveries", "/destination")
_RETRY_SECONDS = 0.2


@contextlib.contextmanager
def watching(port: int, pages: int) -> Iterator[None]:
    """Have so many pages open in a process of their own while the context lasts; none for 0."""
    if not pages:
        yield
        return
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.watchers", str(port), str(pages)])
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _follow(port: int, page: str) -> None:
    """Keep one page open, and open it again when the console went away."""
    while True:
        try:
            _look(port, page)
        except (OSError, http.client.HTTPException):
            time.sleep(_RETRY_SECONDS)


def _look(port: int, page: str) -> None:
    stream = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    content = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(stream), contextlib.closing(content):
        stream.request("GET", "/api/v1/events")
        events = stream.getresponse()
        while line := events.readline():
            if line.startswith(b"data: "):
                content.request("GET", page, headers={"HX-Request": "true", "Accept": "text/html"})
                answer = content.getresponse()
                answer.read()
                if answer.status != http.client.OK:
                    raise http.client.HTTPException(f"{page} answers {answer.status}")


def main(arguments: list[str]) -> None:
    """Watch until ended."""
    port, pages = int(arguments[0]), int(arguments[1])
    for number in range(pages):
        threading.Thread(target=_follow, args=(port, _PAGES[number % len(_PAGES)]), daemon=True).start()
    threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1:])
