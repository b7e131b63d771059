"""Redrives run once for each Kafka client."""

from __future__ import annotations

import pytest
from tests.support.kafka_tools import KafkaTools

from hookline.demo.kafka_broker import KafkaBroker


@pytest.fixture(params=["aiokafka", "librdkafka"])
def client(request: pytest.FixtureRequest) -> str:
    """The client under test."""
    if request.param == "librdkafka":
        pytest.importorskip("confluent_kafka")
    return str(request.param)


@pytest.fixture
def tools(kafka_broker: KafkaBroker) -> KafkaTools:
    """What a test does to the broker from outside."""
    return KafkaTools(kafka_broker.bootstrap)
