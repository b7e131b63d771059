"""`make benchmark`: build the contenders, start Kafka and the receiver, run every scenario in alternation, report."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import platform
import signal
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.commands import compare_commands
from benchmarks.contenders import CONTENDERS
from benchmarks.errors import BenchmarkError
from benchmarks.receiver import find_nginx
from benchmarks.report import Outcome, write_results
from benchmarks.scenarios import SCENARIOS, Scenario
from benchmarks.suite import Suite
from hookline.errors import HooklineError

_RESULTS = Path(__file__).parent / "results"


@dataclasses.dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    scenarios: tuple[Scenario, ...]
    quick: bool
    rounds: int
    servers: str | None
    """A broker to use; None starts one."""
    keep: Path | None
    """A folder for the logs of every run; None keeps none."""


def parse(arguments: list[str]) -> Options:
    """Options of a command line and of QUICK in the environment; exits with a message on a wrong one."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--scenario", action="append", choices=[each.name for each in SCENARIOS], help="only this one")
    parser.add_argument("--against", action="append", choices=list(CONTENDERS), help="only this contender")
    parser.add_argument("--ours", choices=list(CONTENDERS), help="who is compared with the others, such as go-net-http")
    parser.add_argument("--records", type=int, help="how many records the topics have")
    parser.add_argument("--rounds", type=int, help="how often each pair is run; 5, or 2 with --quick")
    parser.add_argument("--quick", action="store_true", default=os.environ.get("QUICK", "") not in ("", "0"))
    parser.add_argument("--servers", help="HOST:PORT of a broker to use in place of one of our own")
    parser.add_argument("--keep", type=Path, help="a folder for the logs of every run")
    chosen = parser.parse_args(arguments)
    scenarios = []
    for scenario in SCENARIOS:
        if chosen.scenario and scenario.name not in chosen.scenario:
            continue
        if chosen.quick and not scenario.quick_records and not chosen.scenario:
            continue
        records = chosen.records or (chosen.quick and scenario.quick_records) or scenario.topic.records
        matches = tuple(
            match
            for match in scenario.matches
            if (match.against in chosen.against if chosen.against else match.quick or not chosen.quick)
        )
        topic = dataclasses.replace(scenario.topic, records=records)
        ours = chosen.ours or scenario.ours
        scenarios.append(dataclasses.replace(scenario, topic=topic, matches=matches, ours=ours))
    if not any(scenario.matches or scenario.phases for scenario in scenarios):
        parser.error("no scenario compares what was chosen; see benchmarks/scenarios.py")
    rounds = chosen.rounds or (2 if chosen.quick else 5)
    return Options(tuple(scenarios), chosen.quick, rounds, chosen.servers, chosen.keep)


@contextlib.contextmanager
def _broker(servers: str | None) -> Iterator[str]:
    """HOST:PORT of the broker that was asked for, or of one that lives as long as the context."""
    if servers:
        yield servers
        return
    from hookline.demo.kafka_broker import KafkaBroker  # brings Java, which a broker of one's own does not need

    with KafkaBroker(heap="1g") as broker:
        yield broker.bootstrap


def _machine() -> dict[str, Any]:
    information = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(": ")[2] for line in information if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "system": platform.platform(),
        "processors": os.cpu_count(),
        "processor": models[0] if models else platform.machine(),
        "memory_bytes": memory,
    }


def main(arguments: list[str]) -> int:
    """Run what the command line asks for; 0 when every run went well, 1 otherwise, whatever the verdicts."""
    options = parse(arguments)
    if sys.platform != "linux":
        print("the benchmarks read Linux's process table and run on Linux only")
        return 1
    # So that whatever was started is ended, as after Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    started = datetime.now(UTC)
    with contextlib.ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
        folder.mkdir(parents=True, exist_ok=True)
        try:
            nginx = find_nginx()
            servers = stack.enter_context(_broker(options.servers))
            suite = Suite(options.scenarios, options.rounds, servers, nginx, folder, quick=options.quick)
            suite.prepare()
            suite.run()
            if any(scenario.name == "start" for scenario in options.scenarios):
                suite.verdicts.append(compare_commands(options.rounds))
        except (BenchmarkError, HooklineError) as error:
            print(error)
            return 1
        about = {
            "started": started.isoformat(timespec="seconds"),
            "machine": _machine(),
            "versions": suite.versions(),
            "settings": {
                "quick": options.quick,
                "rounds": options.rounds,
                "scenarios": [dataclasses.asdict(scenario) for scenario in options.scenarios],
            },
        }
    file = _RESULTS / f"{started:%Y%m%dT%H%M%SZ}.json"
    write_results(file, about, suite.runs, suite.verdicts)
    print(f"\nVerdicts: ratios of the medians of {options.rounds} rounds (lowest and highest of single pairs)")
    for verdict in suite.verdicts:
        print(verdict)
    print(f"\nevery figure: {file}")
    return int(any(verdict.outcome in (Outcome.VOID, Outcome.FAILED) for verdict in suite.verdicts))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
