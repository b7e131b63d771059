"""The programs that are compared: a class each. Add one here and name it in a scenario.

A contender says what it lacks, builds itself, and gives the command that delivers one topic to one address. It is
told how many records to deliver and ends by itself after them, or is ended by SIGTERM (`ends_itself`).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import urllib.request
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import yaml

from benchmarks.errors import BenchmarkError

_SOURCES = Path(__file__).parent / "peers"
_BUILDS = Path(__file__).parent / ".build"


@dataclass(frozen=True)
class Task:
    """What a contender is to do in one run."""

    servers: str
    """The Kafka broker, HOST:PORT."""
    topic: str
    group_id: str
    """A group that no run used before."""
    url: str
    in_flight: int
    """Requests under way at once."""
    records: int
    """How many to deliver; all of the topic, for a contender that does not end itself."""
    console_port: int
    """A free port, for a contender that serves metrics."""
    folder: Path
    """An empty folder of this run."""
    authority: Path | None = None
    """A certificate to trust, PEM, when `url` begins with https."""
    timeout_seconds: float | None = None
    """How long to wait for an answer, where it may take longer than by default."""

    def environment(self) -> dict[str, str]:
        """The environment of the contender, which has nothing of whoever runs the benchmark."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("HOOKLINE_")}
        # Go and OpenSSL, which Python has its TLS from, both look at this one.
        return inherited | ({"SSL_CERT_FILE": str(self.authority)} if self.authority else {})


class Contender(ABC):
    """A program that delivers records."""

    name: ClassVar[str]
    """What it is called on the command line and in results."""
    title: ClassVar[str]
    """What it is called in reports."""
    tools: ClassVar[tuple[str, ...]] = ()
    """Programs that it needs from PATH to be built and run."""
    ends_itself: ClassVar[bool] = True
    """Whether it ends after the wanted number of records; otherwise SIGTERM ends it, and its lag must be 0 then."""

    def missing(self) -> str | None:
        """What it needs and is not there, or None."""
        absent = [tool for tool in self.tools if not shutil.which(tool)]
        return f"{' and '.join(absent)} not found" if absent else None

    def build(self) -> None:  # noqa: B027 - most have nothing to build
        """Make it ready to run; does nothing when its sources did not change. Raises BenchmarkError."""

    def attempt_p99_ms(self, task: Task) -> float:
        """What it tells, while it runs, of how long its attempts took; 0 for one that tells nothing."""
        del task
        return 0.0

    @abstractmethod
    def command(self, task: Task) -> list[str]:
        """The program and its arguments."""

    @abstractmethod
    def version(self) -> str:
        """The version of what it is made with, for the results."""

    def start(self, task: Task, log: str = "output.log") -> subprocess.Popen[bytes]:
        """Run it in a session of its own; what it says goes to `log` in the task's folder."""
        with Path(task.folder, log).open("wb") as output:
            return subprocess.Popen(
                self.command(task),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=task.folder,
                env=task.environment(),
                start_new_session=True,
            )


def _first_line(*command: str) -> str:
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return (result.stdout or result.stderr).splitlines()[0]


class _Compiled(Contender):
    """A contender that is built from a folder of `peers/`."""

    folder: ClassVar[str]
    """The folder's name there."""
    steps: ClassVar[tuple[tuple[str, ...], ...]]
    """Commands that build it, run in a copy of that folder."""

    @property
    def built(self) -> Path:
        """Where it is built."""
        return _BUILDS / self.folder

    def build(self) -> None:
        source = _SOURCES / self.folder
        files = sorted(file for file in source.rglob("*") if file.is_file())
        digest = hashlib.sha256(b"".join(file.read_bytes() for file in files) + repr(self.steps).encode()).hexdigest()
        stamp = self.built / "built"
        if stamp.exists() and stamp.read_text() == digest:
            return
        shutil.copytree(source, self.built, dirs_exist_ok=True)
        log = self.built / "build.log"
        with log.open("wb") as output:
            for step in self.steps:
                print(f"building {self.title}: {' '.join(step)}", flush=True)
                if subprocess.run(step, cwd=self.built, stdout=output, stderr=output, check=False).returncode:
                    raise BenchmarkError(f"`{' '.join(step)}` failed, see {log}")
        stamp.write_text(digest)


