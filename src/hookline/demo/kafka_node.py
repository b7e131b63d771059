"""One process of the Kafka that we start: its folder, its ports, its log, and whether it is really ours."""

from __future__ import annotations

import os
import random
import signal
import socket
import struct
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from hookline.demo import guard
from hookline.demo.kafka_distribution import KafkaDistribution
from hookline.errors import KafkaUnavailable

HOST = "127.0.0.1"

# C1 alone, few heap regions and the serial collector: it starts in half the time, and nobody measures the broker.
_JAVA_OPTIONS = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Djava.net.preferIPv4Stack=true")
_STARTED = "Kafka Server started"
_PORT_TAKEN = "Address already in use"
_POLL_SECONDS = 0.05
_TAIL_LINES = 25
_LOG_SETTINGS = """\
status = error
appender.console.type = Console
appender.console.name = stdout
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d] %p %m (%c)%n
rootLogger.level = INFO
rootLogger.appenderRef.stdout.ref = stdout
"""


class PortTaken(KafkaUnavailable):
    """Another process took a port between our choosing it and the broker's binding it."""


def free_ports(count: int) -> list[int]:
    """Ports that are free now, below those that systems give to outgoing connections, so that a restart finds them."""
    ports: list[int] = []
    for port in random.sample(range(20_000, 32_000), 1_000):
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HOST, port))
            ports.append(port)
        if len(ports) == count:
            return ports
    raise KafkaUnavailable(f"no {count} free ports between 20000 and 32000 on {HOST}")


