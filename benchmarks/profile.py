"""`make profile`: a flame graph of the delivery path at full load, between a real Kafka and a real service."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.contenders import Hookline, Task
from benchmarks.errors import BenchmarkError
from benchmarks.flame import shares, svg, tree
from benchmarks.receiver import find_nginx, free_port, receiver
from benchmarks.scenarios import TopicShape
from benchmarks.topics import Topics
from hookline.demo.kafka_broker import KafkaBroker
from hookline.errors import HooklineError

_RESULTS = Path(__file__).parent / "results"
_SOURCES = Path(__file__).parents[1] / "src" / "hookline"
_ROOT = ".run_until_signalled"
_TIMEOUT_SECONDS = 300.0
_LISTED = 25


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__)
    parser.add_argument("--records", type=int, default=200_000, help="how many to deliver (200,000)")
    parser.add_argument("--in-flight", type=int, default=64, help="requests at once (64)")
    parser.add_argument("--delay-ms", type=float, default=0.0, help="how long the service takes (0)")
    parser.add_argument("--value-bytes", type=int, default=190, help="the size of a value (190)")
    return parser.parse_args(arguments)


def _run(options: argparse.Namespace, folder: Path, samples: Path) -> None:
    """Deliver a topic with the sampler in the process; raises BenchmarkError when that does not end in time."""
    with KafkaBroker(heap="512m") as broker, receiver(find_nginx(), folder / "nginx", options.delay_ms) as service:
        task = Task(
            servers=broker.bootstrap,
            topic=Topics(broker.bootstrap).topic(TopicShape(options.records, options.value_bytes)),
            group_id="profile",
            url=service.url,
            in_flight=options.in_flight,
            records=options.records,
            console_port=free_port(),
            folder=folder,
        )
        _, *arguments = Hookline().command(task)
        with (folder / "output.log").open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.sampler", str(samples), *arguments], stdout=output, stderr=output
            )
            try:
                give_up = time.monotonic() + _TIMEOUT_SECONDS
                while service.account().answered < options.records:
                    if process.poll() is not None or time.monotonic() > give_up:
                        raise BenchmarkError(f"not delivered in time:\n{(folder / 'output.log').read_text()[-2000:]}")
                    time.sleep(0.2)
                process.send_signal(signal.SIGTERM)
                process.wait(timeout=60)
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()


def main(arguments: list[str]) -> int:
    """Profile one run, print where the time goes, and write samples and picture beside the benchmarks' results."""
    options = _parse(arguments)
    _RESULTS.mkdir(exist_ok=True)
    samples, picture = _RESULTS / "profile.txt", _RESULTS / "profile.svg"
    with tempfile.TemporaryDirectory(prefix="profile-") as folder:
        try:
            _run(options, Path(folder), samples)
        except (BenchmarkError, HooklineError) as error:
            print(error)
            return 1
    top = tree(samples.read_text().splitlines(), _ROOT)
    ours = frozenset(file.stem for file in _SOURCES.rglob("*.py"))
    title = f"{options.records:,} records, {options.in_flight} in flight, answer after {options.delay_ms:g} ms"
    picture.write_text(svg(top, title, ours))
    print(f"\nProcessor time by function ({top.samples:,} samples; what C does counts for who called it)")
    for name, share in shares(top)[:_LISTED]:
        print(f"{share:7.1%}  {name}")
    print(f"\n{os.path.relpath(picture)}: the flame graph; {os.path.relpath(samples)}: its stacks")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