class _Go(_Compiled):
    """franz-go by hand."""

    tools = ("go",)
    folder = "go"
    steps = (("go", "build", "-o", "peer", "."),)
    library: ClassVar[str]

    def command(self, task: Task) -> list[str]:
        return [
            str(self.built / "peer"),
            *("--bootstrap", task.servers),
            *("--topic", task.topic),
            *("--url", task.url),
            *("--concurrency", str(task.in_flight)),
            *("--count", str(task.records)),
            *("--http", self.library),
        ]

    def version(self) -> str:
        return _first_line("go", "version")


class GoNetHttp(_Go):
    """franz-go and the standard library's HTTP client: no order, no commits, no retries."""

    name = "go-net-http"
    title = "Go, net/http"
    library = "net/http"


class GoFastHttp(_Go):
    """franz-go and fasthttp, the fastest client known: no order, no commits, no retries."""

    name = "go-fasthttp"
    title = "Go, fasthttp"
    library = "fasthttp"


class RustHyper(_Compiled):
    """rdkafka, tokio and hyper's pooled client: no order, no commits, no retries."""

    name = "rust-hyper"
    title = "Rust, hyper"
    tools = ("cargo",)
    folder = "rust"
    steps = (("cargo", "build", "--release", "--locked"),)

    def command(self, task: Task) -> list[str]:
        program = str(self.built / "target/release/peer")
        return [program, task.servers, task.topic, task.url, str(task.in_flight), str(task.records)]

    def version(self) -> str:
        return _first_line("rustc", "--version")


class ParallelConsumer(_Compiled):
    """Confluent Parallel Consumer with Vert.x: in order by key, with commits and retries."""

    name = "parallel-consumer"
    title = "Parallel Consumer"
    tools = ("mvn", "javac", "java")
    folder = "parallel-consumer"
    steps = (
        ("mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=libs"),
        ("javac", "-cp", "libs/*", "Peer.java"),
    )

    def command(self, task: Task) -> list[str]:
        class_path = f"{self.built}/libs/*:{self.built}"
        arguments = [task.servers, task.topic, task.url, str(task.in_flight), str(task.records), "KEY", task.group_id]
        return ["java", "-cp", class_path, "Peer", *arguments]

    def version(self) -> str:
        return _first_line("java", "-version")


class DocumentedLoop(Contender):
    """The loop of the documented service: one record after another, a new connection for each."""

    name = "documented-loop"
    title = "the documented loop"

    def command(self, task: Task) -> list[str]:
        program = str(_SOURCES / "documented-loop" / "documented_loop.py")
        return [sys.executable, program, task.servers, task.topic, task.url, str(task.records)]

    def version(self) -> str:
        return f"Python {sys.version.split()[0]}"


