"""Dead letters on the embedded broker."""

from __future__ import annotations

from hookline.kafka.aiokafka_sink import AiokafkaSink
from hookline.settings.kafka import Kafka
from hookline.settings.policy import DeadLetter


class EmbeddedSink(AiokafkaSink):
    """The sink of aiokafka without idempotence, which the embedded broker does not have for this client.

    Version 0.6.0 of it answers the InitProducerId of aiokafka 0.14 (versions 0 and 1) with "unknown error", and that of
    librdkafka (version 4) as it should.
    """

    def __init__(self, kafka: Kafka, dead_letter: DeadLetter) -> None:
        super().__init__(kafka, dead_letter)
        self._options["enable_idempotence"] = False