class KafkaNode:
    """One broker and controller in `folder`, with `properties` as its `server.properties`.

    It is formatted at the first start, keeps its data and its ports through `stop`, `kill` and another `start`, and
    ends with this Python process, whatever happens to that.
    """

    def __init__(
        self,
        distribution: KafkaDistribution,
        folder: Path,
        properties: Mapping[str, str],
        heap: str,
        java_options: Sequence[str] = (),
    ) -> None:
        self._distribution = distribution
        self._folder = folder
        self._heap = heap
        self._java_options = java_options
        self._process: subprocess.Popen[bytes] | None = None
        self._log_offset = 0
        folder.mkdir(parents=True, exist_ok=True)
        lines = {**properties, "log.dirs": str(folder / "data")}
        self._settings = folder / "server.properties"
        self._settings.write_text("".join(f"{name}={value}\n" for name, value in lines.items()), "utf-8")
        self._log_settings = folder / "log4j2.properties"
        self._log_settings.write_text(_LOG_SETTINGS, "utf-8")
        self.log_path = folder / "broker.log"
        self._pid_path = folder / "java.pid"

    @property
    def running(self) -> bool:
        """Whether its process was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id of its Java; raises RuntimeError when it is not running."""
        if not self.running:
            raise RuntimeError("the Kafka node is not running")
        return int(self._pid_path.read_text("ascii"))

    def format(self, cluster_id: str, arguments: Sequence[str]) -> None:
        """Make the data folder, for a cluster of this id; raises `KafkaUnavailable` with what the tool says."""
        command = self._java("kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(self._settings))
        done = subprocess.run(  # noqa: S603
            [*command, *arguments], cwd=self._folder, capture_output=True, text=True, timeout=120, check=False
        )
        if done.returncode:
            text = "\n".join((done.stdout + done.stderr).splitlines()[-_TAIL_LINES:])
            raise KafkaUnavailable(f"Kafka's data folder could not be formatted: {text}")

    def launch(self) -> None:
        """Start the process without waiting for it."""
        self._pid_path.unlink(missing_ok=True)
        self._log_offset = self.log_path.stat().st_size if self.log_path.exists() else 0
        # The shell notes its process id, which Java then keeps.
        command = ["/bin/sh", "-c", 'echo $$ > "$0" && exec "$@"', str(self._pid_path)]
        command += self._java("kafka.Kafka", str(self._settings))
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-I", "-S", guard.__file__, *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                start_new_session=True,
            )

    def wait_until_started(self, deadline: float) -> None:
        """Wait until it says that it serves, until `deadline` of the monotonic clock.

        That line comes after its listeners are bound, which no two processes can be. Raises `PortTaken`, or
        `KafkaUnavailable` with the end of its log.
        """
        while not (started := _STARTED in self._new_log()) and self.running and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        if started:
            return
        ended = "ended" if not self.running else "did not start in time"
        kind = PortTaken if _PORT_TAKEN in self._new_log() else KafkaUnavailable
        raise kind(f"the Kafka that we started {ended}; the end of its log:\n{self.log_tail()}")

    def log_tail(self) -> str:
        """The last lines of its log."""
        if not self.log_path.exists():
            return ""
        with self.log_path.open(encoding="utf-8", errors="replace") as lines:
            return "".join(deque(lines, _TAIL_LINES))

    def ask_to_stop(self) -> None:
        """Tell it to shut down in good order, without waiting for it."""
        self._signal(signal.SIGTERM)

    def stop(self, timeout_seconds: float) -> None:
        """Shut it down in good order, and kill it when that takes longer. Twice is once."""
        self.ask_to_stop()
        self._end(timeout_seconds)

    def kill(self) -> None:
        """End it without any order, as a crash does."""
        self._signal(signal.SIGKILL)
        self._end(guard.GRACE_SECONDS)

    def _signal(self, number: signal.Signals) -> None:
        if not self.running:
            return
        with suppress(ProcessLookupError, FileNotFoundError):
            os.kill(self.pid, number)

    def _end(self, timeout_seconds: float) -> None:
        process, self._process = self._process, None
        if process is None or process.stdin is None:
            return
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout_seconds)
        # The guard now kills what is left of the process group.
        process.stdin.close()
        try:
            process.wait(guard.GRACE_SECONDS + 3.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _new_log(self) -> str:
        with self.log_path.open("rb") as log:
            log.seek(self._log_offset)
            return log.read().decode("utf-8", "replace")

    def _java(self, main: str, *arguments: str) -> list[str]:
        return [
            str(self._distribution.java),
            f"-Xmx{self._heap}",
            *_JAVA_OPTIONS,
            *self._java_options,
            f"-Dlog4j2.configurationFile={self._log_settings.as_uri()}",
            *("-cp", f"{self._distribution.libraries}/*"),
            main,
            *arguments,
        ]


def cluster_of(port: int, timeout_seconds: float) -> tuple[str | None, int]:
    """The cluster id that a broker on `port` of loopback tells, and how many brokers it knows; raises OSError.

    A Metadata request, version 4, for no topic (https://kafka.apache.org/protocol#The_Messages_Metadata), by hand,
    since it is needed without an event loop.
    """
    name = b"hookline"
    request = struct.pack(f">hhih{len(name)}si?", 3, 4, 1, len(name), name, 0, False)
    with socket.create_connection((HOST, port), timeout_seconds) as connection:
        connection.settimeout(timeout_seconds)
        connection.sendall(struct.pack(">i", len(request)) + request)
        stream = connection.makefile("rb")
        size = struct.unpack(">i", _exactly(stream.read(4), 4))[0]
        answer = _exactly(stream.read(size), size)
    at = 8
    (brokers,) = struct.unpack_from(">i", answer, at)
    at += 4
    for _ in range(brokers):
        _, at = _text(answer, at + 4)
        _, at = _text(answer, at + 4)
    cluster_id, _ = _text(answer, at)
    return cluster_id, brokers


def _exactly(data: bytes, size: int) -> bytes:
    if len(data) != size:
        raise ConnectionError("the broker closed the connection")
    return data


def _text(data: bytes, at: int) -> tuple[str | None, int]:
    (length,) = struct.unpack_from(">h", data, at)
    at += 2
    return (None, at) if length < 0 else (data[at : at + length].decode(), at + length)
