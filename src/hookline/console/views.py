"""What the console tells of a delivery service that runs in the same process, as the models of its HTTP interface."""

from __future__ import annotations

from collections.abc import Sequence

from hookline.console.models import (
    ChangeItem,
    Destination,
    Explanation,
    HistoryView,
    Oldest,
    Partition,
    Partitions,
    Rates,
    Status,
    Totals,
)
from hookline.console.payloads import key_text
from hookline.engine.records import TopicPartition
from hookline.engine.status import DestinationState, EngineStatus, PartitionStatus
from hookline.errors import OperationRefused
from hookline.service.delivery_service import DeliveryService
from hookline.settings.written import shown_url
from hookline.telemetry.masking import mask_text, printable
from hookline.telemetry.recent_deliveries import RecentDeliveries
from hookline.telemetry.summary import Lag
from hookline.version import __version__

_CHANGES = 10
_ERRORS = 5
_NAMED = 3
_ENOUGH_GROWTH_PER_SECOND = 1.0


class Views:
    """Makes the answers. O(partitions); nothing here runs unless somebody asks."""

    def __init__(self, service: DeliveryService) -> None:
        self._service = service

    def status(self) -> Status:
        """The process as a whole."""
        service = self._service
        engine, lag = service.status(), service.lag()
        records = [behind for behind, _ in lag.values() if behind is not None]
        seconds = [behind for _, behind in lag.values() if behind is not None]
        growth = service.insight.history.lag_growth_per_second()
        healthy, sentence = self._sentence(engine, sum(records) if records else None, growth)
        counts, measurements = engine.counts, service.measurements
        return Status(
            version=__version__,
            healthy=healthy,
            sentence=sentence,
            group_id=service.settings.kafka.group_id,
            topics=list(service.settings.kafka.topics),
            started_at=service.started_at,
            at=service.wall_clock(),
            partitions=len(engine.partitions),
            held_records=engine.held_records,
            held_bytes=engine.held_bytes,
            retrying=engine.retrying,
            dead_letters_pending=engine.dead_letters_pending,
            lag_records=sum(records) if records else None,
            lag_seconds=max(seconds) if seconds else None,
            lag_growth_per_second=growth,
            destination=self._destination(engine),
            rates=self._rates(),
            totals=Totals(
                admitted=counts.admitted,
                delivered=counts.delivered,
                dead_lettered=counts.dead_lettered.total(),
                expired=counts.expired,
                filtered=counts.filtered,
                skipped_as_settled=counts.skipped_as_settled,
                failed_attempts=counts.attempts.total(),
                stale_answers=counts.stale_answers,
                commits=measurements.commits,
                commit_failures=measurements.commit_failures,
            ),
            changes=[
                ChangeItem(at=change.at, kind=change.kind, text=printable(change.text))
                for change in service.insight.changes.latest(_CHANGES)
            ],
        )

    def partitions(self) -> Partitions:
        """All partitions, by topic and number."""
        lag = self._service.lag()
        found = sorted(self._service.status().partitions, key=lambda status: status.partition)
        return Partitions(partitions=[self._partition(status, lag) for status in found])

    def explain(self, partition: TopicPartition) -> Explanation:
        """Why it stands; raises `OperationRefused` when it is not ours."""
        if self._service.engine.assignments.get(partition) is None:
            raise OperationRefused(f"{partition} is not assigned to this process")
        sentences = [printable(mask_text(sentence)) for sentence in self._service.explain(partition)]
        return Explanation(topic=partition.topic, partition=partition.partition, sentences=sentences)

    def history(self, since: float) -> HistoryView:
        """The samples that were taken after a moment."""
        samples = self._service.insight.history.since(since)
        each = [summary for _, summary in samples]
        return HistoryView(
            at=[round(at, 3) for at, _ in samples],
            delivered_per_second=[summary.delivered_per_second for summary in each],
            failed_per_second=[_per_second(summary.failed_attempts, summary.seconds) for summary in each],
            dead_lettered_per_second=[_per_second(summary.dead_lettered, summary.seconds) for summary in each],
            in_flight=[summary.in_flight for summary in each],
            retrying=[summary.retrying for summary in each],
            lag_records=[summary.lag_records for summary in each],
            lag_seconds=[summary.lag_seconds for summary in each],
            attempt_p50_seconds=[summary.attempt_p50_seconds for summary in each],
            attempt_p99_seconds=[summary.attempt_p99_seconds for summary in each],
        )

    def _sentence(self, engine: EngineStatus, lag: int | None, growth: float | None) -> tuple[bool, str]:
        """Whether all is well, and how things are, the worst first."""
        alive, what = self._service.liveness()
        if not alive:
            return False, f"Something stands still: {what}."
        ready, why = self._service.readiness()
        if not ready:
            return False, f"It does not deliver: {printable(why)}."
        if engine.destination not in (DestinationState.CLOSED, DestinationState.RAMPING):
            return False, printable(mask_text(engine.destination_detail))
        halted = [each.partition for each in self._service.engine.assignments if each.halted]
        if halted:
            return False, _paused(sorted(halted), lag)
        return delivering(len(engine.partitions), lag, growth, engine.retrying)

    def _destination(self, engine: EngineStatus) -> Destination:
        measurements = self._service.measurements
        return Destination(
            state=engine.destination.value,
            detail=printable(mask_text(engine.destination_detail)),
            url=shown_url(self._service.settings.deliver.url),
            in_flight=engine.in_flight,
            limit=engine.concurrency_limit,
            limit_detail=engine.limit_explained,
            connections_opened=measurements.connections_opened,
            connection_retries=measurements.connection_retries,
            last_errors=_last_errors(self._service.insight.deliveries),
        )

    def _rates(self) -> Rates | None:
        sample = self._service.insight.history.latest()
        if sample is None:
            return None
        summary = sample.summary
        attempts = summary.delivered + summary.failed_attempts
        return Rates(
            seconds=summary.seconds,
            delivered_per_second=summary.delivered_per_second,
            failed_per_second=_per_second(summary.failed_attempts, summary.seconds),
            success_share=summary.delivered / attempts if attempts else None,
            attempt_p50_seconds=summary.attempt_p50_seconds,
            attempt_p99_seconds=summary.attempt_p99_seconds,
            end_to_end_p50_seconds=summary.end_to_end_p50_seconds,
            end_to_end_p99_seconds=summary.end_to_end_p99_seconds,
        )

    def _partition(self, status: PartitionStatus, lag: Lag) -> Partition:
        service, place = self._service, status.partition
        assignment = service.engine.assignments.get(place)
        room = service.engine.assignments.map_format.capacity_bytes
        behind_records, behind_seconds = lag.get(place, (None, None))
        return Partition(
            topic=place.topic,
            partition=place.partition,
            epoch=status.epoch,
            committed=status.committed,
            watermark=status.watermark,
            position=status.position,
            end=service.source.end_offset(place),
            lag_records=behind_records,
            lag_seconds=behind_seconds,
            held_records=status.held_records,
            held_bytes=status.held_bytes,
            in_flight=status.in_flight,
            paused=printable(status.paused),
            paused_by_operator=assignment is not None and assignment.halted,
            map_fill=min(1.0, status.map_bytes / room) if room else 0.0,
            oldest=self._oldest(status),
        )

    def _oldest(self, status: PartitionStatus) -> Oldest | None:
        oldest = status.oldest
        assignment = self._service.engine.assignments.get(status.partition)
        delivery = assignment.ledger.oldest if assignment is not None else None
        if oldest is None or delivery is None:
            return None
        return Oldest(
            offset=oldest.offset,
            key=key_text(delivery.record.key, None),
            timestamp=oldest.timestamp_ms / 1000 if oldest.timestamp_ms >= 0 else None,
            held_seconds=oldest.held_seconds,
            attempt=oldest.attempt,
            in_flight=oldest.in_flight,
            last_result=printable(mask_text(oldest.last_result)),
            next_attempt_in_seconds=oldest.next_attempt_in_seconds,
        )


