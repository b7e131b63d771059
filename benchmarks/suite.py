"""Runs scenarios in alternation and judges them."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.capacity import follow_scenario, tasks_of
from benchmarks.contenders import CONTENDERS, Task
from benchmarks.errors import BenchmarkError
from benchmarks.measure import Measurement, measure
from benchmarks.receiver import Installation, Receiver, free_port, receiver
from benchmarks.report import Outcome, Pair, Verdict, judge, run_line, table
from benchmarks.restart import measure_restart
from benchmarks.scenarios import Match, Scenario
from benchmarks.topics import Topics, written_steadily
from benchmarks.watchers import watching


class Suite:
    """Scenarios against one broker."""

    def __init__(
        self,
        scenarios: Sequence[Scenario],
        rounds: int,
        servers: str,
        nginx: Installation,
        folder: Path,
        *,
        quick: bool = False,
    ) -> None:
        """Scenarios to run so many rounds against a broker; the runs' files go into `folder`."""
        self._scenarios = scenarios
        self._rounds = rounds
        self._quick = quick
        self._servers = servers
        self._nginx = nginx
        self._folder = folder
        self._topics = Topics(servers)
        matches = [(scenario.ours, *(match.against for match in scenario.matches)) for scenario in scenarios]
        self._names = list(dict.fromkeys(name for names in matches for name in names))
        self._unusable: dict[str, str] = {}
        self._started = 0
        self.runs: dict[str, list[Measurement]] = {}
        """Every run, by scenario."""
        self.verdicts: list[Verdict] = []

    def prepare(self) -> None:
        """Build every contender that takes part, and say which can't."""
        for name in self._names:
            contender = CONTENDERS[name]
            reason = contender.missing()
            if reason is None:
                try:
                    contender.build()
                except BenchmarkError as error:
                    reason = str(error)
            if reason is not None:
                self._unusable[name] = reason
                print(f"skipping {contender.title}: {reason}", flush=True)

    def versions(self) -> dict[str, str]:
        """What the contenders are made with."""
        usable = [name for name in self._names if name not in self._unusable]
        return {name: CONTENDERS[name].version() for name in usable} | {"nginx": self._nginx.version}

    def run(self) -> None:
        """Run all scenarios."""
        for scenario in self._scenarios:
            self._run_scenario(scenario)

    def _run_scenario(self, scenario: Scenario) -> None:
        print(f"\n{scenario.title}: {scenario.topic.records:,} records", flush=True)
        if scenario.phases:
            self.verdicts += self._follow(scenario)
            return
        measured = self.runs.setdefault(scenario.name, [])
        able = [match for match in scenario.matches if not {scenario.ours, match.against} & self._unusable.keys()]
        pairs: dict[Match, list[Pair]] = {match: [] for match in able}
        failures: dict[Match, str] = {}
        if able:
            with contextlib.ExitStack() as stack:
                kinds = {_service_kind(each) for each in (scenario, *map(scenario.seen_by, able))}
                services = {
                    (delay_ms, slow): stack.enter_context(
                        receiver(
                            self._nginx,
                            self._folder / f"{scenario.name}-{delay_ms:g}-{slow:g}",
                            delay_ms,
                            slow,
                            scenario.latencies_since,
                        )
                    )
                    for delay_ms, slow in kinds
                }
                for _ in range(self._rounds):
                    self._run_round(scenario, services, pairs, failures)
        if measured:
            print(table(scenario, measured, {name: each.title for name, each in CONTENDERS.items()}))
        for match in scenario.matches:
            self.verdicts.append(self._verdict(scenario, match, pairs, failures))

    def _follow(self, scenario: Scenario) -> list[Verdict]:
        """A service that goes through phases, with ours alone."""
        if scenario.ours in self._unusable:
            reason = self._unusable[scenario.ours]
            return [Verdict(scenario.name, scenario.ours, "its capacity", Outcome.SKIPPED, reason)]
        folder = self._folder / scenario.name
        with receiver(self._nginx, folder / "service", 0, has_capacity=True) as service:
            task = Task(
                servers=self._servers,
                topic=self._topics.topic(scenario.topic),
                group_id=f"benchmark-{uuid.uuid4()}",
                url=service.url,
                in_flight=scenario.in_flight,
                records=scenario.topic.records,
                console_port=free_port(),
                folder=folder,
            )
            tasks = tasks_of(task, folder, self._rounds)
            return follow_scenario(scenario, CONTENDERS[scenario.ours], tasks, service)

    def _run_round(
        self,
        scenario: Scenario,
        services: Mapping[tuple[float, float], Receiver],
        pairs: dict[Match, list[Pair]],
        failures: dict[Match, str],
    ) -> None:
        """Ours, theirs, ours, theirs; when time is short, ours once and then all of theirs."""
        ours: Measurement | None = None
        for match in pairs:
            if match in failures:
                continue
            try:
                if ours is None or not self._quick:
                    service = services[_service_kind(scenario)]
                    ours = self._run(scenario, scenario.ours, service, scenario.topic.records)
                seen = scenario.seen_by(match)
                records = min(match.records or seen.topic.records, seen.topic.records)
                theirs = self._run(seen, match.against, services[_service_kind(seen)], records, match.label)
            except BenchmarkError as error:
                failures[match] = str(error)
                print(f"  {error}", flush=True)
            else:
                pairs[match].append((ours, theirs))

    def _verdict(
        self, scenario: Scenario, match: Match, pairs: dict[Match, list[Pair]], failures: dict[Match, str]
    ) -> Verdict:
        missing = [self._unusable[name] for name in (scenario.ours, match.against) if name in self._unusable]
        if missing:
            return Verdict(scenario.name, scenario.ours, match.label, Outcome.SKIPPED, missing[0])
        if match in failures:
            return Verdict(scenario.name, scenario.ours, match.label, Outcome.FAILED, failures[match].splitlines()[0])
        return judge(scenario, match, pairs[match])

    def _run(self, scenario: Scenario, name: str, service: Receiver, records: int, label: str = "") -> Measurement:
        contender = CONTENDERS[name]
        measured = self.runs[scenario.name]
        # Also those that failed count, of which there is no measurement.
        self._started += 1
        folder = self._folder / f"{scenario.name}-{self._started:03d}-{name}"
        folder.mkdir()
        task = Task(
            servers=self._servers,
            topic="" if scenario.rate else self._topics.topic(scenario.topic),
            group_id=f"benchmark-{uuid.uuid4()}",
            url=service.tls_url if scenario.tls else service.url,
            in_flight=scenario.in_flight,
            records=records,
            console_port=free_port(),
            folder=folder,
            authority=service.authority if scenario.tls else None,
            timeout_seconds=3 * scenario.slow_seconds or None,
        )
        with contextlib.ExitStack() as stack:
            if scenario.rate:
                task = replace(task, topic=self._topics.empty_topic(scenario.topic))
                stack.enter_context(written_steadily(self._servers, task.topic, scenario.topic, scenario.rate))
            stack.enter_context(watching(task.console_port, scenario.pages))
            how = measure_restart if scenario.killed else measure
            run = replace(how(contender, task, service), contender=label or name)
        measured.append(run)
        print(run_line(contender.title if label in {"", name} else label, run), flush=True)
        return run


def _service_kind(scenario: Scenario) -> tuple[float, float]:
    return scenario.delay_ms, scenario.slow_seconds
