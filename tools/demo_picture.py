"""Draw docs/images/demo.svg: what `hookline demo --faults` shows on a terminal while the service misbehaves.

Run it on a terminal: `.venv/bin/python tools/demo_picture.py`. The picture is of a real run, about half way through.
"""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

from rich.console import Console

from hookline.cli.main import main
from hookline.demo import screen
from hookline.demo.live_view import Heading, LiveView
from hookline.demo.meter import Snapshot

PICTURE = Path(__file__).parent.parent / "docs" / "images" / "demo.svg"
WIDTH = 80
SECONDS = 12


class PictureScreen(screen.LiveScreen):
    """Keeps the first view after half of the run in which something goes wrong."""

    taken = False

    def begin(self, heading: Heading) -> None:
        self.heading = heading
        super().begin(heading)

    def show(self, snapshot: Snapshot) -> None:
        super().show(snapshot)
        if self.taken or snapshot.elapsed_seconds < SECONDS / 2 or not snapshot.trouble:
            return
        console = Console(file=io.StringIO(), width=WIDTH, record=True, force_terminal=True)
        console.print(LiveView(self.heading, snapshot))
        PICTURE.parent.mkdir(exist_ok=True)
        drawing = console.export_svg(title="hookline demo --faults")
        # Without the addresses of fonts and of the drawing's maker: the reader's own monospaced font will do.
        drawing = re.sub(r"@font-face \{.*?\}|<!--.*?-->", "", drawing, flags=re.DOTALL)
        PICTURE.write_text(drawing.replace("Fira Code", "ui-monospace"), encoding="utf-8")
        self.taken = True


if __name__ == "__main__":
    screen.LiveScreen = PictureScreen  # type: ignore[misc]
    sys.exit(main(["demo", "--faults", "--seconds", str(SECONDS), "--rate", "1000"]))
