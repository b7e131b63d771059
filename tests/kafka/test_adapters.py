"""Choosing the client, without any broker."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pytest

from hookline.engine.records import OffsetCommit, TopicPartition
from hookline.errors import SettingsError
from hookline.kafka.adapters import make_sink, make_source
from hookline.settings.kafka import Kafka
from hookline.settings.policy import DeadLetter


class Listener:
    """Is told nothing."""

    async def on_assigned(self, committed: Mapping[TopicPartition, OffsetCommit]) -> None:
        raise NotImplementedError

    async def on_revoked(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, OffsetCommit]:
        raise NotImplementedError

    def on_lost(self, partitions: Collection[TopicPartition]) -> None:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("client", "source", "sink"),
    [
        ("aiokafka", "AiokafkaSource", "AiokafkaSink"),
        ("librdkafka", "LibrdkafkaSource", "LibrdkafkaSink"),
    ],
)
def test_the_setting_chooses_the_client(client: str, source: str, sink: str) -> None:
    kafka = Kafka.model_validate({"client": client})
    assert type(make_source(kafka)).__name__ == source
    assert type(make_sink(kafka, DeadLetter())).__name__ == sink


@pytest.mark.parametrize("client", ["aiokafka", "librdkafka"])
@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"options": {"no_such_option": 1}}, r"kafka\.options\.no_such_option"),
        ({"security": "tls", "tls": {"ca_file": "/no/such/file"}}, r"kafka\.tls\.ca_file"),
        ({"security": "sasl_plaintext", "sasl": {"mechanism": "PLAIN"}}, r"kafka\.sasl\.username"),
        ({"security": "sasl_plaintext", "sasl": {"mechanism": "OAUTHBEARER"}}, r"kafka\.sasl\.token_file"),
    ],
)
async def test_what_cannot_work_is_said_before_anything_is_reached(client: str, changes: object, named: str) -> None:
    kafka = Kafka.model_validate({"client": client, **changes})  # type: ignore[dict-item]
    with pytest.raises(SettingsError, match=named):
        await make_source(kafka).start(Listener())
