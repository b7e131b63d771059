"""The topics that dead letters go to: there before the first record is read, or before the first is written."""

from __future__ import annotations

from hookline.errors import WriteFailed
from hookline.kafka.ports import DeadLetterRecord, Sink
from hookline.settings.tree import Settings
from hookline.telemetry.events import Event
from hookline.telemetry.logs import get_logger

_log = get_logger("hookline.service")


class DeadLetterTopics:
    """Writes dead letters to the topic that belongs to their source, which it makes sure of once."""

    def __init__(self, settings: Settings, sink: Sink) -> None:
        self._topic = settings.dead_letter.topic
        self._sink = sink
        self._ensured: set[str] = set()

    def name(self, source_topic: str) -> str:
        """Where the dead letters of a topic go."""
        return self._topic or f"{source_topic}.dead-letter"

    async def ensure(self, source_topic: str) -> bool:
        """Create the topic if it is missing, with as many partitions as its source; False when that is not there yet.

        Raises `KafkaRefused` naming the permission that lacks, `TopicMissing`, `SettingsError`, `KafkaUnavailable`.
        """
        if source_topic in self._ensured:
            return True
        partitions = await self._sink.partition_count(source_topic)
        if partitions is None:
            return False
        name = self.name(source_topic)
        await self._sink.ensure_topic(name, partitions)
        self._ensured.add(source_topic)
        _log.info(Event.DEAD_LETTER_TOPIC_READY, topic=name, partitions=partitions)
        return True

    async def write(self, source_topic: str, letter: DeadLetterRecord) -> str:
        """Write one; returns the topic when all in-sync replicas have it. Raises `WriteFailed`, and as `ensure`."""
        if not await self.ensure(source_topic):
            raise WriteFailed(
                f"{source_topic} is not there any more, so {self.name(source_topic)} can't be made like it"
            )
        name = self.name(source_topic)
        await self._sink.write(name, None, letter)
        return name
