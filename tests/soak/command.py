"""The command: one scenario for so many minutes; samples and a picture in a folder; a verdict as the last line."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.soak.faults import with_faults
from tests.soak.full_topic import full_topic
from tests.soak.picture import picture
from tests.soak.samples import write_samples
from tests.soak.setting import Options
from tests.soak.verdict import MIB

SCENARIOS = {"full-topic": full_topic, "faults": with_faults}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 when it holds."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--scenario", choices=SCENARIOS, default="faults", help="default: faults")
    parser.add_argument("--minutes", type=float, default=20.0, help="default: 20")
    parser.add_argument("--client", choices=("aiokafka", "librdkafka"), default="aiokafka", help="of full-topic")
    parser.add_argument("--sender", choices=("wire", "aiohttp"), default="wire")
    parser.add_argument("--rate", type=float, default=300.0, help="records a second, of faults; default: 300")
    parser.add_argument("--bound-mib", type=int, default=16, help="the setting bounds.bytes; default: 16")
    parser.add_argument("--topic-mib", type=int, default=400, help="the size of the topic, of full-topic; default: 400")
    parser.add_argument("--folder", type=Path, help="for samples, picture, summary and logs; default: a new one")
    given = parser.parse_args(arguments)
    folder = given.folder or Path(tempfile.mkdtemp(prefix="hookline-soak-"))
    folder.mkdir(parents=True, exist_ok=True)
    options = Options(
        minutes=given.minutes,
        folder=folder,
        client=given.client,
        sender=given.sender,
        rate=given.rate,
        bound_bytes=given.bound_mib * MIB,
        topic_bytes=given.topic_mib * MIB,
    )
    _say(f"{given.scenario} for {given.minutes:g} minutes; its files are in {folder}")
    report = asyncio.run(SCENARIOS[given.scenario](options, _say))
    text = report.summary()
    write_samples(folder / "samples.csv", report.samples)
    title = f"{given.scenario}, {given.minutes:g} minutes"
    (folder / "soak.svg").write_text(picture(title, report.samples), encoding="utf-8")
    (folder / "summary.txt").write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    return 1 if report.short else 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
