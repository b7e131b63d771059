"""Topics filled with synthetic charging sessions, and what a group left of them."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from benchmarks.errors import BenchmarkError
from benchmarks.scenarios import TopicShape

_TIMEOUT_SECONDS = 30.0
_COMPACTION_TIMEOUT_SECONDS = 180.0
_SEGMENT_SECONDS = 1.0
# Compacted as soon as the broker looks, which it does every 15 seconds.
_COMPACTED = {
    "cleanup.policy": "compact",
    "min.cleanable.dirty.ratio": "0.01",
    "segment.ms": str(int(_SEGMENT_SECONDS * 1000)),
}


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
            self._create(name, shape.partitions, _COMPACTED if shape.hole else {})
            self._fill(name, shape)
            self._made[shape] = name
        return self._made[shape]

    def _create(self, name: str, partitions: int, config: dict[str, str]) -> None:
        admin = AdminClient({"bootstrap.servers": self._servers, "log_level": 3})
        try:
            admin.create_topics([NewTopic(name, partitions, 1, config=config)])[name].result(timeout=_TIMEOUT_SECONDS)
        except KafkaException as error:
            raise BenchmarkError(f"topic {name} could not be made at {self._servers}: {error}") from error

    def empty_topic(self, shape: TopicShape) -> str:
        """The name of a new topic of that shape without any record; raises BenchmarkError likewise."""
        name = f"charging_sessions_steady_{time.time_ns()}"
        self._create(name, shape.partitions, {})
        return name

    def _fill(self, name: str, shape: TopicShape) -> None:
        writer = _Writer(self._servers, name, linger_ms=20)
        for number in range(shape.records):
            if shape.hole and number == shape.records // 2:
                writer.end()
                partition, first = _write_what_is_compacted_away(self._servers, name, shape)
            writer.write(number, value(number, shape.value_bytes), shape)
        writer.end()
        if shape.hole:
            _wait_for_hole(self._servers, name, partition, first, shape.hole)


def _write_what_is_compacted_away(servers: str, topic: str, shape: TopicShape) -> tuple[int, int]:
    """Write `hole` records with the key of the topic's last one; the partition, and the offset of the first."""
    places: list[tuple[int, int]] = []
    key = b"driver-%d" % (shape.records - 1)
    writer = _Writer(servers, topic, linger_ms=100)
    for number in range(shape.hole):
        writer.write_pair(key, b"{}", None if number else lambda partition, offset: places.append((partition, offset)))
    writer.end()
    time.sleep(_SEGMENT_SECONDS * 2)  # the next record then begins a segment, and this one can be compacted
    return places[0]


def _wait_for_hole(servers: str, topic: str, partition: int, first: int, size: int) -> None:
    """Wait until a reader that asks for the second of the superseded records gets the last one or a later one.

    What supersedes that one is in the log's active segment, at which compaction does not look.
    """
    settings = {"bootstrap.servers": servers, "group.id": "nobody", "enable.auto.commit": False}
    give_up = time.monotonic() + _COMPACTION_TIMEOUT_SECONDS
    while time.monotonic() < give_up:
        consumer = Consumer(settings)
        consumer.assign([TopicPartition(topic, partition, first + 1)])
        found = consumer.poll(_TIMEOUT_SECONDS)
        consumer.close()
        if found is not None and found.error() is None and (found.offset() or 0) >= first + size - 1:
            return
        time.sleep(1)
    raise BenchmarkError(f"topic {topic} was not compacted within {_COMPACTION_TIMEOUT_SECONDS:.0f} s")


class _Writer:
    """A producer that remembers what failed."""

    def __init__(self, servers: str, topic: str, linger_ms: float) -> None:
        self._topic = topic
        self._failures: list[KafkaError] = []
        self._queued = 0
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
        self.write_pair(b"driver-%d" % (number % shape.keys), body)

    def write_pair(self, key: bytes, body: bytes, when_written: Callable[[int, int], None] | None = None) -> None:
        """Queue one record likewise; what is called with its partition and offset."""

        def note(error: KafkaError | None, message: Message) -> None:
            self._note(error, message)
            if error is None and when_written is not None:
                when_written(message.partition() or 0, message.offset() or 0)

        self._queued += 1
        while True:
            try:
                self._producer.produce(self._topic, body, key, on_delivery=note if when_written else self._note)
                break
            except BufferError:
                self._producer.poll(0.1)
        if self._queued % 1_000 == 0:
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
