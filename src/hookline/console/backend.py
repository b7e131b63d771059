"""What the console asks and what it can change: of the service in this process, or of workers in others."""

from __future__ import annotations

from typing import Protocol

from hookline.console.access import Role
from hookline.console.actions import Actions
from hookline.console.delivery_views import DeliveryViews
from hookline.console.models import (
    ConfirmBody,
    Deliveries,
    DeliveriesQuery,
    DeliveryDetail,
    Done,
    Explanation,
    HistoryView,
    Partitions,
    RecordBody,
    Status,
    TrialBody,
    TrialDone,
    WorkerItem,
)
from hookline.console.payloads import payload_rules
from hookline.console.views import Views
from hookline.engine.records import TopicPartition
from hookline.service.delivery_service import DeliveryService


class Backend(Protocol):
    """Answers in the models of the HTTP interface. Raises `OperationRefused` and `Refused` with what is wrong.

    `role` says who asks, and so which payloads may be seen.
    """

    async def status(self) -> Status:
        """How all is, in a sentence and in figures."""

    async def partitions(self) -> Partitions:
        """The partitions that are owned."""

    async def explain(self, partition: TopicPartition) -> Explanation:
        """Why a partition stands."""

    async def deliveries(self, query: DeliveriesQuery, role: Role) -> Deliveries:
        """Recent deliveries that pass all filters, the newest first."""

    async def delivery(self, partition: TopicPartition, offset: int, role: Role) -> DeliveryDetail:
        """One delivery with its timeline."""

    async def history(self, since: float) -> HistoryView:
        """The samples that were taken after a moment."""

    async def member_id(self) -> str | None:
        """What the group calls this process; None when it is no member, or not yet."""

    async def workers(self) -> list[WorkerItem]:
        """The workers of this process, none when it does its work itself."""

    async def pause_destination(self) -> Done:
        """Send nothing more."""

    async def resume_destination(self) -> Done:
        """Send again."""

    async def test_destination(self, body: TrialBody, role: Role) -> TrialDone:
        """Send one request that is made of no record."""

    async def pause(self, partition: TopicPartition) -> Done:
        """Send nothing more of one partition."""

    async def resume(self, partition: TopicPartition) -> Done:
        """Send of one partition again."""

    async def retry_all(self, body: ConfirmBody) -> Done:
        """Try again at once all that wait for their next attempt."""

    async def retry(self, record: RecordBody) -> Done:
        """Try one record again at once."""

    async def skip(self, record: RecordBody) -> Done:
        """Send one record to the dead letters."""


class OwnBackend:
    """The service in this process."""

    def __init__(self, service: DeliveryService) -> None:
        self._service = service
        self._shown_to = payload_rules(service.settings.console)
        self._views = Views(service)
        self._deliveries = DeliveryViews(service)
        self._actions = Actions(service)
        self.pause_destination = self._actions.pause_destination
        self.resume_destination = self._actions.resume_destination
        self.pause = self._actions.pause
        self.resume = self._actions.resume
        self.retry_all = self._actions.retry_all
        self.retry = self._actions.retry
        self.skip = self._actions.skip

    async def status(self) -> Status:
        """See `Backend.status`."""
        return self._views.status()

    async def partitions(self) -> Partitions:
        """See `Backend.partitions`."""
        return self._views.partitions()

    async def explain(self, partition: TopicPartition) -> Explanation:
        """See `Backend.explain`."""
        return self._views.explain(partition)

    async def deliveries(self, query: DeliveriesQuery, role: Role) -> Deliveries:
        """See `Backend.deliveries`."""
        return self._deliveries.deliveries(query, self._shown_to(role))

    async def delivery(self, partition: TopicPartition, offset: int, role: Role) -> DeliveryDetail:
        """See `Backend.delivery`."""
        return self._deliveries.delivery(partition, offset, self._shown_to(role))

    async def history(self, since: float) -> HistoryView:
        """See `Backend.history`."""
        return self._views.history(since)

    async def member_id(self) -> str | None:
        """See `Backend.member_id`."""
        return self._service.source.member_id

    async def workers(self) -> list[WorkerItem]:
        """None: see `Backend.workers`."""
        return []

    async def test_destination(self, body: TrialBody, role: Role) -> TrialDone:
        """See `Backend.test_destination`."""
        return await self._actions.test_destination(body, self._shown_to(role))
