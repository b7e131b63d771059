"""What a chaos run is asked to be."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.plan import Kind

CLIENTS = ("aiokafka", "librdkafka")


@dataclass(frozen=True)
class ChaosOptions:
    """One run. `settings` are further settings of `hookline run`, over those of the run."""

    seed: int = 1
    client: str = "aiokafka"
    records: int = 60_000
    faults: int = 16
    kinds: tuple[Kind, ...] = tuple(Kind)
    members: int = 3
    partitions: int = 12
    in_flight: int = 32
    commit_records: int = 100
    session_seconds: float = 6.0
    stream_seconds: float = 6.0
    heap: str = "320m"
    settings: dict[str, str] = field(default_factory=dict)
    folder: Path | None = None


@dataclass(frozen=True)
class Command:
    """What is asked for: to print the plan alone, to compare results of earlier runs, or to run with these clients."""

    options: ChaosOptions
    clients: tuple[str, ...]
    only_plan: bool
    compare: tuple[Path, ...]


def parse(arguments: Sequence[str] | None) -> Command:
    """The command line; ends the process with 2 when it is wrong."""
    usual = ChaosOptions()
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos", description="Three brokers, three processes of `hookline run`, and faults."
    )
    parser.add_argument("--seed", type=int, default=usual.seed, help="what the plan is drawn from")
    parser.add_argument("--client", choices=(*CLIENTS, "both"), default=usual.client, help="the Kafka client")
    parser.add_argument("--records", type=_at_least(100), default=usual.records)
    parser.add_argument("--faults", type=_at_least(0), default=usual.faults)
    parser.add_argument("--only", action="append", choices=[*Kind], help="draw from these kinds alone; may be repeated")
    parser.add_argument("--in-flight", type=_at_least(1), default=usual.in_flight, help="requests under way a process")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of `hookline run`, such as kafka.assignor=sticky",
    )
    parser.add_argument("--folder", type=Path, help="where to keep logs and the account, also of a run that holds")
    parser.add_argument("--plan", action="store_true", help="print the plan and end")
    parser.add_argument(
        "--compare", type=Path, nargs="+", default=(), metavar="FILE", help="compare the result.json of runs, and end"
    )
    given = parser.parse_args(arguments)
    for setting in given.set:
        if "=" not in setting:
            parser.error(f"--set {setting}: expected NAME=VALUE")
    options = ChaosOptions(
        seed=given.seed,
        client=given.client if given.client != "both" else CLIENTS[0],
        records=given.records,
        faults=given.faults,
        kinds=tuple(dict.fromkeys(Kind(kind) for kind in given.only)) if given.only else usual.kinds,
        in_flight=given.in_flight,
        settings=dict(setting.split("=", 1) for setting in given.set),
        folder=given.folder,
    )
    clients = CLIENTS if given.client == "both" else (given.client,)
    return Command(options, clients, given.plan, tuple(given.compare))


def _at_least(least: int):
    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"expected at least {least}, got {value}")
        return value

    return number
