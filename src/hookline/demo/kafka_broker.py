"""A real Apache Kafka on loopback, started here: for the demo, the tests and the benchmarks.

    async with KafkaBroker() as kafka:       # or, without an event loop: with KafkaBroker() as kafka
        ...kafka.bootstrap...

Ports are free ones, data lie in a folder that is removed afterwards, and the processes end with this one.
"""

from __future__ import annotations

import asyncio
import base64
import shutil
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from hookline.demo import kafka_startup_cache
from hookline.demo.kafka_distribution import KafkaDistribution
from hookline.demo.kafka_listeners import BrokerTls, Listener, scram_arguments, security_properties
from hookline.demo.kafka_node import HOST, KafkaNode, PortTaken, cluster_of, free_ports
from hookline.errors import KafkaUnavailable

__all__ = ["BrokerTls", "KafkaBroker", "Listener"]

_PLAIN = Listener("PLAINTEXT")
_CONTROLLER = Listener("CONTROLLER")
_ATTEMPTS_AT_PORTS = 3
_POLL_SECONDS = 0.05

_DEFAULTS = {
    "process.roles": "broker,controller",
    "controller.listener.names": _CONTROLLER.name,
    "inter.broker.listener.name": _PLAIN.name,
    # Groups and transactions are at hand at once: by default the first of each makes fifty partitions.
    "group.initial.rebalance.delay.ms": "0",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.num.partitions": "4",
    "group.min.session.timeout.ms": "1000",
    # A broker that was killed may register again only when its last session has ended, by default after 9 seconds.
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "4000",
    # Few threads, and no preallocated index of 10 MB a segment: many brokers start on small machines.
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "2",
    "log.index.size.max.bytes": "1048576",
    "log.cleaner.dedupe.buffer.size": "8388608",
    # Compaction and retention begin at once rather than after half a minute.
    "log.initial.task.delay.ms": "100",
    "log.cleaner.backoff.ms": "200",
}


_AUTHORIZER = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",
    "allow.everyone.if.no.acl.found": "true",
}


