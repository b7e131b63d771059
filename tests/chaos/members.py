"""The processes of `hookline run`: started, stopped, watched."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path

import aiohttp
from tests.chaos.evidence import Life
from tests.chaos.options import ChaosOptions
from tests.chaos.processes import ChaosProcess

from hookline.demo.kafka_node import HOST, free_ports

TERMINATE_SECONDS = 40.0
_READY_SECONDS = 2.0
_START_SECONDS = 30.0
_LOOK_SECONDS = 0.1
_NO_CONSOLE = "its console does not answer"
# Partitions that are added are noticed soon.
_METADATA_OPTIONS = {
    "aiokafka": {"metadata_max_age_ms": 3000},
    "librdkafka": {"topic.metadata.refresh.interval.ms": 3000},
}


class Member:
    """One member of the group, through all its processes; `name` is that of its links, too."""

    def __init__(self, name: str, options: ChaosOptions, folder: Path, topic: str) -> None:
        self.name = name
        self._options = options
        self._folder = folder
        self._topic = topic
        self._console_port = 0
        self.broker_ports: tuple[int, ...] = ()
        self.service_port = 0
        self.lives: list[Life] = []
        self.problems: list[str] = []
        self._process: ChaosProcess | None = None
        # A fault that is about this process has it for itself.
        self.lock = asyncio.Lock()

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.running

    async def joined(self, timeout_seconds: float) -> bool:
        """Wait until it is ready; False when it is not by then."""
        deadline = time.monotonic() + timeout_seconds
        while await self.readiness():
            if not self.running or time.monotonic() > deadline:
                return False
            await asyncio.sleep(_LOOK_SECONDS)
        return True

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid if self._process is not None else 0

    async def start(self) -> None:
        """Start its next process."""
        life = f"{self.name}.{len(self.lives) + 1}"
        # Chosen as late as can be: other suites on the machine look for free ports as well.
        (self._console_port,) = free_ports(1)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HOOKLINE_")}
        command = [str(Path(sys.executable).parent / "hookline"), "run"]
        for name, value in self._settings(life).items():
            command += [f"--{name}", value]
        log_path = self._folder / f"member-{life}.log"
        self._process = ChaosProcess(life, command, log_path, environment)
        self.lives.append(Life(life, self.name, time.monotonic()))
        await self._process.start()

    async def kill(self) -> None:
        """End it without any order."""
        await self._end(signal.SIGKILL)

    async def terminate(self) -> None:
        """End it in good order, once it is up: while Python still starts, SIGTERM ends any process with -15."""
        deadline = time.monotonic() + _START_SECONDS
        while self.running and time.monotonic() < deadline and await self.readiness() == _NO_CONSOLE:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_SECONDS)
        await self._end(signal.SIGTERM)

    def freeze(self) -> None:
        """Let it stand still."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def note_usage(self, resident_bytes: int, cpu_seconds: float) -> None:
        """Remember what its process uses now."""
        if self.running:
            self.lives[-1].resident_bytes.append((time.monotonic(), resident_bytes))
            self.lives[-1].cpu_seconds = cpu_seconds

    async def readiness(self) -> str:
        """Empty when it is ready, else why it is not; `_NO_CONSOLE` when nobody answers."""
        url = f"http://{HOST}:{self._console_port}/healthz/ready"
        try:
            async with asyncio.timeout(_READY_SECONDS), aiohttp.ClientSession() as session, session.get(url) as answer:
                return "" if answer.status == 200 else (await answer.text()).strip()
        except (OSError, TimeoutError, aiohttp.ClientError):
            return _NO_CONSOLE

    async def close(self) -> None:
        """Make sure that nothing is left of it."""
        if self._process is not None:
            self._note_end(self._process)
            await self._process.close()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None or not self._process.running:
            self.problems.append(f"{self.name} was to get {number.name} and is not there")
            return
        self._process.send_signal(number)

    async def _end(self, number: signal.Signals) -> None:
        self._signal(number)
        process = self._process
        if process is None:
            return
        life = self.lives[-1]
        life.killed = number is signal.SIGKILL
        if not await process.ended(TERMINATE_SECONDS):
            self.problems.append(f"{life.name} did not end within {TERMINATE_SECONDS:g} s of {number.name}")
            process.send_signal(signal.SIGKILL)
            await process.ended(TERMINATE_SECONDS)
        self._note_end(process)

    def _note_end(self, process: ChaosProcess) -> None:
        self.lives[-1].exit_code = process.exit_code
        # One that ended before it was asked to ended by itself, whatever came later.
        self.lives[-1].asked_to_end = process.asked_to_end or process.exit_code is None

    def _settings(self, life: str) -> dict[str, str]:
        options = self._options
        return {
            "kafka.servers": ",".join(f"{HOST}:{port}" for port in self.broker_ports),
            "kafka.topics": self._topic,
            "kafka.group_id": self._topic,
            "kafka.client": options.client,
            "kafka.session_timeout": f"{options.session_seconds:g}s",
            "kafka.request_timeout": "10s",
            "kafka.options": json.dumps(_METADATA_OPTIONS[options.client]),
            "deliver.url": f"http://{HOST}:{self.service_port}/check",
            "deliver.headers": json.dumps({"X-Life": life}),
            "deliver.in_flight": str(options.in_flight),
            "deliver.timeout": "3s",
            "retry.max_delay": "2s",
            "breaker.max_probe_delay": "2s",
            "commit.records": str(options.commit_records),
            "console.listen": f"{HOST}:{self._console_port}",
            "log.format": "json",
            **options.settings,
        }
