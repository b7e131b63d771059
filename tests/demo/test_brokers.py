"""Which Kafka a demonstration uses."""

import pytest

from hookline.demo import brokers, embedded_broker
from hookline.demo.brokers import open_broker
from hookline.demo.options import DemoOptions
from hookline.errors import KafkaUnavailable


class Kafka:
    bootstrap = "127.0.0.1:29092"

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_error):
        return None


class Cluster:
    """Remembers what is made and taken away; `made` and `removed` are of all clusters of one test."""

    made: list[str]
    removed: list[str]

    def __init__(self, servers: str) -> None:
        self.servers = servers

    async def create_topic(self, topic: str, partitions: int) -> None:
        self.made.append(topic)

    async def remove(self, topics: list[str], group: str) -> list[str]:
        self.removed.extend([*topics, group])
        return [f"group {group} was not deleted: GroupNotEmpty"]


@pytest.fixture
def cluster(monkeypatch):
    kind = type("FreshCluster", (Cluster,), {"made": [], "removed": []})
    monkeypatch.setattr(brokers, "Cluster", kind)
    monkeypatch.setattr(brokers, "KafkaBroker", Kafka)
    return kind


async def test_where_the_embedded_broker_has_no_build_a_real_kafka_is_used_and_that_is_said(cluster, monkeypatch):
    monkeypatch.setattr(brokers, "has_embedded_broker", lambda: False)
    said: list[str] = []
    async with open_broker(DemoOptions(), said.append) as broker:
        assert (broker.servers, broker.embedded) == (Kafka.bootstrap, False)
    assert "no build for this platform" in said[0]
    assert cluster.made == ["charging_sessions"]


async def test_asking_for_a_real_kafka_gives_one_without_excuses(cluster):
    said: list[str] = []
    async with open_broker(DemoOptions(broker="kafka"), said.append) as broker:
        assert broker.servers == Kafka.bootstrap
    assert not any("no build" in sentence for sentence in said)


async def test_asking_for_an_embedded_broker_that_is_not_installed_says_what_to_do(cluster, monkeypatch):
    monkeypatch.setattr(embedded_broker, "has_embedded_broker", lambda: False)
    with pytest.raises(KafkaUnavailable, match="--broker kafka"):
        async with open_broker(DemoOptions(broker="embedded"), lambda sentence: None):
            pass


async def test_on_a_kafka_that_is_there_names_are_unique_and_taken_away_also_after_a_failure(cluster):
    options = DemoOptions(servers="kafka-1:9092,kafka-2:9092")
    said: list[str] = []
    with pytest.raises(RuntimeError, match="planted"):
        async with open_broker(options, said.append) as first:
            raise RuntimeError("planted")
    async with open_broker(options, said.append) as second:
        pass
    assert len({first.topic, first.group} & {second.topic, second.group}) == 0
    assert cluster.made == [first.topic, second.topic]
    for broker in (first, second):
        assert {broker.topic, broker.dead_letter_topic, broker.group} <= set(cluster.removed)
    assert said == [f"group {broker.group} was not deleted: GroupNotEmpty" for broker in (first, second)]


@pytest.mark.parametrize(
    ("options", "limit_seconds", "planned_seconds"),
    [
        (DemoOptions(), 20.0, 20.0),
        (DemoOptions(faults=True), 30.0, 30.0),
        (DemoOptions(records=500, rate=100.0), None, 5.0),
        (DemoOptions(records=500, rate=100.0, seconds=2.0), 2.0, 2.0),
        (DemoOptions(seconds=7.5), 7.5, 7.5),
    ],
)
def test_the_length_of_a_run_follows_from_its_options(options, limit_seconds, planned_seconds):
    assert options.limit_seconds == limit_seconds
    assert options.planned_seconds == planned_seconds
