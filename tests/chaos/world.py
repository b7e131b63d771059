"""The parts of a chaos run, and how they are put together, healed and taken apart."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from tests.chaos import cluster
from tests.chaos.control import Control
from tests.chaos.evidence import Window
from tests.chaos.load import Load
from tests.chaos.members import Member
from tests.chaos.options import ChaosOptions
from tests.chaos.processes import ChaosProcess

from hookline.demo.kafka_broker import KafkaBroker, Listener
from hookline.demo.kafka_node import free_ports

BROKERS = 3
TOPIC = "charging_sessions"
_USAGE_SECONDS = 2.0
# On a machine that others use as well.
_BROKER_SECONDS = 180.0
_POLL_SECONDS = 0.02
_LOOK_SECONDS = 0.1
_PROPERTIES = {
    # Leadership goes back to where it was soon after a broker came back.
    "leader.imbalance.check.interval.seconds": "10",
    "offsets.topic.num.partitions": "6",
}


class World:
    """Brokers, proxy, receiver, members and load. An asynchronous context manager: nothing is left of it."""

    def __init__(self, options: ChaosOptions, folder: Path, say: Callable[[str], None]) -> None:
        self.options = options
        self.folder = folder
        self.say = say
        self.windows: list[Window] = []
        self.problems: list[str] = []
        self.started_at = time.monotonic()
        names = [f"m{number}" for number in range(options.members)]
        # One more, that comes and goes.
        self.flapping_name = f"m{options.members}"
        names.append(self.flapping_name)
        count = len(names)
        ports = iter(free_ports(count * (BROKERS + 1) + 3))
        self._proxy_ports = {name: [next(ports) for _ in range(BROKERS)] for name in names}
        self._service_ports = {name: next(ports) for name in names}
        self._receiver_port, receiver_control, proxy_control = next(ports), next(ports), next(ports)
        self.proxy, self.receiver = Control(proxy_control), Control(receiver_control)
        self.journal_path = folder / "journal.jsonl"
        python = [sys.executable, "-m"]
        self._helpers = [
            ChaosProcess("proxy", [*python, "tests.chaos.proxy", str(proxy_control)], folder / "proxy.log", os.environ),
            ChaosProcess(
                "receiver",
                [
                    *python,
                    "tests.chaos.receiver",
                    str(receiver_control),
                    str(self._receiver_port),
                    str(self.journal_path),
                ],
                folder / "receiver.log",
                os.environ,
            ),
        ]
        self.broker = KafkaBroker(
            nodes=BROKERS,
            listeners=[Listener(name.upper()) for name in names],
            advertised_ports={name.upper(): self._proxy_ports[name] for name in names},
            properties=_PROPERTIES,
            heap=options.heap,
            start_timeout_seconds=_BROKER_SECONDS,
        )
        self.members = {name: Member(name, options, folder, TOPIC) for name in names}
        for name, member in self.members.items():
            member.broker_ports = tuple(self._proxy_ports[name])
            member.service_port = self._service_ports[name]
        self.load: Load
        # Broker processes are one fault's at a time.
        self.brokers_lock = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def steady_members(self) -> list[Member]:
        """Those that are there all the time."""
        return [member for member in self.members.values() if member.name != self.flapping_name]

    def seconds(self) -> float:
        """Since the run began."""
        return time.monotonic() - self.started_at

    def broker_links(self, member: str | None) -> list[str]:
        """The proxy's links from one member, or all, to the brokers."""
        names = [member] if member is not None else list(self.members)
        return [f"{name}-broker{index}" for name in names for index in range(BROKERS)]

    def service_links(self, member: str | None) -> list[str]:
        """The proxy's links from one member, or all, to the service."""
        names = [member] if member is not None else list(self.members)
        return [f"{name}-service" for name in names]

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _start(self) -> None:
        for helper in self._helpers:
            await helper.start()
        await self.proxy.connect()
        await self.receiver.connect()
        # The ports are listened on before the brokers choose theirs.
        links = [(link, port, 1) for name in self.members for link, port in self._links(name)]
        await self.proxy.call("open", links=links)
        await self.broker.__aenter__()
        for name in self.members:
            for index, server in enumerate(self.broker.servers(name.upper()).split(",")):
                port = int(server.rpartition(":")[2])
                await self.proxy.call("lead", name=f"{name}-broker{index}", upstream_port=port)
            await self.proxy.call("lead", name=f"{name}-service", upstream_port=self._receiver_port)
        await cluster.create_topic(self.broker.bootstrap, TOPIC, self.options.partitions)
        self.load = Load(self.broker.bootstrap, TOPIC, self.options.partitions, self.options.seed)
        for member in self.steady_members:
            await member.start()
        self._tasks = [
            asyncio.create_task(self._poll_forever(), name="poll"),
            asyncio.create_task(self._note_usage_forever(), name="usage"),
        ]

    def _links(self, name: str) -> list[tuple[str, int]]:
        brokers = [(f"{name}-broker{index}", port) for index, port in enumerate(self._proxy_ports[name])]
        return [*brokers, (f"{name}-service", self._service_ports[name])]

    async def delivered_up_to(self, record_id: int, timeout_seconds: float) -> bool:
        """Wait until the receiver has settled every record below this id; False when it takes longer."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            self.load.raise_failures()
            progress: dict[str, Any] = await self.receiver.call("progress")
            if progress["watermark"] >= record_id:
                return True
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(_LOOK_SECONDS)

    async def heal(self) -> None:
        """Undo whatever a fault may have left."""
        await self.proxy.call("heal")
        await self.receiver.call("behave", behaviour="normal", share=1.0)
        for index, node in enumerate(self.broker.nodes):
            if not node.running:
                self.problems.append(f"broker {index} was not running at the end of the faults")
                await asyncio.to_thread(self.broker.start_node, index)

    async def close(self) -> None:
        """End everything, in whatever state it is."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(member.close() for member in self.members.values()))
        self.proxy.close()
        self.receiver.close()
        await asyncio.gather(*(helper.close() for helper in self._helpers))
        for index, node in enumerate(self.broker.nodes):
            with suppress(OSError):
                (self.folder / f"broker-{index}.log").write_bytes(node.log_path.read_bytes())
        await asyncio.to_thread(self.broker.close)

    async def _poll_forever(self) -> None:
        while True:
            self.load.poll()
            await asyncio.sleep(_POLL_SECONDS)

    async def _note_usage_forever(self) -> None:
        while True:
            by_pid = {member.pid: member for member in self.members.values() if member.running}
            for pid, resident_bytes, cpu_seconds in await _usage(list(by_pid)):
                by_pid[pid].note_usage(resident_bytes, cpu_seconds)
            await asyncio.sleep(_USAGE_SECONDS)


async def _usage(pids: list[int]) -> list[tuple[int, int, float]]:
    """Process id, resident bytes and seconds of processor time of each that is there."""
    if not pids:
        return []
    process = await asyncio.create_subprocess_exec(
        *("ps", "-o", "pid=,rss=,time=", "-p", ",".join(map(str, pids))), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    found = []
    for line in output.decode().splitlines():
        pid, kibibytes, spent = line.split()
        days, _, clock = spent.rpartition("-")
        seconds = 0.0
        for part in clock.split(":"):
            seconds = seconds * 60 + float(part)
        found.append((int(pid), int(kibibytes) * 1024, seconds + 86_400 * int(days or 0)))
    return found


async def gathered(*works: Awaitable[None]) -> None:
    """Await all, also when one fails; then raise its error."""
    results = await asyncio.gather(*works, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
