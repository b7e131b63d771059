"""All that we need of aiokafka and that it does not offer publicly, so that a new release is soon checked.

Written for aiokafka 0.14. `tests/kafka/test_aiokafka_source.py` fails when one of these is no longer there.
"""

# ruff: noqa: SLF001

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Coroutine, Mapping
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, conn
from aiokafka.client import ConnectionGroup
from aiokafka.errors import ProducerClosed
from aiokafka.structs import TopicPartition as ClientPartition

from hookline.engine.records import OffsetCommit
from hookline.kafka.fetched_record import FetchedRecord

_NO_GENERATION = -1
_READ_AHEAD_BYTES = 4 << 20
"""What a connection may have read and not handed over. With the client's 64 KiB it stops and starts reading, with two
system calls each time, for every 128 KiB of an answer that may have megabytes: a fifth of what 100 kB records cost."""


class PartitionState(Protocol):
    """What the client knows about a partition that is assigned; a new object for each assignment."""

    has_valid_position: bool
    position: int
    highwater: int | None
    lso: int | None


def partition_state(consumer: AIOKafkaConsumer, partition: ClientPartition) -> PartitionState:
    """The state of a partition that is assigned now. `position()` of the client is a coroutine, and too slow."""
    state: PartitionState = consumer._subscription.subscription.assignment.state_value(partition)
    return state


def read_large_answers_at_once() -> None:
    """Have connections that are opened from now on go on reading while an answer comes in."""
    conn.READER_LIMIT = _READ_AHEAD_BYTES


async def committed(
    consumer: AIOKafkaConsumer, partitions: Collection[ClientPartition]
) -> dict[ClientPartition, OffsetCommit]:
    """What the group has committed, where it has; `committed()` of the client leaves out the metadata.

    Waits for the coordinator for as long as it takes. Raises aiokafka's errors.
    """
    found: Mapping[ClientPartition, Any] = await consumer._coordinator.fetch_committed_offsets(list(partitions))
    # librdkafka ends the metadata that it commits with a NUL.
    return {p: OffsetCommit(known.offset, (known.metadata or "").rstrip("\0")) for p, known in found.items()}


class _Fetched(OrderedDict[ClientPartition, Any]):
    """What the client has fetched and not handed over, by partition, which makes records of ours when it does.

    Its own are a fifth of what reading costs: each sets eleven attributes in a dictionary of its own.
    """

    def __setitem__(self, partition: ClientPartition, fetched: Any) -> None:
        records = getattr(fetched, "_partition_records", None)
        if records is not None:
            records._consumer_record = FetchedRecord
        super().__setitem__(partition, fetched)


def make_lean_records(consumer: AIOKafkaConsumer) -> None:
    """Have a consumer that was just started make a `FetchedRecord` of each record."""
    consumer._fetcher._records = _Fetched(consumer._fetcher._records)


def unreadable(consumer: AIOKafkaConsumer) -> Collection[ClientPartition]:
    """The partitions at whose records the last call to read failed; the next call forgets it, and fetches them anew.

    Records come out of a generator, which an exception ends while the client still holds it.
    """
    held = {p: getattr(fetched, "_partition_records", None) for p, fetched in consumer._fetcher._records.items()}
    iterators = {p: records._records_iterator for p, records in held.items() if records is not None}
    return {p for p, iterator in iterators.items() if iterator is not None and iterator.gi_frame is None}


def is_member(consumer: AIOKafkaConsumer) -> bool:
    """Whether the group still counts us in, as far as we were told: after an eviction the generation is reset.

    In a revocation callback this is the only difference between partitions revoked and partitions lost.
    """
    return bool(consumer._coordinator.generation != _NO_GENERATION)


def member_id(consumer: AIOKafkaConsumer) -> str | None:
    """What the group calls us, None when it has not told us yet."""
    return str(consumer._coordinator.member_id) or None


def note_poll(consumer: AIOKafkaConsumer) -> None:
    """Count as polling now, for `max_poll_interval_ms`, and raise what the client has to say about the group.

    For a rebalance and for a member without partitions, when records cannot be asked for: the client does not rejoin a
    group while it counts as idle, and holds everything up until its error was looked at.
    """
    with consumer._subscription.fetch_context():
        consumer._coordinator.check_errors()


def coordination_ended(consumer: AIOKafkaConsumer) -> bool:
    """Whether the task that keeps us in the group is over, which no call brings back."""
    return bool(consumer._coordinator._coordination_task.done())


def rejoin(consumer: AIOKafkaConsumer) -> None:
    """Have the client join the group anew, with the usual callbacks."""
    consumer._coordinator.request_rejoin()


async def abandon_consumer(consumer: AIOKafkaConsumer, timeout_seconds: float) -> None:
    """End a consumer whose `stop()` hangs, as it does until a rebalance is over, and leave the group if that can be.

    https://github.com/aio-libs/aiokafka/issues/773
    """
    consumer._closed = True
    coordinator, conns = consumer._coordinator, consumer._client._conns
    tasks = [coordinator._coordination_task, coordinator._heartbeat_task, coordinator._commit_refresh_task]
    await _cancelled([task for task in tasks if task is not None], timeout_seconds)
    # The broker answers one request of a connection after the other, and the one to join may take minutes.
    joining = conns.pop((coordinator.coordinator_id, ConnectionGroup.COORDINATION), None)
    if joining is not None:
        joining.close()
    await _within(timeout_seconds, coordinator._maybe_leave_group())
    # `close()` stumbles over the first of these that was waiting to try again.
    await _cancelled(consumer._fetcher._pending_tasks, timeout_seconds)
    await _within(timeout_seconds, consumer._fetcher.close())
    await _within(timeout_seconds, consumer._client.close())


def sender_ended(producer: AIOKafkaProducer) -> bool:
    """Whether the task that sends is over, after which every write fails."""
    return bool(producer._sender.sender_task.done())


async def abandon_producer(producer: AIOKafkaProducer, timeout_seconds: float) -> None:
    """End a producer and drop what it has not written; `stop()` waits for that as long as it takes."""
    producer._closed = True
    producer._message_accumulator.fail_all(ProducerClosed())
    if producer._sender.sender_task is not None:
        await _cancelled([producer._sender.sender_task], timeout_seconds)
    await _within(timeout_seconds, producer.client.close())


async def _cancelled(tasks: Collection[asyncio.Task[Any]], timeout_seconds: float) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=timeout_seconds)


async def _within(timeout_seconds: float, ending: Coroutine[Any, Any, Any]) -> None:
    """Give it so long; what it raises is of no interest, even a cancellation that comes from inside."""
    task = asyncio.create_task(ending, name="kafka-abandon")
    await asyncio.wait({task}, timeout=timeout_seconds)
    if not task.done():
        task.cancel()
    elif not task.cancelled():
        task.exception()
