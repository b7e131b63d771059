"""The fast sender: HTTP/1.1 over keep-alive connections, with no task, future, lock or timer for a request.

    send ──▶ an idle connection? ──yes──▶ one write ──▶ answer ──▶ idle again, and the outcome
                    │ no                                  ▲
                    ▼                                     │
                 waiting ──▶ connecting (a task for each connection to be opened)

Deadlines are swept in `tick`. All that can be prepared is prepared when settings or secrets are read.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from random import Random

import structlog

from hookline.engine.delivery import Delivery
from hookline.engine.verdicts import Failure, FailureKind, Outcome
from hookline.http.addresses import Address, Clock, Resolver
from hookline.http.answer_reader import AnswerLimits, AnswerReader
from hookline.http.connector import ConnectError, Connector
from hookline.http.failures import connection_failure
from hookline.http.identity import Identity
from hookline.http.ports import OnOutcome
from hookline.http.repeated_answers import RepeatedAnswers
from hookline.http.wire_connection import WireConnection
from hookline.settings.deliver import Deliver

STOP_SECONDS = 2.0
"""How long `stop` waits for closed connections to be gone; the system closes them in any case."""

log = structlog.get_logger("hookline.http")

_Waiting = deque[tuple[Delivery, float]]


class WireSender:
    """Sends over at most `deliver.in_flight` connections, the one used last first, so that the others can idle out.

    `clock` gives seconds and never goes back, `tick` is called with its time; `random` draws trace and span ids;
    `resolver` looks names up. `connections_opened` and `connection_retries` only ever grow.
    """

    def __init__(
        self,
        deliver: Deliver,
        *,
        clock: Clock = time.monotonic,
        random: Random | None = None,
        resolver: Resolver | None = None,
    ) -> None:
        """Raises `SettingsError` for settings that no request can be made with."""
        self.connections_opened = 0
        self.connection_retries = 0
        self._identity = Identity(deliver, random or Random())
        self._render = self._identity.template.request
        self._connector = Connector(
            self._identity.template.destination,
            None,
            connect_seconds=deliver.connect_timeout,
            resolve_every_seconds=deliver.resolve_every,
            clock=clock,
            resolver=resolver,
        )
        self._limits = AnswerLimits(deliver.answer_header_bytes, deliver.answer_body_bytes, self._identity.redact)
        self._repeated = RepeatedAnswers()
        self._in_flight_max = deliver.most_in_flight
        self._timeout_seconds = deliver.timeout
        self._idle_seconds = deliver.idle_timeout
        self._clock = clock
        self._on_outcome: OnOutcome
        self._idle: list[WireConnection] = []
        self._connections: set[WireConnection] = set()
        self._waiting: _Waiting = deque()
        self._waiting_for_fresh: _Waiting = deque()
        self._connecting: set[asyncio.Task[None]] = set()
        self._is_running = False
        self._all_closed = asyncio.Event()

    @property
    def open_connections(self) -> int:
        """How many connections are open now, idle ones included."""
        return len(self._connections)

    async def start(self, on_outcome: OnOutcome) -> None:
        """Read secrets and certificates; raises `SettingsError`. Nothing is connected before it is needed."""
        self._on_outcome = on_outcome
        self._identity.load()
        self._identity.warn()
        self._use_identity()
        self._is_running = True

    def send(self, delivery: Delivery) -> None:
        """Make one attempt; see `Sender.send`."""
        request = self._render(delivery)
        deadline = self._clock() + self._timeout_seconds
        if not self._idle:
            self._wait(self._waiting, delivery, deadline)
            return
        connection = self._idle.pop()
        connection.delivery = delivery
        connection.deadline = deadline
        connection.write(request)

    def cancel(self, delivery: Delivery) -> None:
        """Give up an attempt; costs a look at each connection, which only attempts that are given up pay for."""
        for queue in (self._waiting, self._waiting_for_fresh):
            for entry in queue:
                if entry[0] is delivery:
                    queue.remove(entry)
                    return
        for connection in self._connections:
            if connection.delivery is delivery:
                connection.delivery = None
                connection.abort()
                return

    def tick(self, now: float) -> bool:
        """End attempts whose deadline is over, close connections that idled too long, and look the name up when due.

        True when a secret changed; see `Sender.tick`.
        """
        self._expire_waiting(self._waiting, now)
        self._expire_waiting(self._waiting_for_fresh, now)
        expired: list[tuple[WireConnection, Delivery]] = []
        for connection in self._connections:
            delivery = connection.delivery
            if delivery is not None:
                connection.idle_since = None
                if now >= connection.deadline:
                    expired.append((connection, delivery))
            elif connection.idle_since is None:
                # Idle time begins at the tick that first sees it, so that answers need not look at the clock.
                connection.idle_since = now
            elif now - connection.idle_since >= self._idle_seconds and not connection.is_retired:
                self._drop_idle(connection)
        for connection, delivery in expired:
            # The callback for one of them may cancel others.
            if connection.delivery is delivery:
                self._expire(connection, delivery)
        if self._connections:
            self._refresh_name()
        changed = self._identity.refresh(now)
        if changed:
            self._use_identity()
        return changed

    async def reload(self) -> bool:
        """Read secrets and certificates again; raises `SettingsError`, and then the old ones stay in use."""
        changed = self._identity.load()
        if changed:
            self._use_identity()
        return changed

    async def stop(self) -> None:
        """Close all connections; running attempts get no outcome."""
        self._is_running = False
        self._waiting.clear()
        self._waiting_for_fresh.clear()
        self._idle.clear()
        self._connector.close()
        tasks = list(self._connecting)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for connection in list(self._connections):
            connection.delivery = None
            connection.abort()
        if self._connections:
            self._all_closed.clear()
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await self._all_closed.wait()
            except TimeoutError:
                pass

    # What connections report.

    def answered(self, connection: WireConnection, delivery: Delivery, outcome: Outcome) -> None:
        """An outcome came. The connection is free before the outcome is told, so that the next request can take it."""
        if connection.reader.is_reusable and not connection.is_sending and not connection.is_retired:
            connection.is_reused = True
            connection.idle_since = None
            if self._waiting:
                self._serve(connection, *self._waiting.popleft())
            else:
                self._idle.append(connection)
        else:
            connection.abort()
        self._on_outcome(delivery, outcome)

    def connection_opened(self, connection: WireConnection) -> None:
        """A connection is open; it is given a request once its task goes on."""
        self._connections.add(connection)
        self.connections_opened += 1

    def connection_spoilt(self, connection: WireConnection) -> None:
        """Bytes came that no request had asked for, so nothing that comes later could be trusted."""
        self._forget_idle(connection)
        connection.abort()

    def connection_ended(self, connection: WireConnection, error: Exception | None) -> None:
        """The peer closed or reset a connection; called once or twice for each."""
        self._forget_idle(connection)
        delivery = connection.delivery
        if delivery is None:
            return
        connection.delivery = None
        reset = error is not None
        outcome = connection.reader.end(in_order=not reset)
        if outcome is None and connection.is_reused:
            # Servers close idle connections whenever they like, also just as a request arrives (RFC 9112, section
            # 9.3.1): it is sent once more, on a connection that is new and therefore can't meet with the same.
            self.connection_retries += 1
            self._wait(self._waiting_for_fresh, delivery, connection.deadline)
            return
        if outcome is None:
            outcome = _closed_before(error, "anything of an answer came")
        self._on_outcome(delivery, outcome)

    def connection_closed(self, connection: WireConnection) -> None:
        """A connection is gone for good."""
        self._connections.discard(connection)
        if not self._connections:
            self._all_closed.set()
        self._connect_as_needed()

    # Connections to be opened.

    def _wait(self, queue: _Waiting, delivery: Delivery, deadline: float) -> None:
        queue.append((delivery, deadline))
        self._connect_as_needed()

    def _connect_as_needed(self) -> None:
        if not self._is_running:
            return
        wanted = len(self._waiting) + len(self._waiting_for_fresh)
        room = self._in_flight_max - len(self._connections)
        while len(self._connecting) < min(wanted, room):
            task = asyncio.get_running_loop().create_task(self._connect(), name="hookline-connect")
            self._connecting.add(task)
            task.add_done_callback(self._connect_done)

    def _make_connection(self, address: Address) -> WireConnection:
        return WireConnection(self, AnswerReader(self._limits, self._repeated), address)

    async def _connect(self) -> None:
        task = asyncio.current_task()
        failure: Failure | None = None
        try:
            connection = await self._connector.open(self._make_connection)
        except ConnectError as error:
            failure = error.failure
        except Exception as error:
            # Whatever a loop may raise there, the attempt must have its outcome.
            log.exception("connect_failed_in_an_unforeseen_way")
            failure = connection_failure(error)
        if task is not None:
            self._connecting.discard(task)
        if failure is None and (not connection.is_open or connection.is_retired):
            failure = _closed_before(connection.lost_by, "a request could be sent")
        if failure is None:
            self._connected(connection)
        else:
            self._not_connected(failure)

    def _connect_done(self, task: asyncio.Task[None]) -> None:
        self._connecting.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            # The callback raised: it is shown, as it is when a connection's own callback raises.
            task.get_loop().call_exception_handler(
                {"message": "the outcome of a connection attempt was not taken", "exception": error, "task": task}
            )
        self._connect_as_needed()

    def _connected(self, connection: WireConnection) -> None:
        queue = self._waiting_for_fresh or self._waiting
        if queue:
            self._serve(connection, *queue.popleft())
        else:
            self._idle.append(connection)

    def _not_connected(self, failure: Failure) -> None:
        """One connection could not be opened: an attempt fails, unless those still being opened are enough for all."""
        queue = self._waiting_for_fresh or self._waiting
        if len(self._waiting) + len(self._waiting_for_fresh) > len(self._connecting):
            delivery, _ = queue.popleft()
            self._on_outcome(delivery, failure)

    def _serve(self, connection: WireConnection, delivery: Delivery, deadline: float) -> None:
        connection.delivery = delivery
        connection.deadline = deadline
        # Rendered again rather than kept, so that what waits holds no second copy of its body.
        connection.write(self._render(delivery))

    # Deadlines, idle connections, changed names, secrets and certificates.

    def _expire_waiting(self, queue: _Waiting, now: float) -> None:
        for entry in [entry for entry in queue if now >= entry[1]]:
            if entry in queue:
                queue.remove(entry)
                self._on_outcome(entry[0], Failure(FailureKind.TIMEOUT, "no connection could be had in time"))

    def _expire(self, connection: WireConnection, delivery: Delivery) -> None:
        phase = "the answer was not complete" if connection.reader.has_started else "nothing of an answer came"
        connection.delivery = None
        connection.abort()
        self._on_outcome(delivery, Failure(FailureKind.TIMEOUT, f"{phase} within {self._timeout_seconds:g} s"))

    def _forget_idle(self, connection: WireConnection) -> None:
        if connection in self._idle:
            self._idle.remove(connection)

    def _drop_idle(self, connection: WireConnection) -> None:
        self._forget_idle(connection)
        connection.close()

    def _retire(self, is_outdated: Callable[[WireConnection], bool]) -> None:
        """Close connections that are outdated, those with a request under way after its answer."""
        for connection in [connection for connection in self._connections if is_outdated(connection)]:
            connection.is_retired = True
            if connection.delivery is None:
                self._drop_idle(connection)

    def _refresh_name(self) -> None:
        task = self._connector.refresh()
        if task is not None:
            task.add_done_callback(self._name_refreshed)

    def _name_refreshed(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            self._retire(lambda connection: not self._connector.is_current(connection.address))

    def _use_identity(self) -> None:
        """Take over template and TLS context; connections made with another context are not used again."""
        self._render = self._identity.template.request
        if self._identity.tls is not self._connector.tls:
            self._connector.tls = self._identity.tls
            self._retire(lambda connection: True)


def _closed_before(error: Exception | None, what: str) -> Failure:
    if error is not None:
        return connection_failure(error, f"before {what}")
    return Failure(FailureKind.CLOSED_WITHOUT_ANSWER, f"the connection was closed before {what}")
