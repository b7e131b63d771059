"""What is logged of single records: failures and dead letters, at most a few lines a second."""

from __future__ import annotations

from hookline.engine.delivery import Delivery
from hookline.engine.verdicts import Answer
from hookline.http.trace_context import Traces
from hookline.service.log_rate import LogRate
from hookline.telemetry.events import Event
from hookline.telemetry.logs import get_logger

_LINES_PER_SECOND = 5
_log = get_logger("hookline.delivery")


class RecordLog:
    """Logs what became of records; `each_record` says whether those delivered are logged too.

    `traces` has the trace of each.
    """

    def __init__(self, each_record: bool, traces: Traces) -> None:
        self.each_record = each_record
        self._traces = traces
        self._failures = LogRate(_LINES_PER_SECOND)
        self._dead_letters = LogRate(_LINES_PER_SECOND)
        self._write_failures = LogRate(_LINES_PER_SECOND)

    def delivered(self, delivery: Delivery, answer: Answer) -> None:
        """A record was delivered."""
        _log.info(
            Event.RECORD_DELIVERED,
            **self._where(delivery),
            key=delivery.record.key,
            status=answer.status,
            attempt=delivery.attempt,
        )

    def failed(self, delivery: Delivery, next_at: float | None, now: float) -> None:
        """An attempt failed, and the next is made at `next_at`; nothing is said of a dead letter, which says more."""
        trouble = delivery.trouble
        if trouble is None or trouble.reason is not None or not self._failures.allows(now):
            return
        _log.warning(
            Event.DELIVERY_FAILED,
            **self._where(delivery),
            key=delivery.record.key,
            attempt=trouble.attempts,
            result=trouble.status or trouble.detail.partition(":")[0],
            detail=trouble.detail,
            next_attempt_in_seconds=None if next_at is None else round(max(0.0, next_at - now), 3),
            suppressed=self._failures.take_suppressed(),
        )

    def dead_lettered(self, delivery: Delivery, topic: str, now: float) -> None:
        """A dead letter was acknowledged."""
        trouble = delivery.trouble
        if trouble is None or not self._dead_letters.allows(now):
            return
        _log.warning(
            Event.RECORD_DEAD_LETTERED,
            **self._where(delivery),
            key=delivery.record.key,
            reason=str(trouble.reason),
            detail=trouble.detail,
            attempts=trouble.attempts,
            dead_letter_topic=topic,
            suppressed=self._dead_letters.take_suppressed(),
        )

    def dead_letter_failed(self, delivery: Delivery, topic: str, reason: str, now: float) -> None:
        """A dead letter was not acknowledged."""
        trouble = delivery.trouble
        if trouble is None or not self._write_failures.allows(now):
            return
        next_at = trouble.next_attempt_at
        _log.error(
            Event.DEAD_LETTER_WRITE_FAILED,
            **self._where(delivery),
            dead_letter_topic=topic,
            reason=reason,
            next_attempt_in_seconds=None if next_at is None else round(max(0.0, next_at - now), 3),
        )

    def _where(self, delivery: Delivery) -> dict[str, str | int]:
        partition = delivery.assignment.partition
        return {
            "topic": partition.topic,
            "partition": partition.partition,
            "offset": delivery.offset,
            "trace_id": self._traces.trace(delivery.record).text,
        }
