"""Topics filled with synthetic charging sessions, and what a group left of them."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from benchmarks.errors import BenchmarkError
from benchmarks.scenarios import TopicShape

_TIMEOUT_SECONDS = 30.0


def value(number: int, size_bytes: int) -> bytes:
    """A charging session as JSON, padded to exactly that size; raises ValueError when it does not fit."""
    session = {
        "session_id": f"session-{number:010d}",
        "driver_token": f"token-{number * 7919 % 1_000_003:08d}",
        "station_id": f"station-{number % 4093:04d}",
        "connector": number % 4,
        "energy_kwh": round(number % 9000 / 100, 2),
        "note": "",
    }
    padding = size_bytes - len(json.dumps(session))
    if padding < 0:
        raise ValueError(f"a value needs at least {size_bytes - padding} bytes, {size_bytes} were asked for")
    session["note"] = "x" * padding
    return json.dumps(session).encode()


class Topics:
    """Makes each topic once in a broker that others do not use meanwhile."""

    def __init__(self, servers: str) -> None:
        self._servers = servers
        self._made: dict[TopicShape, str] = {}

    def topic(self, shape: TopicShape) -> str:
        """The name of a topic of that shape, filled; raises BenchmarkError when the broker does not take it."""
        if shape not in self._made:
            name = f"charging_sessions_{shape.records}_{shape.value_bytes}_{shape.keys}_{time.time_ns()}"
            print(f"filling {name}: {shape.records:,} records of {shape.value_bytes:,} bytes", flush=True)
            self._create(name, shape.partitions)
            self._fill(name, shape)
            self._made[shape] = name
        return self._made[shape]

    def _create(self, name: str, partitions: int) -> None:
        admin = AdminClient({"bootstrap.servers": self._servers, "log_level": 3})
        try:
            admin.create_topics([NewTopic(name, partitions, 1)])[name].result(timeout=_TIMEOUT_SECONDS)
        except KafkaException as error:
            raise BenchmarkError(f"topic {name} could not be made at {self._servers}: {error}") from error

    def empty_topic(self, shape: TopicShape) -> str:
        """The name of a new topic of that shape without any record; raises BenchmarkError likewise."""
        name = f"charging_sessions_steady_{time.time_ns()}"
        self._create(name, shape.partitions)
        return name

    def _fill(self, name: str, shape: TopicShape) -> None:
        filling = _Writer(self._servers, name, linger_ms=20)
        for number in range(shape.records):
            filling.write(number, value(number, shape.value_bytes), shape)
        filling.end()


class _Writer:
    """A producer that remembers what failed."""

    def __init__(self, servers: str, topic: str, linger_ms: float) -> None:
        self._topic = topic
        self._failures: list[KafkaError] = []
        self._producer = Producer(
            {
                "bootstrap.servers": servers,
                "linger.ms": linger_ms,
                "batch.size": 1_000_000,
                "queue.buffering.max.kbytes": 262_144,
                "partitioner": "murmur2_random",  # as Java producers choose partitions
                "log_level": 3,
                "enable.idempotence": True,  # so that no retry changes the number of records
            }
        )

    def write(self, number: int, body: bytes, shape: TopicShape) -> None:
        """Queue one record, waiting for room when the queue is full."""
        key = b"driver-%d" % (number % shape.keys)
        while True:
            try:
                self._producer.produce(self._topic, body, key, on_delivery=self._note)
                break
            except BufferError:
                self._producer.poll(0.1)
        if number % 1_000 == 0:
            self._producer.poll(0)

    def end(self) -> None:
        """Wait until all is written; raises BenchmarkError when it was not."""
        left = self._producer.flush(_TIMEOUT_SECONDS)
        if self._failures or left:
            raise BenchmarkError(
                f"topic {self._topic}: {len(self._failures)} records failed, {left} were not sent: {self._failures[:1]}"
            )

    def _note(self, error: KafkaError | None, _message: object) -> None:
        if error is not None:
            self._failures.append(error)


@contextlib.contextmanager
def written_steadily(servers: str, topic: str, shape: TopicShape, rate: float) -> Iterator[None]:
    """Write the records of a shape at so many a second, from a thread, while the context lasts.

    The value of each says in `written_at` when it was handed to the producer, in seconds since 1970.
    """
    ended = threading.Event()

    def write() -> None:
        writer = _Writer(servers, topic, linger_ms=0)
        started = time.monotonic()
        for number in range(shape.records):
            wait = started + number / rate - time.monotonic()
            if wait > 0 and ended.wait(wait):
                break
            stamped = b'{"written_at": %.6f, ' % time.time()
            writer.write(number, stamped + value(number, shape.value_bytes - len(stamped) + 1)[1:], shape)
        writer.end()

    thread = threading.Thread(target=write, name="steady writer")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def lag(servers: str, group_id: str, topic: str) -> int:
    """How many records of a topic a group has not committed; raises BenchmarkError when the broker does not say."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": group_id, "enable.auto.commit": False})
    try:
        partitions = consumer.list_topics(topic, timeout=_TIMEOUT_SECONDS).topics[topic].partitions
        committed = consumer.committed([TopicPartition(topic, each) for each in partitions], timeout=_TIMEOUT_SECONDS)
        behind = 0
        for partition in committed:
            low, high = consumer.get_watermark_offsets(partition, timeout=_TIMEOUT_SECONDS)
            behind += high - max(partition.offset, low)  # without a commit the offset is negative
    except KafkaException as error:
        raise BenchmarkError(f"the lag of group {group_id} is not known: {error}") from error
    finally:
        consumer.close()
    return behind
