"""Requests and answers over the open connections of the wire sender, with no task, future, lock or timer for a request.

It opens no connection itself: it says how many it wishes for, and is told of those that are open or could not be had.
Nothing is awaited here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from hookline.engine.delivery import Delivery
from hookline.engine.verdicts import Failure, FailureKind, Outcome
from hookline.http.addresses import Address, Clock
from hookline.http.answer_reader import AnswerLimits, AnswerReader
from hookline.http.failures import connection_failure
from hookline.http.ports import OnOutcome
from hookline.http.repeated_answers import RepeatedAnswers
from hookline.http.requests import RequestTemplate
from hookline.http.wire_connection import WireConnection
from hookline.settings.deliver import Deliver

_Waiting = deque[tuple[Delivery, float]]


class WireExchange:
    """Sends over at most `deliver.in_flight` connections, the one used last first, so that the others can idle out.

    `connections` are those that are open. `more_wished` is called when another one may be needed, `all_closed` when
    the last one is gone. `connections_opened` and `connection_retries` only ever grow.
    """

    def __init__(
        self,
        deliver: Deliver,
        template: RequestTemplate,
        limits: AnswerLimits,
        *,
        clock: Clock,
        more_wished: Callable[[], None],
        all_closed: Callable[[], None],
    ) -> None:
        self.connections: set[WireConnection] = set()
        self.connections_opened = 0
        self.connection_retries = 0
        self.on_outcome: OnOutcome
        self._render = template.request
        self._limits = limits
        self._repeated = RepeatedAnswers()
        self._connections_max = deliver.most_in_flight
        self._timeout_seconds = deliver.timeout
        self._idle_seconds = deliver.idle_timeout
        self._clock = clock
        self._more_wished = more_wished
        self._all_closed = all_closed
        self._idle: list[WireConnection] = []
        self._waiting: _Waiting = deque()
        self._waiting_for_fresh: _Waiting = deque()

    def use(self, template: RequestTemplate) -> None:
        """Render requests with this from now on."""
        self._render = template.request

    def make_connection(self, address: Address) -> WireConnection:
        """The protocol of a connection that is to be opened to there."""
        return WireConnection(self, AnswerReader(self._limits, self._repeated), address)

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
        for connection in self.connections:
            if connection.delivery is delivery:
                connection.delivery = None
                connection.abort()
                return

    def expire(self, now: float) -> None:
        """End attempts whose deadline is over, and close connections that idled too long."""
        self._expire_waiting(self._waiting, now)
        self._expire_waiting(self._waiting_for_fresh, now)
        expired: list[tuple[WireConnection, Delivery]] = []
        for connection in self.connections:
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

    def forget_waiting(self) -> None:
        """Send nothing of what waits; running attempts go on."""
        self._waiting.clear()
        self._waiting_for_fresh.clear()
        self._idle.clear()

    def abort(self) -> None:
        """Close all connections at once; running attempts get no outcome."""
        for connection in list(self.connections):
            connection.delivery = None
            connection.abort()

    def retire(self, is_outdated: Callable[[WireConnection], bool]) -> None:
        """Close connections that are outdated, those with a request under way after its answer."""
        for connection in [connection for connection in self.connections if is_outdated(connection)]:
            connection.is_retired = True
            if connection.delivery is None:
                self._drop_idle(connection)

    # Connections that are opened elsewhere.

    def wished(self) -> int:
        """How many connections should be on their way now."""
        waiting = len(self._waiting) + len(self._waiting_for_fresh)
        return min(waiting, self._connections_max - len(self.connections))

    def connected(self, connection: WireConnection) -> None:
        """A connection was opened, and takes what waits for longest."""
        queue = self._waiting_for_fresh or self._waiting
        if queue:
            self._serve(connection, *queue.popleft())
        else:
            self._idle.append(connection)

    def not_connected(self, failure: Failure, connecting: int) -> None:
        """One could not be opened: an attempt fails, unless the `connecting` others are enough for all that wait."""
        queue = self._waiting_for_fresh or self._waiting
        if len(self._waiting) + len(self._waiting_for_fresh) > connecting:
            delivery, _ = queue.popleft()
            self.on_outcome(delivery, failure)

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
        self.on_outcome(delivery, outcome)

    def connection_opened(self, connection: WireConnection) -> None:
        """A connection is open; it is given a request once its task goes on."""
        self.connections.add(connection)
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
            outcome = closed_before(error, "anything of an answer came")
        self.on_outcome(delivery, outcome)

    def connection_closed(self, connection: WireConnection) -> None:
        """A connection is gone for good."""
        self.connections.discard(connection)
        if not self.connections:
            self._all_closed()
        self._more_wished()

    def _wait(self, queue: _Waiting, delivery: Delivery, deadline: float) -> None:
        queue.append((delivery, deadline))
        self._more_wished()

    def _serve(self, connection: WireConnection, delivery: Delivery, deadline: float) -> None:
        connection.delivery = delivery
        connection.deadline = deadline
        # Rendered again rather than kept, so that what waits holds no second copy of its body.
        connection.write(self._render(delivery))

    def _expire_waiting(self, queue: _Waiting, now: float) -> None:
        for entry in [entry for entry in queue if now >= entry[1]]:
            if entry in queue:
                queue.remove(entry)
                self.on_outcome(entry[0], Failure(FailureKind.TIMEOUT, "no connection could be had in time"))

    def _expire(self, connection: WireConnection, delivery: Delivery) -> None:
        phase = "the answer was not complete" if connection.reader.has_started else "nothing of an answer came"
        connection.delivery = None
        connection.abort()
        self.on_outcome(delivery, Failure(FailureKind.TIMEOUT, f"{phase} within {self._timeout_seconds:g} s"))

    def _forget_idle(self, connection: WireConnection) -> None:
        if connection in self._idle:
            self._idle.remove(connection)

    def _drop_idle(self, connection: WireConnection) -> None:
        self._forget_idle(connection)
        connection.close()


def closed_before(error: Exception | None, what: str) -> Failure:
    """The failure of a connection that was closed, by `error` if there is one, before what was to happen."""
    if error is not None:
        return connection_failure(error, f"before {what}")
    return Failure(FailureKind.CLOSED_WITHOUT_ANSWER, f"the connection was closed before {what}")
