"""What can be changed in a delivery service: each change says how many records or partitions it concerns."""

from __future__ import annotations

from hookline.console.models import ConfirmBody, Done, RecordBody, TrialBody, TrialDone
from hookline.console.payloads import payload_text
from hookline.console.routing import Refused
from hookline.engine.records import SourceRecord, TopicPartition
from hookline.engine.steering import Steering
from hookline.engine.verdicts import Answer
from hookline.errors import UnsendableRecord
from hookline.service.delivery_service import DeliveryService
from hookline.telemetry.mask_rules import MaskRules
from hookline.telemetry.masking import mask_text, printable
from hookline.trial.attempt import MEANINGS, attempt

_TRIAL_TOPIC = "hookline-test"
"""What placeholders and `Idempotency-Key` say of a test request."""


class Actions:
    """Changes of one service; all are idempotent."""

    def __init__(self, service: DeliveryService) -> None:
        self._service = service

    async def pause_destination(self) -> Done:
        """Send nothing more."""
        self._service.steer(lambda steering, _now: steering.pause_destination())
        return Done(result="The destination is paused: nothing more is sent until it is resumed.", count=1)

    async def resume_destination(self) -> Done:
        """Send again."""
        self._service.steer(lambda steering, now: steering.resume_destination(now))
        return Done(result="The destination is sent to again; if it was down, one record is tried first.", count=1)

    async def test_destination(self, body: TrialBody, shown: MaskRules | None) -> TrialDone:
        """Send one request that is made of what was given, and of no record; a destination that is down gets it too."""
        record = SourceRecord(_TRIAL_TOPIC, 0, 0, -1, body.key.encode(), body.body.encode(), ())
        try:
            trial = await attempt(self._service.settings, record)
        except UnsendableRecord as error:
            raise Refused(409, f"No request can be made of that: {printable(str(error))}.") from None
        outcome = trial.outcome
        said = f"status {outcome.status}" if isinstance(outcome, Answer) else f"{outcome.kind.value}: {outcome.detail}"
        said = printable(mask_text(said))
        return TrialDone(
            result=f"The service said: {said}, after {trial.seconds:.2f} s. With that {MEANINGS[trial.verdict]}.",
            count=1,
            status=outcome.status if isinstance(outcome, Answer) else None,
            seconds=trial.seconds,
            verdict=trial.verdict.value,
            answer=payload_text(outcome.body, shown) if isinstance(outcome, Answer) else None,
        )

    async def pause(self, partition: TopicPartition) -> Done:
        """Send nothing more of one partition."""
        self._service.steer(lambda steering, _now: steering.pause(partition))
        return Done(result=f"{partition} is paused for as long as this process owns it.", count=1)

    async def resume(self, partition: TopicPartition) -> Done:
        """Send of one partition again."""
        self._service.steer(lambda steering, _now: steering.resume(partition))
        return Done(result=f"{partition} is sent again.", count=1)

    async def retry_all(self, body: ConfirmBody) -> Done:
        """Try again at once all that wait for their next attempt, if `count` says how many these are."""
        waiting = self._service.engine.retrying
        if body.count is None:
            return Done(result=f"{waiting} records wait for their next attempt. Nothing was changed.", count=waiting)
        if body.count != waiting:
            raise Refused(409, f"{waiting} records wait for their next attempt now, not {body.count}: look again.")
        count = self._service.steer(lambda steering, now: steering.retry(now))
        return Done(result=f"{count} records are tried again at once.", count=count)

    async def retry(self, record: RecordBody) -> Done:
        """Try one record again at once."""
        partition, offset = _place_of(record)

        def operation(steering: Steering, now: float) -> int:
            return steering.retry(now, partition, offset)

        count = self._service.steer(operation)
        where = f"{partition} offset {offset}"
        result = f"{where} is tried again at once." if count else f"{where} does not wait for a time: nothing to do."
        return Done(result=result, count=count)

    async def skip(self, record: RecordBody) -> Done:
        """Send one record to the dead letters."""
        partition, offset = _place_of(record)
        self._service.steer(lambda steering, now: steering.skip(partition, offset, now))
        return Done(result=f"{partition} offset {offset} goes to the dead letters.", count=1)


def _place_of(record: RecordBody) -> tuple[TopicPartition, int]:
    return TopicPartition(record.topic, record.partition), record.offset
