"""The fast sender: HTTP/1.1 over keep-alive connections, with no task, future, lock or timer for a request.

    send ──▶ an idle connection? ──yes──▶ one write ──▶ answer ──▶ idle again, and the outcome
                    │ no                                  ▲
                    ▼                                     │
                 waiting ──▶ connecting (a task for each connection to be opened)

The upper line is `WireExchange`; what awaits something is here. Deadlines are swept in `tick`. All that can be prepared
is prepared when settings or secrets are read.
"""

from __future__ import annotations

import asyncio
import time
from random import Random

import structlog

from hookline.engine.verdicts import Failure
from hookline.http.addresses import Clock, Resolver
from hookline.http.answer_reader import AnswerLimits
from hookline.http.connector import ConnectError, Connector
from hookline.http.failures import connection_failure
from hookline.http.identity import Identity
from hookline.http.ports import OnOutcome
from hookline.http.trace_context import Traces
from hookline.http.wire_exchange import WireExchange, closed_before
from hookline.settings.deliver import Deliver

STOP_SECONDS = 2.0
"""How long `stop` waits for closed connections to be gone; the system closes them in any case."""

log = structlog.get_logger("hookline.http")


class WireSender:
    """Opens connections for its `WireExchange`, and closes them.

    `clock` gives seconds and never goes back, `tick` is called with its time; `random` draws trace and span ids;
    `resolver` looks names up. `send` and `cancel` are those of the exchange; see `Sender`.
    """

    def __init__(
        self,
        deliver: Deliver,
        *,
        clock: Clock = time.monotonic,
        traces: Traces | None = None,
        resolver: Resolver | None = None,
    ) -> None:
        """Raises `SettingsError` for settings that no request can be made with."""
        self._identity = Identity(deliver, traces or Traces(Random()))
        self._connector = Connector(
            self._identity.template.destination,
            None,
            connect_seconds=deliver.connect_timeout,
            resolve_every_seconds=deliver.resolve_every,
            clock=clock,
            resolver=resolver,
        )
        self._connecting: set[asyncio.Task[None]] = set()
        self._is_running = False
        self._all_closed = asyncio.Event()
        self._exchange = WireExchange(
            deliver,
            self._identity.template,
            AnswerLimits(deliver.answer_header_bytes, deliver.answer_body_bytes, self._identity.redact),
            clock=clock,
            more_wished=self._connect_as_needed,
            all_closed=self._all_closed.set,
        )
        self.send = self._exchange.send
        self.cancel = self._exchange.cancel

    @property
    def open_connections(self) -> int:
        """How many connections are open now, idle ones included."""
        return len(self._exchange.connections)

    @property
    def connections_opened(self) -> int:
        """How many connections were opened so far."""
        return self._exchange.connections_opened

    @property
    def certificate_expires_at(self) -> float:
        """When the service's certificate ends to be valid, in seconds since 1970; 0 when there is none or unknown."""
        return self._connector.certificate_expires_at

    @property
    def connection_retries(self) -> int:
        """How many requests were sent once more, since their connection was closed as they were sent."""
        return self._exchange.connection_retries

    async def start(self, on_outcome: OnOutcome) -> None:
        """Read secrets and certificates; raises `SettingsError`. Nothing is connected before it is needed."""
        self._exchange.on_outcome = on_outcome
        self._identity.load()
        self._identity.warn()
        self._use_identity()
        self._is_running = True

    def tick(self, now: float) -> bool:
        """End attempts whose deadline is over, close connections that idled too long, and look the name up when due.

        True when a secret changed; see `Sender.tick`.
        """
        self._exchange.expire(now)
        if self._exchange.connections:
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
        self._exchange.forget_waiting()
        self._connector.close()
        tasks = list(self._connecting)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._exchange.abort()
        if self._exchange.connections:
            self._all_closed.clear()
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await self._all_closed.wait()
            except TimeoutError:
                pass

    def _connect_as_needed(self) -> None:
        while self._is_running and len(self._connecting) < self._exchange.wished():
            task = asyncio.get_running_loop().create_task(self._connect(), name="hookline-connect")
            self._connecting.add(task)
            task.add_done_callback(self._connect_done)

    async def _connect(self) -> None:
        task = asyncio.current_task()
        failure: Failure | None = None
        try:
            connection = await self._connector.open(self._exchange.make_connection)
        except ConnectError as error:
            failure = error.failure
        except Exception as error:
            # Whatever a loop may raise there, the attempt must have its outcome.
            log.exception("connect_failed_in_an_unforeseen_way")
            failure = connection_failure(error)
        if task is not None:
            self._connecting.discard(task)
        if failure is None and (not connection.is_open or connection.is_retired):
            failure = closed_before(connection.lost_by, "a request could be sent")
        if failure is None:
            self._exchange.connected(connection)
        else:
            self._exchange.not_connected(failure, len(self._connecting))

    def _connect_done(self, task: asyncio.Task[None]) -> None:
        self._connecting.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            # The callback raised: it is shown, as it is when a connection's own callback raises.
            task.get_loop().call_exception_handler(
                {"message": "the outcome of a connection attempt was not taken", "exception": error, "task": task}
            )
        self._connect_as_needed()

    def _refresh_name(self) -> None:
        task = self._connector.refresh()
        if task is not None:
            task.add_done_callback(self._name_refreshed)

    def _name_refreshed(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            self._exchange.retire(lambda connection: not self._connector.is_current(connection.address))

    def _use_identity(self) -> None:
        """Take over template and TLS context; connections made with another context are not used again."""
        self._exchange.use(self._identity.template)
        if self._identity.tls is not self._connector.tls:
            self._connector.tls = self._identity.tls
            self._exchange.retire(lambda connection: True)
