"""The doctor before a real Kafka: nothing is written, committed or created."""

from __future__ import annotations

from typing import Any

import pytest
from tests.dead_letters.redriving import make_topics, settings_for
from tests.support.kafka_tools import KafkaTools, Written

from hookline.demo.kafka_broker import KafkaBroker
from hookline.doctor.cluster import check_cluster
from hookline.doctor.finding import Finding, Result
from hookline.engine.records import TopicPartition
from hookline.settings.tree import Settings

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(params=["aiokafka", "librdkafka"])
def client(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def tools(kafka_broker: KafkaBroker) -> KafkaTools:
    return KafkaTools(kafka_broker.bootstrap)


async def examined(settings: Settings) -> dict[str, Finding]:
    return {finding.check: finding async for finding in check_cluster(settings)}


async def test_a_cluster_with_everything_is_well(tools: KafkaTools, client: str) -> None:
    source, dead = await make_topics(tools, 3)
    settings = settings_for(client, tools, source)
    await tools.produce(source, [Written(b"{}", b"key")])
    found = await examined(settings)
    assert {finding.result for finding in found.values()} == {Result.OK}
    assert "3 partitions, 1 offsets" in found[f"topic {source}"].text
    assert "3 partitions" in found[f"dead letters {dead}"].text
    assert await tools.committed(settings.kafka.group_id, source) is None


async def test_a_topic_that_is_missing_is_a_failure_and_none_is_created(tools: KafkaTools, client: str) -> None:
    settings = settings_for(client, tools, "not-there")
    found = await examined(settings)
    assert (found["topic not-there"].result, found["topic not-there"].exit_code) == (Result.FAILURE, 4)
    assert "first start creates it" in found["dead letters not-there.dead-letter"].text


async def test_a_dead_letter_topic_that_nobody_will_create_is_a_warning(tools: KafkaTools, client: str) -> None:
    source = await tools.make_topic()
    found = await examined(settings_for(client, tools, source, dead_letter={"create": False}))
    assert found[f"dead letters {source}.dead-letter"].result is Result.WARNING


async def test_offsets_that_are_gone_are_a_failure(tools: KafkaTools, client: str) -> None:
    source, _ = await make_topics(tools)
    settings = settings_for(client, tools, source)
    await tools.produce(source, [Written(b"{}", b"key")] * 10)
    await tools.commit(settings.kafka.group_id, {TopicPartition(source, 0): 2})
    await tools.delete_records(source, 5)
    found = await examined(settings)
    check = found[f"retention of {source}-0"]
    assert (check.result, "3 offsets are gone" in check.text) == (Result.FAILURE, True)


async def test_no_broker_is_a_failure_and_the_rest_is_not_looked_at(client: str) -> None:
    kafka: Any = {"servers": ["127.0.0.1:1"], "client": client, "request_timeout": 1.0}
    found = await examined(Settings.model_validate({"kafka": kafka}))
    assert set(found) == {"kafka"}
    assert (found["kafka"].result, found["kafka"].exit_code) == (Result.FAILURE, 4)
