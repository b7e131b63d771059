"""What brokers take of offset maps is found out with a commit, and whatever they answer nothing is lost."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pytest
from tests.engine.make import DELIVERED, HERE, record

from hookline.engine import offset_map
from hookline.engine.delivery import Delivery
from hookline.engine.engine import Engine
from hookline.engine.options import EngineOptions
from hookline.engine.records import OffsetCommit, TopicPartition
from hookline.errors import CommitDeferred, CommitRejected, KafkaUnavailable
from hookline.service.delivery_service import DeliveryService
from hookline.service.map_probe import MapProbe
from hookline.settings.tree import Settings

SETTLED = [(1, 2), (5, 6)]


class NoSender:
    """Nobody sends here."""

    def send(self, delivery: Delivery) -> None: ...


class Broker:
    """Takes what is no longer than `characters` and `utf8_bytes`, and gives it back through `kept_as`."""

    def __init__(self, characters: int = 4096, utf8_bytes: int = 1 << 20) -> None:
        self.characters = characters
        self.utf8_bytes = utf8_bytes
        self.commits: list[OffsetCommit] = []
        self.trouble: Exception | None = None
        self.keeps = True
        self.spoils_wide = False

    def position(self, partition: TopicPartition) -> int | None:
        return None

    async def commit(self, commits: Mapping[TopicPartition, OffsetCommit]) -> None:
        [commit] = commits.values()
        if self.trouble is not None:
            raise self.trouble
        if len(commit.metadata) > self.characters or len(commit.metadata.encode()) > self.utf8_bytes:
            raise CommitRejected("OFFSET_METADATA_TOO_LARGE")
        self.commits.append(commit)

    async def committed(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, OffsetCommit]:
        commit = self.commits[-1]
        text = commit.metadata if self.keeps else ""
        if self.spoils_wide:
            text = "".join(character if character.isascii() else "?" for character in text)
        return dict.fromkeys(partitions, OffsetCommit(commit.offset, text))


def probed(broker: Broker) -> tuple[Engine, MapProbe]:
    engine = Engine(EngineOptions(), lambda: 0.5, 0.0)
    engine.assignments.assign(HERE, 0, "")
    engine.admit(HERE, [record(n, b"%d" % n) for n in range(8)], 8, 0.0)
    held = {delivery.offset: delivery for delivery in iter(lambda: engine.next(0.0), None)}
    for offset in (1, 5):
        engine.settle(held[offset], DELIVERED, 0.0)
    return engine, MapProbe(engine, broker)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("broker", "wide", "characters"),
    [
        (Broker(), True, 4095),
        (Broker(utf8_bytes=4096), False, 4095),
        (Broker(characters=1000), True, 511),
        (Broker(characters=1000, utf8_bytes=1000), False, 511),
    ],
    ids=["counts characters", "counts bytes", "takes fewer", "takes fewer bytes"],
)
async def test_the_largest_map_that_a_broker_takes_is_found(broker: Broker, wide: bool, characters: int) -> None:
    engine, probe = probed(broker)
    await probe.try_out()
    form = engine.assignments.map_format
    assert (probe.is_done, form.wide, form.limit_characters) == (True, wide, characters)


async def test_every_commit_that_probes_is_a_true_one_and_a_plain_one_follows() -> None:
    broker = Broker()
    engine, probe = probed(broker)
    engine.assignments.acknowledged(engine.assignments.due_commits())
    assert not engine.assignments.due_commits()
    await probe.try_out()
    for commit in broker.commits:
        assert offset_map.decode(commit.metadata, commit.offset) == SETTLED
    [plain] = engine.assignments.due_commits().values()
    assert len(plain.commit.metadata) < 20
    assert offset_map.decode(plain.commit.metadata, 0) == SETTLED


async def test_text_that_comes_back_changed_is_not_used() -> None:
    broker = Broker()
    broker.spoils_wide = True
    engine, probe = probed(broker)
    await probe.try_out()
    assert (engine.assignments.map_format.wide, engine.assignments.map_format.limit_characters) == (False, 4095)


async def test_brokers_that_keep_no_metadata_get_none_and_nothing_waits_for_room_in_it() -> None:
    broker = Broker()
    broker.keeps = False
    engine, probe = probed(broker)
    await probe.try_out()
    assert (probe.is_done, engine.assignments.map_format.limit_characters) == (True, 0)
    [due] = engine.assignments.due_commits().values()
    assert due.commit == (0, "")


@pytest.mark.parametrize("trouble", [CommitDeferred("a rebalance"), KafkaUnavailable("no answer")])
async def test_what_gets_no_answer_is_asked_again_at_the_next_commit(trouble: Exception) -> None:
    broker = Broker()
    engine, probe = probed(broker)
    broker.trouble = trouble
    await probe.try_out()
    assert not probe.is_done
    broker.trouble = None
    await probe.try_out()
    assert (probe.is_done, engine.assignments.map_format.wide) == (True, True)


async def test_an_assignment_that_ended_meanwhile_says_nothing() -> None:
    broker = Broker()
    engine, probe = probed(broker)
    committed = broker.committed

    async def after_a_rebalance(partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, OffsetCommit]:
        engine.revoke([HERE])
        engine.assignments.assign(HERE, 0, "")
        return dict.fromkeys(partitions, OffsetCommit(0, "what the other owner committed"))

    broker.committed = after_a_rebalance  # type: ignore[method-assign]
    await probe.try_out()
    assert not probe.is_done
    broker.committed = committed  # type: ignore[method-assign]
    await probe.try_out()
    assert (probe.is_done, engine.assignments.map_format.wide) == (True, True)


def test_a_refused_commit_makes_maps_shorter_until_there_are_none() -> None:
    engine, probe = probed(Broker())
    form = engine.assignments.map_format
    lengths = [form.limit_characters]
    while probe.shorten({HERE: OffsetCommit(0, "x" * lengths[-1])}, "too large"):
        lengths.append(form.limit_characters)
    assert lengths == [4095, 2047, 1023, 511, 255, 127, 0]
    assert probe.is_done


async def test_a_commit_whose_map_is_refused_is_made_again_at_once() -> None:
    broker = Broker()
    service = DeliveryService(Settings(), source=broker, sender=NoSender(), sink=None)  # type: ignore[arg-type]
    engine = service.engine
    engine.assignments.assign(HERE, 0, "")
    engine.admit(HERE, [record(n, b"%d" % n) for n in range(500)], 500, 0.0)
    under_way = list(iter(lambda: engine.next(0.0), None))
    while under_way:
        for delivery in under_way:
            if delivery.offset != 0 and delivery.offset % 7:
                engine.settle(delivery, DELIVERED, 0.0)
        under_way = list(iter(lambda: engine.next(0.0), None))
    broker.characters = 70
    ownership = service._ownership
    await ownership.commit_once()
    assert ownership.trouble() == ""
    first = broker.commits[0]
    assert 0 < len(first.metadata) <= 70
    kept = offset_map.decode(first.metadata, first.offset)
    settled = next(iter(engine.assignments)).ledger.settled_ranges()
    assert kept == settled[: len(kept)] != []
    assert service.measurements.commit_failures == 0
