"""The process above workers: it starts them, starts them again when they end, passes signals on, and tells of them.

It delivers nothing and knows no Kafka: each worker is `hookline run` in a process of its own, a member of the group. A
worker that ends for whatever reason is started again after a while that doubles. When all of them end with an error of
the same sort as a single process would (settings, Kafka, destination), starting them again helps nobody, and the
supervisor ends with that code.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable

from hookline.errors import DestinationError, KafkaError, SettingsError, WorkersFailed
from hookline.service.worker import Command, Worker
from hookline.telemetry.events import Event
from hookline.telemetry.logs import get_logger
from hookline.telemetry.merging import Family, merged, totals_of
from hookline.version import __version__

_WATCH_SECONDS = 0.5
_FIRST_REPORT_SECONDS = 60.0
"""How long a worker may take to be up, on a busy machine."""
_LEAVE_SECONDS = 20.0
"""More than a worker takes to commit and close when Kafka answers; then it has given up by itself."""
_KILL_SECONDS = 2.0
_NOT_FOR_A_RESTART = frozenset({SettingsError.exit_code, KafkaError.exit_code, DestinationError.exit_code})

_log = get_logger("hookline.service")


class Supervisor:
    """Keeps `workers` processes running until it is stopped. `run` may be called once.

    A worker that reports nothing, or that it stands still, for `stall_seconds` is killed. When asked to stop, workers
    have `drain_seconds` to drain, and some more to leave the group. `clock` is in seconds.
    """

    def __init__(
        self,
        command: Command,
        workers: int,
        *,
        stall_seconds: float,
        drain_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.members = [Worker(number, command, clock) for number in range(workers)]
        """The workers, by their numbers."""
        self._stall_seconds = stall_seconds
        self._stop_seconds = drain_seconds + _LEAVE_SECONDS
        self._clock = clock
        self._ended_totals: list[Family] = []
        self._stopping = asyncio.Event()
        self._failed = asyncio.Event()
        self.restarts = 0

    @property
    def workers(self) -> int:
        """How many there are to be."""
        return len(self.members)

    @property
    def running(self) -> int:
        """How many there are."""
        return sum(worker.running for worker in self.members)

    async def run(self) -> None:
        """Run workers until `request_stop`, and then until all have drained.

        Raises `WorkersFailed` with their exit code when all of them fail as a restart would not help, or when one does
        not end in good order. Cancelled, it ends them at once.
        """
        _log.info(Event.SUPERVISOR_STARTED, version=__version__, workers=self.workers)
        keeping = [asyncio.create_task(self._keep(worker), name=f"keep {worker.number}") for worker in self.members]
        stopping = asyncio.create_task(self._stopping.wait(), name="stop asked")
        failing = asyncio.create_task(self._failed.wait(), name="all failed")
        watching = asyncio.create_task(self._watch_forever(), name="watch workers")
        try:
            await asyncio.wait({*keeping, stopping, failing, watching}, return_when=asyncio.FIRST_COMPLETED)
            for task in (*keeping, watching):
                if task.done():
                    task.result()
            self._stopping.set()
            self._send(signal.SIGTERM)
            await asyncio.wait(keeping, timeout=self._stop_seconds)
        finally:
            self._stopping.set()
            stopping.cancel()
            failing.cancel()
            watching.cancel()
            await self._end(keeping)
        self._raise_failure()

    def request_stop(self) -> None:
        """Let all workers drain, and end `run`. Twice is once."""
        self._stopping.set()

    async def reload(self) -> None:
        """Let all workers read secrets again, and try a destination that is stopped or down."""
        for worker in self.members:
            # One that is only starting reads them anyway, and would be ended by the signal.
            if worker.report is not None:
                worker.send(signal.SIGHUP)

    def liveness(self) -> tuple[bool, str]:
        """Whether all workers that run turn; one that does not is killed and started again."""
        for worker in self.members:
            if worker.running and (reason := self._stands_still(worker)):
                return False, f"worker {worker.number}: {reason}"
        return True, f"{self.running} of {self.workers} workers run"

    def readiness(self) -> tuple[bool, str]:
        """Whether all workers are members of the group and do their work."""
        if self._stopping.is_set():
            return False, "it is stopping"
        for worker in self.members:
            if not worker.running or worker.report is None:
                return False, f"worker {worker.number}: it is being started"
            ready, reason = worker.report["ready"]
            if not ready:
                return False, f"worker {worker.number}: {reason}"
        return True, f"{self.workers} workers run"

    def families(self) -> list[list[Family]]:
        """The latest figures of each worker, and the totals of those that ended."""
        reports = [worker.report for worker in self.members]
        return [self._ended_totals, *(report["families"] for report in reports if report is not None)]

    async def _keep(self, worker: Worker) -> None:
        while not self._stopping.is_set():
            code = await worker.live(self._started)
            self._add_totals(worker)
            if self._stopping.is_set():
                worker.failed_with = _without_signal_of_ours(code)
                return
            delay = worker.ended(code)
            pid = 0 if worker.process is None else worker.process.pid
            _log.error(Event.WORKER_ENDED, worker=worker.number, pid=pid, exit_code=code, restart_in_seconds=delay)
            if all(each.failed_with in _NOT_FOR_A_RESTART for each in self.members):
                self._failed.set()
                return
            try:
                async with asyncio.timeout(delay):
                    await self._stopping.wait()
            except TimeoutError:
                self.restarts += 1
                continue
            if not self._failed.is_set():
                # It had nothing left to finish.
                worker.failed_with = None

    def _started(self, worker: Worker) -> None:
        pid = 0 if worker.process is None else worker.process.pid
        _log.info(Event.WORKER_STARTED, worker=worker.number, pid=pid)
        if self._stopping.is_set():
            worker.send(signal.SIGTERM)

    def _add_totals(self, worker: Worker) -> None:
        if worker.report is not None:
            self._ended_totals = merged([self._ended_totals, totals_of(worker.report["families"])])
            worker.report = None

    async def _watch_forever(self) -> None:
        while True:
            slept_at = self._clock()
            await asyncio.sleep(_WATCH_SECONDS)
            if self._clock() - slept_at > 2 * _WATCH_SECONDS:
                # It was us that stood still: what workers said meanwhile is yet to be read.
                for worker in self.members:
                    worker.heard_at = self._clock()
            for worker in self.members:
                reason = self._stands_still(worker) if worker.running else ""
                if reason and worker.process is not None:
                    _log.error(Event.WORKER_STALLED, worker=worker.number, pid=worker.process.pid, reason=reason)
                    worker.send(signal.SIGKILL)

    def _stands_still(self, worker: Worker) -> str:
        silent = self._clock() - worker.heard_at
        if worker.report is None:
            return "" if silent <= _FIRST_REPORT_SECONDS else f"it has not started within {silent:.0f} s"
        if silent > self._stall_seconds:
            return f"it has reported nothing for {silent:.0f} s"
        live, reason = worker.report["live"]
        return "" if live else reason

    def _send(self, number: signal.Signals) -> None:
        for worker in self.members:
            worker.send(number)

    async def _end(self, keeping: list[asyncio.Task[None]]) -> None:
        """End what is left: those that were told to drain already end at once when told again."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if all(task.done() for task in keeping):
                return
            self._send(number)
            await asyncio.wait(keeping, timeout=_KILL_SECONDS)
        for task in keeping:
            task.cancel()
        await asyncio.gather(*keeping, return_exceptions=True)

    def _raise_failure(self) -> None:
        codes = [worker.failed_with for worker in self.members if worker.failed_with]
        if not codes:
            return
        code = next((code for code in codes if code in _NOT_FOR_A_RESTART), 1)
        which = "all workers" if self._failed.is_set() else "a worker"
        raise WorkersFailed(f"{which} ended with exit code {code}; what each said before tells why.", code)


def _without_signal_of_ours(code: int) -> int | None:
    """What a worker ended with that was told to; before it has a handler, the signal itself ends it, which is well."""
    return None if code in (0, -signal.SIGTERM) else code