class Hookline(Contender):
    """This project, as a user runs it: default settings apart from addresses, client, sender and in-flight.

    Commits, retries, bounds, the JSON check, order by key, the summary log and the metrics' address are on.
    """

    name = "hookline"
    title = "Hookline"
    ends_itself = False
    kafka_settings: ClassVar[dict[str, str]] = {}
    deliver_settings: ClassVar[dict[str, str]] = {}

    @property
    def _program(self) -> Path:
        return Path(sys.executable).parent / "hookline"

    def missing(self) -> str | None:
        return None if os.access(self._program, os.X_OK) else f"{self._program} not found, run `make setup`"

    def settings(self, task: Task) -> dict[str, dict[str, Any]]:
        """What its settings file says."""
        return {
            "kafka": {"servers": [task.servers], "topics": [task.topic], "group_id": task.group_id}
            | self.kafka_settings,
            "deliver": {"url": task.url, "in_flight": task.in_flight}
            | ({"timeout": task.timeout_seconds} if task.timeout_seconds else {})
            | self.deliver_settings,
            "console": {"listen": f"127.0.0.1:{task.console_port}"},
        }

    def attempt_p99_ms(self, task: Task) -> float:
        console = f"http://127.0.0.1:{task.console_port}/api/v1/status"
        with urllib.request.urlopen(console, timeout=10) as answer:
            rates = json.load(answer)["rates"] or {}
            return 1000 * float(rates.get("attempt_p99_seconds") or 0)

    def command(self, task: Task) -> list[str]:
        file = task.folder / "hookline.yaml"
        file.write_text(yaml.safe_dump(self.settings(task)))
        return [str(self._program), "run", "--config", str(file)]

    def version(self) -> str:
        # Interpreters built without profile-guided optimization are slower: figures of two kinds can not be compared.
        options = sysconfig.get_config_var("CONFIG_ARGS") or ""
        build = "optimized" if "--enable-optimizations" in options else "not optimized"
        return f"{_first_line(str(self._program), '--version')}, Python {sys.version.split()[0]} ({build})"


class HooklineAiokafka(Hookline):
    """With aiokafka, whatever the default is."""

    name = "hookline-aiokafka"
    title = "Hookline, aiokafka"
    kafka_settings: ClassVar[dict[str, str]] = {"client": "aiokafka"}


class HooklineLibrdkafka(Hookline):
    """With librdkafka."""

    name = "hookline-librdkafka"
    title = "Hookline, librdkafka"
    kafka_settings: ClassVar[dict[str, str]] = {"client": "librdkafka"}


class HooklineAiohttp(Hookline):
    """With aiohttp in place of the sender written here."""

    name = "hookline-aiohttp"
    title = "Hookline, aiohttp"
    deliver_settings: ClassVar[dict[str, str]] = {"sender": "aiohttp"}


class HooklineLibrdkafkaAiohttp(Hookline):
    """With librdkafka, and aiohttp in place of the sender written here."""

    name = "hookline-librdkafka-aiohttp"
    title = "Hookline, librdkafka, aiohttp"
    kafka_settings: ClassVar[dict[str, str]] = {"client": "librdkafka"}
    deliver_settings: ClassVar[dict[str, str]] = {"sender": "aiohttp"}


class HooklineAdaptive(Hookline):
    """With a limit of requests at once that it finds out."""

    name = "hookline-adaptive"
    title = "Hookline, adaptive"
    deliver_settings: ClassVar[dict[str, str]] = {"in_flight": "adaptive"}


class HooklineSmallMap(Hookline):
    """With offset maps so short that they are full as soon as a few keys stand."""

    name = "hookline-small-map"
    title = "Hookline, short maps"

    def settings(self, task: Task) -> dict[str, dict[str, Any]]:
        return super().settings(task) | {"commit": {"metadata_characters": 64}}


class HooklineWorkers(Hookline):
    """Two worker processes that have as many requests under way together as one has alone."""

    name = "hookline-workers"
    title = "Hookline, 2 workers"

    def settings(self, task: Task) -> dict[str, dict[str, Any]]:
        settings = super().settings(task)
        settings["deliver"]["in_flight"] = max(1, task.in_flight // 2)
        return settings

    def command(self, task: Task) -> list[str]:
        return [*super().command(task), "--workers", "2"]


CONTENDERS: dict[str, Contender] = {
    contender.name: contender
    for contender in (
        Hookline(),
        HooklineAiokafka(),
        HooklineLibrdkafka(),
        HooklineAiohttp(),
        HooklineLibrdkafkaAiohttp(),
        HooklineAdaptive(),
        HooklineSmallMap(),
        HooklineWorkers(),
        DocumentedLoop(),
        GoNetHttp(),
        GoFastHttp(),
        RustHyper(),
        ParallelConsumer(),
    )
}
"""All contenders by name."""
