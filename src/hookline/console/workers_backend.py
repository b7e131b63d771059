"""The console of a process that runs workers: it asks them all, and makes one answer of theirs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from hookline.console.access import Role
from hookline.console.merging import merged_deliveries, merged_history, merged_partitions, merged_status
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
from hookline.console.routing import Refused
from hookline.engine.records import TopicPartition
from hookline.service.supervisor import Supervisor
from hookline.service.worker import Worker, WorkerSilent
from hookline.telemetry.history import SAMPLE_SECONDS
from hookline.telemetry.masking import printable

_ANSWER_SECONDS = 3.0
_CONFLICT = 409

Answer = TypeVar("Answer", bound=BaseModel)


class WorkersBackend:
    """See `hookline.console.backend.Backend`. A worker that does not answer is left out, and the status says so."""

    def __init__(self, supervisor: Supervisor, trial_seconds: float) -> None:
        """`trial_seconds` is how long a test request may take."""
        self._workers = supervisor.members
        self._trial_seconds = trial_seconds

    async def status(self) -> Status:
        """See `Backend.status`."""
        parts = await self._all(Status, "status")
        return merged_status(parts, {worker.number for worker in self._workers} - parts.keys())

    async def partitions(self) -> Partitions:
        """See `Backend.partitions`."""
        return merged_partitions(await self._all(Partitions, "partitions"))

    async def explain(self, partition: TopicPartition) -> Explanation:
        """See `Backend.explain`."""
        return await self._one_of_all(Explanation, "explain", partition=partition)

    async def deliveries(self, query: DeliveriesQuery, role: Role) -> Deliveries:
        """See `Backend.deliveries`."""
        told = query.since.split(".")
        if len(told) != len(self._workers):
            # From before they were as many as they are now.
            told = ["0"] * len(self._workers)
        parts = {
            worker.number: self._ask(
                worker, Deliveries, "deliveries", query=query.model_copy(update={"since": since}), role=role
            )
            for worker, since in zip(self._workers, told, strict=True)
        }
        return merged_deliveries(await _answered(parts), told, query.limit)

    async def delivery(self, partition: TopicPartition, offset: int, role: Role) -> DeliveryDetail:
        """See `Backend.delivery`."""
        return await self._one_of_all(DeliveryDetail, "delivery", partition=partition, offset=offset, role=role)

    async def history(self, since: float) -> HistoryView:
        """See `Backend.history`."""
        parts = await self._all(HistoryView, "history", since=max(0.0, since - SAMPLE_SECONDS))
        return merged_history(parts.values(), since)

    async def member_id(self) -> str | None:
        """None: the workers are members; see `Backend.member_id`."""
        return None

    async def workers(self) -> list[WorkerItem]:
        """See `Backend.workers`."""
        asked = {worker.number: self._ask_raw(worker, "member_id") for worker in self._workers}
        members = await _answered(asked, needed=False)
        told = await _answered(
            {worker.number: self._ask(worker, Status, "status") for worker in self._workers}, needed=False
        )
        return [
            _worker_item(
                worker,
                members.get(worker.number),
                told[worker.number].partitions if worker.number in told else 0,
            )
            for worker in self._workers
        ]

    async def pause_destination(self) -> Done:
        """See `Backend.pause_destination`."""
        return await self._done_by_all("pause_destination")

    async def resume_destination(self) -> Done:
        """See `Backend.resume_destination`."""
        return await self._done_by_all("resume_destination")

    async def test_destination(self, body: TrialBody, role: Role) -> TrialDone:
        """One worker sends it: see `Backend.test_destination`."""
        reasons = []
        for worker in self._workers:
            try:
                return await self._ask(worker, TrialDone, "test_destination", self._trial_seconds, body=body, role=role)
            except WorkerSilent as error:
                reasons.append(str(error))
        raise _nobody(reasons)

    async def pause(self, partition: TopicPartition) -> Done:
        """See `Backend.pause`."""
        return await self._one_of_all(Done, "pause", partition=partition)

    async def resume(self, partition: TopicPartition) -> Done:
        """See `Backend.resume`."""
        return await self._one_of_all(Done, "resume", partition=partition)

    async def retry_all(self, body: ConfirmBody) -> Done:
        """Each worker is told its own number: see `Backend.retry_all`."""
        waiting = {number: done.count for number, done in (await self._all(Done, "retry_all", body={})).items()}
        total = sum(waiting.values())
        if body.count is None:
            return Done(result=f"{total} records wait for their next attempt. Nothing was changed.", count=total)
        if body.count != total:
            raise Refused(_CONFLICT, f"{total} records wait for their next attempt now, not {body.count}: look again.")
        parts = {
            number: self._ask(self._workers[number], Done, "retry_all", body={"count": count})
            for number, count in waiting.items()
            if count
        }
        count = sum(done.count for done in (await _answered(parts)).values()) if parts else 0
        return Done(result=f"{count} records are tried again at once.", count=count)

    async def retry(self, record: RecordBody) -> Done:
        """See `Backend.retry`."""
        return await self._one_of_all(Done, "retry", record=record)

    async def skip(self, record: RecordBody) -> Done:
        """See `Backend.skip`."""
        return await self._one_of_all(Done, "skip", record=record)

    async def _done_by_all(self, name: str) -> Done:
        """Have all change something; says which did not."""
        parts = await self._all(Done, name)
        first = next(iter(parts.values()))
        silent = sorted({worker.number for worker in self._workers} - parts.keys())
        missing = f" Not by worker {', '.join(map(str, silent))}, which does not answer: do it again." if silent else ""
        return Done(result=f"{first.result}{missing}", count=len(parts))

    async def _all(self, kind: type[Answer], name: str, **arguments: Any) -> dict[int, Answer]:
        """What each worker answers, by its number; raises `Refused` when none does."""
        return await _answered({worker.number: self._ask(worker, kind, name, **arguments) for worker in self._workers})

    async def _one_of_all(self, kind: type[Answer], name: str, **arguments: Any) -> Answer:
        """The answer of the one whom it concerns; others refuse, as they do not have the partition or the record."""
        asked = [self._ask(worker, kind, name, **arguments) for worker in self._workers]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        for answer in answers:
            if not isinstance(answer, BaseException):
                return answer
        silent = [str(answer) for answer in answers if isinstance(answer, WorkerSilent)]
        refused = [answer for answer in answers if isinstance(answer, Refused)]
        for answer in answers:
            if not isinstance(answer, (Refused, WorkerSilent)) and isinstance(answer, BaseException):
                raise answer
        if silent or not refused:
            raise _nobody(silent)
        # Who has it says more than those who do not.
        raise max(refused, key=lambda each: "not assigned" not in each.reason)

    async def _ask(
        self, worker: Worker, kind: type[Answer], name: str, timeout_seconds: float = _ANSWER_SECONDS, **arguments: Any
    ) -> Answer:
        return kind.model_validate(await self._ask_raw(worker, name, timeout_seconds, **arguments))

    async def _ask_raw(
        self, worker: Worker, name: str, timeout_seconds: float = _ANSWER_SECONDS, **arguments: Any
    ) -> Any:
        answer = await worker.ask(name, to_jsonable_python(arguments), timeout_seconds)
        if "refused" in answer:
            status, reason = answer["refused"]
            raise Refused(int(status), str(reason))
        return answer["result"]


async def _answered(asked: Mapping[int, Any], *, needed: bool = True) -> dict[int, Any]:
    """The answers of those who answer. Raises the first refusal, and `Refused` when one is `needed` and none came."""
    answers = dict(zip(asked, await asyncio.gather(*asked.values(), return_exceptions=True), strict=True))
    found, silent = {}, []
    for number, answer in answers.items():
        if isinstance(answer, WorkerSilent):
            silent.append(str(answer))
        elif isinstance(answer, BaseException):
            raise answer
        else:
            found[number] = answer
    if needed and not found:
        raise _nobody(silent)
    return found


def _nobody(reasons: list[str]) -> Refused:
    return Refused(503, f"Not all workers answer: {'; '.join(reasons)}.")


def _worker_item(worker: Worker, member_id: str | None, partitions: int) -> WorkerItem:
    report = worker.report
    ready, detail = (False, "") if report is None else report["ready"]
    state = "running" if report is not None else "starting"
    if not worker.running:
        state = "waiting to be started again"
        detail = f"it ended with {worker.failed_with}" if worker.failed_with is not None else ""
    return WorkerItem(
        number=worker.number,
        pid=worker.process.pid if worker.running and worker.process is not None else None,
        state=state,
        ready=ready and worker.running,
        detail=printable(detail),
        failures=worker.failures,
        member_id=member_id,
        partitions=partitions,
    )