class KafkaBroker:
    """One broker, or a cluster of several `nodes`, that clients reach at `bootstrap` without any security.

    `listeners` are further addresses, see `servers`; `tls` is needed when one of them has TLS, `users` (name to
    password) are who may log in by PLAIN and SCRAM. With `authorizer` permissions can be taken from these users:
    what has no access control list is open to all, and clients of `bootstrap` may do everything.
    `advertised_ports` says, for a listener's name, which port of loopback clients are told to go on with, one a node:
    that of a proxy, which finds the node itself at `servers`. `properties` go over all others; `heap` is Java's.
    """

    def __init__(
        self,
        *,
        nodes: int = 1,
        num_partitions: int = 4,
        auto_create_topics: bool = False,
        listeners: Sequence[Listener] = (),
        tls: BrokerTls | None = None,
        users: Mapping[str, str] | None = None,
        authorizer: bool = False,
        advertised_ports: Mapping[str, Sequence[int]] | None = None,
        properties: Mapping[str, str] | None = None,
        heap: str = "384m",
        start_timeout_seconds: float = 60.0,
        stop_timeout_seconds: float = 10.0,
    ) -> None:
        self._count = nodes
        self._listeners = (_PLAIN, *listeners)
        self._users = dict(users or {})
        self._advertised_ports = dict(advertised_ports or {})
        self._folder: Path | None = None
        self._heap = heap
        self._start_timeout_seconds = start_timeout_seconds
        self._stop_timeout_seconds = stop_timeout_seconds
        self._ports: list[dict[str, int]] = []
        # One that begins with a dash would be taken for an option by Kafka's tools.
        self.cluster_id = "k" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")[1:]
        self.nodes: list[KafkaNode] = []
        """One a broker; each can be stopped, killed and started alone with `stop_node` and `start_node`."""
        replicas = str(min(3, nodes))
        in_sync = str(min(2, nodes))
        self._properties = {
            **_DEFAULTS,
            "num.partitions": str(num_partitions),
            "auto.create.topics.enable": str(auto_create_topics).lower(),
            "default.replication.factor": replicas,
            "min.insync.replicas": in_sync,
            "offsets.topic.replication.factor": replicas,
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": in_sync,
            "share.coordinator.state.topic.replication.factor": replicas,
            "share.coordinator.state.topic.min.isr": in_sync,
            **(_AUTHORIZER if authorizer else {}),
            **security_properties(self._listeners, tls, self._users),
            **(properties or {}),
        }

    @property
    def bootstrap(self) -> str:
        """The brokers for clients without security, as HOST:PORT, separated by commas."""
        return self.servers(_PLAIN.name)

    def servers(self, listener: str) -> str:
        """The brokers at the listener of this name, as HOST:PORT, separated by commas."""
        return ",".join(f"{HOST}:{ports[listener]}" for ports in self._ports)

    def start(self) -> None:
        """Start it and wait until it answers; raises `KafkaUnavailable` with the end of the log when it does not.

        After `stop` it goes on with the same data on the same ports.
        """
        if self.nodes:
            self._start_all()
            return
        distribution = KafkaDistribution.installed()
        java_options = kafka_startup_cache.java_options(distribution)
        for attempt in range(1, _ATTEMPTS_AT_PORTS + 1):
            try:
                self._lay_out(distribution, java_options)
                self._start_all()
                return
            except PortTaken:
                self.close()
                if attempt == _ATTEMPTS_AT_PORTS:
                    raise
            except BaseException:
                self.close()
                raise

    def stop(self) -> None:
        """Shut all down in good order, within the timeout; data and ports are kept. Twice is once."""
        for node in self.nodes:
            node.ask_to_stop()
        for node in self.nodes:
            node.stop(self._stop_timeout_seconds)

    def kill(self) -> None:
        """End all without any order, as a crash does; data and ports are kept."""
        for node in self.nodes:
            node.kill()

    def stop_node(self, index: int) -> None:
        """Shut one down in good order, as a rolling restart does."""
        self.nodes[index].stop(self._stop_timeout_seconds)

    def start_node(self, index: int) -> None:
        """Start one that was stopped or killed, and wait until all brokers that run know it."""
        deadline = time.monotonic() + self._start_timeout_seconds
        self.nodes[index].launch()
        self.nodes[index].wait_until_started(deadline)
        self._wait_until_joined(deadline)

    def close(self) -> None:
        """End it, and remove what it left on the disk."""
        self.kill()
        self.nodes = []
        self._ports = []
        folder, self._folder = self._folder, None
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        starting = asyncio.create_task(asyncio.to_thread(self.start), name="kafka-start")
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            # A thread cannot be cancelled: what it started is ended when it is done.
            with suppress(KafkaUnavailable):
                await starting
            await asyncio.to_thread(self.close)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.close)

    def _lay_out(self, distribution: KafkaDistribution, java_options: Sequence[str]) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="hookline-kafka-"))
        names = [listener.name for listener in (*self._listeners, _CONTROLLER)]
        ports = iter(free_ports(self._count * len(names)))
        self._ports = [{name: next(ports) for name in names} for _ in range(self._count)]
        voters = ",".join(f"{number}@{HOST}:{own[_CONTROLLER.name]}" for number, own in enumerate(self._ports, start=1))
        self.nodes = [
            KafkaNode(
                distribution,
                self._folder / f"node-{number}",
                {"node.id": str(number), "controller.quorum.voters": voters, **self._addresses(number - 1, own)},
                self._heap,
                java_options,
            )
            for number, own in enumerate(self._ports, start=1)
        ]
        users = scram_arguments(self._listeners, self._users)
        for node in self.nodes:
            node.format(self.cluster_id, users)

    def _addresses(self, index: int, ports: Mapping[str, int]) -> dict[str, str]:
        advertised = {**ports, **{name: others[index] for name, others in self._advertised_ports.items()}}
        protocols = {listener.name: listener.protocol for listener in (*self._listeners, _CONTROLLER)}
        return {
            "listeners": ",".join(f"{name}://{HOST}:{port}" for name, port in ports.items()),
            "advertised.listeners": ",".join(
                f"{listener.name}://{HOST}:{advertised[listener.name]}" for listener in self._listeners
            ),
            "listener.security.protocol.map": ",".join(f"{name}:{protocol}" for name, protocol in protocols.items()),
            **self._properties,
        }

    def _start_all(self) -> None:
        deadline = time.monotonic() + self._start_timeout_seconds
        for node in self.nodes:
            if not node.running:
                node.launch()
        for node in self.nodes:
            node.wait_until_started(deadline)
        self._wait_until_joined(deadline)

    def _wait_until_joined(self, deadline: float) -> None:
        """Wait until each broker that runs knows all that run, and make sure that it is of this cluster."""
        running = [
            (node, ports[_PLAIN.name]) for node, ports in zip(self.nodes, self._ports, strict=True) if node.running
        ]
        for node, port in running:
            while True:
                try:
                    cluster_id, brokers = cluster_of(port, timeout_seconds=5.0)
                except OSError:
                    cluster_id, brokers = None, 0
                if cluster_id not in (None, self.cluster_id):
                    raise PortTaken(f"port {port} answers for another cluster: {cluster_id}")
                if cluster_id is not None and brokers >= len(running):
                    break
                if time.monotonic() > deadline or not node.running:
                    raise KafkaUnavailable(
                        f"the Kafka that we started does not answer; the end of its log:\n{node.log_tail()}"
                    )
                time.sleep(_POLL_SECONDS)
