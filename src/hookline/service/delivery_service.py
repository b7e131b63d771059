"""The service: one engine between a source, a sender and a sink, from start to drain."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from hookline.engine.adaptive_engine import make_engine
from hookline.engine.records import TopicPartition
from hookline.engine.reporting import explain
from hookline.engine.status import EngineStatus
from hookline.engine.steering import Steering
from hookline.errors import HooklineError, SourceFatal
from hookline.http.adapters import make_sender
from hookline.http.ports import Sender
from hookline.http.trace_context import Traces
from hookline.kafka.adapters import make_sink, make_source
from hookline.kafka.ports import Sink, Source
from hookline.service.dead_letter_topics import DeadLetterTopics
from hookline.service.dead_letter_writer import DeadLetterWriter
from hookline.service.engine_options import engine_options
from hookline.service.fetch_loop import FetchLoop
from hookline.service.fleet_share import FleetShare
from hookline.service.ownership import Ownership
from hookline.service.record_path import RecordPath
from hookline.service.spans import make_spans, make_traces
from hookline.service.standstill import Standstill
from hookline.service.watch import Watch
from hookline.settings.tree import Settings
from hookline.settings.written import shown_url
from hookline.telemetry.events import Event
from hookline.telemetry.insight import Insight
from hookline.telemetry.logs import adopt_structlog, get_logger
from hookline.telemetry.measurements import Measurements
from hookline.version import __version__, is_compiled

Result = TypeVar("Result")

_TICK_SECONDS = 0.05
_STOP_SECONDS = 10.0
_STANDSTILL_SECONDS = 60.0
"""A shorter one may be a broker that restarts."""
_log = get_logger("hookline.service")


class DeliveryService:
    """Delivers records until it is stopped. `run` may be called once.

    The ports are made from the settings unless they are given. `clock` is in seconds, never goes back and agrees with
    the event loop's; `wall_clock` is in seconds since 1970; `random` gives numbers from 0 to 1, for the jitter of
    retries. Raises `SettingsError` for settings that no request or client can be made of.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        source: Source | None = None,
        sender: Sender | None = None,
        sink: Sink | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        random: Callable[[], float] = random.random,
        traces: Traces | None = None,
    ) -> None:
        adopt_structlog()
        self.settings = settings
        self._clock = clock
        self.wall_clock = wall_clock
        self.measurements = Measurements()
        self.insight = Insight()
        self.started_at = wall_clock()
        self.source = source if source is not None else make_source(settings.kafka)
        traces = traces or make_traces(settings)
        self._sender = sender if sender is not None else make_sender(settings, traces)
        self._sink = sink if sink is not None else make_sink(settings.kafka, settings.dead_letter)
        self.engine = make_engine(engine_options(settings), random, clock())
        self._dead_letter_topics = DeadLetterTopics(settings, self._sink)
        # Nobody could look at them.
        recent = self.insight.deliveries if settings.console.listen else None
        self._spans = make_spans(settings, traces, self.measurements)
        self._dead_letters = DeadLetterWriter(
            settings, self.engine, self._dead_letter_topics, self.measurements, traces, recent, self._spans, clock
        )
        self._path = RecordPath(
            settings,
            self.engine,
            self.source,
            self._sender,
            self._dead_letters,
            self.measurements,
            traces,
            recent,
            self._spans,
            clock,
            wall_clock,
        )
        self._fetching = FetchLoop(self.engine, self.source, self._path, self.measurements, clock)
        self._fleet_share = FleetShare(settings, self.engine, self._sink, clock)
        self._ownership = Ownership(
            settings,
            self.engine,
            self.source,
            self._sender,
            self._path,
            self.measurements,
            self.insight.changes,
            clock,
            wall_clock,
            self._fleet_share.update,
        )
        self._standstill = Standstill(
            self.engine, self.source, self.measurements, lambda: self._ownership.acknowledged_at
        )
        self._watch = Watch(
            settings, self.engine, self.source, self.measurements, self.insight, self._standstill, clock, wall_clock
        )
        self._stop_asked = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._ticked_at = self._clock()
        self._joined = False

    @property
    def client_name(self) -> str:
        """The Kafka client in use."""
        return self.settings.kafka.client

    @property
    def sender_name(self) -> str:
        """The sender in use."""
        return type(self._sender).__name__.removesuffix("Sender").lower()

    async def run(self) -> None:
        """Start, deliver until `request_stop`, drain, commit and leave the group.

        Raises a `HooklineError` when it can't start or go on; what was settled is committed then too, if possible.
        """
        self._running = asyncio.current_task()
        started = self._clock()
        side_tasks: list[asyncio.Task[None]] = []
        try:
            if await self._unless_stopped(self._start()):
                side_tasks = [
                    asyncio.create_task(self._fetching.run(), name="fetch"),
                    asyncio.create_task(self._ownership.commit_forever(), name="commit"),
                    asyncio.create_task(self._tick_forever(), name="tick"),
                    asyncio.create_task(self._fleet_share.keep_counting(), name="partitions"),
                ]
                await self._deliver(side_tasks)
        finally:
            for task in side_tasks:
                task.cancel()
            await asyncio.gather(*side_tasks, return_exceptions=True)
            await self._close()
        counts = self.engine.counts
        seconds = round(self._clock() - started, 3)
        dead_lettered = counts.dead_lettered.total() + counts.expired
        _log.info(Event.STOPPED, delivered=counts.delivered, dead_lettered=dead_lettered, seconds=seconds)

    def request_stop(self) -> None:
        """Finish what is under way, commit and end `run`. Twice is once."""
        self._stop_asked.set()

    def abort(self) -> None:
        """End `run` at once; what is not committed is delivered again."""
        if self._running is not None:
            self._running.cancel()

    async def reload(self) -> None:
        """Read secrets and certificates again, and try a destination that is stopped or down at once."""
        try:
            if await self._sender.reload():
                _log.info(Event.CREDENTIALS_CHANGED)
                self.insight.changes.note(self.wall_clock(), "credentials", "Secrets or certificates were read again.")
        except HooklineError as error:
            _log.error(Event.CREDENTIALS_NOT_READ, problem=str(error))
        self._path.resume_destination()

    def status(self) -> EngineStatus:
        """What the engine tells about itself now."""
        self._copy_connection_counts()
        return self._watch.status()

    def lag(self) -> dict[TopicPartition, tuple[int | None, float | None]]:
        """Records and seconds behind, for each assigned partition; see `Watch.lag`."""
        return self._watch.lag()

    def explain(self, partition: TopicPartition) -> list[str]:
        """Why a partition stands where it stands, in sentences."""
        return explain(self.engine, partition, self._clock())

    def steer(self, operation: Callable[[Steering, float], Result]) -> Result:
        """Do to the engine what an operator asks for, and what follows from it; raises `OperationRefused`."""
        result = operation(Steering(self.engine), self._clock())
        self._path.tick()
        return result

    def liveness(self) -> tuple[bool, str]:
        """Whether the loop turns and the source polls; and what does not."""
        now, limit = self._clock(), self.settings.console.stall_timeout
        if self._joined and now - self._ticked_at > limit:
            return False, f"the event loop has not turned for {now - self._ticked_at:.0f} s"
        if self._joined and not self._stop_asked.is_set() and now - self._fetching.last_poll_at > limit:
            return False, f"Kafka has not been polled for {now - self._fetching.last_poll_at:.0f} s"
        stands = self._standstill.why_everything_stands(now, max(limit, _STANDSTILL_SECONDS))
        return not stands, stands or "the loop turns and Kafka is polled"

    def readiness(self) -> tuple[bool, str]:
        """Whether it has joined the group, commits are taken and dead letters written, and it is not stopping."""
        if self._stop_asked.is_set():
            return False, "it is stopping"
        if not self._joined:
            return False, "it has not joined the consumer group yet"
        trouble = self._ownership.trouble()
        if trouble:
            return False, trouble
        if self._dead_letters.trouble:
            return False, f"dead letters cannot be written: {self._dead_letters.trouble}"
        return True, f"{len(self.engine.assignments)} partitions are assigned"

    async def _start(self) -> None:
        settings = self.settings
        await self._sender.start(self._path.on_outcome)
        await self._sink.start()
        for topic in settings.kafka.topics:
            await self._dead_letter_topics.ensure(topic)
        await self._fleet_share.count()
        await self.source.start(self._ownership)
        self._joined = True
        self._fetching.last_poll_at = self._clock()
        _log.info(
            Event.SERVICE_STARTED,
            version=__version__,
            compiled=is_compiled(),
            topics=settings.kafka.topics,
            group_id=settings.kafka.group_id,
            url=shown_url(settings.deliver.url),
            order=settings.deliver.order,
            client=self.client_name,
            sender=self.sender_name,
        )

    async def _unless_stopped(self, starting: Coroutine[Any, Any, None]) -> bool:
        """Run the start; False when a stop was asked for before it was done."""
        task = asyncio.create_task(starting, name="start")
        stopping = asyncio.create_task(self._stop_asked.wait(), name="stop asked")
        try:
            await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            if not task.done():
                task.cancel()
                with suppress(asyncio.CancelledError, HooklineError):
                    await task
        if task.cancelled():
            return False
        task.result()
        return not self._stop_asked.is_set()

    async def _deliver(self, side_tasks: list[asyncio.Task[None]]) -> None:
        """Go on until a stop is asked for or one of the tasks fails, and wind down."""
        stopping = asyncio.create_task(self._stop_asked.wait(), name="stop asked")
        done, _ = await asyncio.wait({*side_tasks, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        await self._wind_down(side_tasks, failed=bool(done - {stopping}))
        for task in done - {stopping}:
            task.result()

    async def _tick_forever(self) -> None:
        while True:
            self._ticked_at = self._clock()
            self._ownership.look()
            self._path.tick()
            self._watch.look()
            await asyncio.sleep(_TICK_SECONDS)

    async def _wind_down(self, side_tasks: list[asyncio.Task[None]], failed: bool) -> None:
        """Stop fetching, let what is under way end, commit, and leave the group: the source revokes all as it stops."""
        fetch, commit, *_ = side_tasks
        self._path.sending = False
        fetch.cancel()
        commit.cancel()
        await asyncio.gather(fetch, commit, return_exceptions=True)
        cause = "failure" if failed else "request"
        timeout = self.settings.deliver.drain_timeout
        _log.info(Event.DRAINING, cause=cause, in_flight=self.engine.in_flight, timeout_seconds=timeout)
        try:
            async with asyncio.timeout(timeout + _STOP_SECONDS):
                await self.source.stop()
        except TimeoutError:
            if not failed:
                raise SourceFatal(
                    f"the Kafka client did not leave the group within {timeout + _STOP_SECONDS:g} s; what it has not"
                    " committed is delivered again"
                ) from None

    async def _close(self) -> None:
        self._copy_connection_counts()
        self._path.give_up()
        await self._dead_letters.stop()
        for stop in (self._sender.stop, self.source.stop, self._sink.stop):
            try:
                async with asyncio.timeout(_STOP_SECONDS):
                    await stop()
            except (HooklineError, TimeoutError) as error:
                _log.warning(Event.SERVICE_FAILED, reason=f"closing: {str(error) or type(error).__name__}", exit_code=0)
        if self._spans is not None:
            # Nobody waits longer for a collector than for Kafka.
            with suppress(TimeoutError):
                async with asyncio.timeout(_STOP_SECONDS):
                    await asyncio.to_thread(self._spans.stop)

    def _copy_connection_counts(self) -> None:
        self.measurements.connections_opened = getattr(self._sender, "connections_opened", 0)
        self.measurements.certificate_expires_at = getattr(self._sender, "certificate_expires_at", 0.0)
        self.measurements.connection_retries = getattr(self._sender, "connection_retries", 0)