def _paused(partitions: Sequence[TopicPartition], lag: int | None) -> str:
    names = ", ".join(map(str, partitions[:_NAMED])) + (" and others" if len(partitions) > _NAMED else "")
    left = f" {counted(lag)} in all are still to come." if lag else ""
    return f"An operator paused {names}: nothing of it is sent.{left}"


def delivering(partitions: int, lag: int | None, growth: float | None, retrying: int) -> tuple[bool, str]:
    """Whether all is well, and how things are, where nothing is wrong but for what these figures tell."""
    if not partitions:
        return True, "It is a member of the group, and has no partitions: others have them all."
    if lag and growth is not None and growth > _ENOUGH_GROWTH_PER_SECOND:
        return False, f"It falls behind: {counted(lag)}, and {growth:,.0f} more each second."
    if retrying:
        return True, f"Records are delivered; {retrying:,} failed and {_are(retrying)} tried again."
    if lag:
        return True, f"Records are delivered; {lag:,} {_are(lag)} still to come."
    return True, "All is delivered: it waits for records."


def counted(records: int) -> str:
    """So many records, in words."""
    return f"{records:,} record{'' if records == 1 else 's'}"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _per_second(count: int, seconds: float) -> float:
    return round(count / seconds, 3) if seconds else 0.0


def _last_errors(recent: RecentDeliveries) -> list[str]:
    errors: list[str] = []
    for trace in recent.since(0):
        for attempt in reversed(trace.attempts):
            if attempt.status is None or not 200 <= attempt.status < 300:
                where = f"{trace.partition} offset {trace.offset}"
                errors.append(f"{where}: {printable(mask_text(attempt.detail)) or f'status {attempt.status}'}")
                break
        if len(errors) == _ERRORS:
            break
    return errors
