"""The sender for what the wire sender does not do: proxies, and HTTP over a UNIX socket. It makes the same requests."""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass
from random import Random
from types import SimpleNamespace
from typing import Any

import aiohttp
from aiohttp.client_reqrep import ClientResponse
from aiohttp.connector import Connection
from yarl import URL

from hookline.engine.delivery import Delivery
from hookline.engine.verdicts import Answer, Failure, FailureKind, Outcome
from hookline.errors import SettingsError
from hookline.http.aiohttp_failures import TooManyInformational, client_failure, is_stale_connection
from hookline.http.answer_reader import HEADERS_MAX, INFORMATIONAL_MAX, RETRY_AFTER_CHARACTERS_MAX
from hookline.http.identity import Identity
from hookline.http.ports import OnOutcome
from hookline.http.requests import request_parts
from hookline.http.trace_context import Traces
from hookline.settings.deliver import Deliver

STREAMED_FROM_BYTES = 256 * 1024
"""Larger bodies are given to aiohttp as a stream: it warns of plain bytes above 1 MiB, which it writes in one piece."""


@dataclass(slots=True)
class _Attempt:
    """What aiohttp tells about the connection that an attempt uses."""

    is_reused: bool = False


class _BoundedResponse(ClientResponse):
    """A response that does not skip 1xx answers for ever, as aiohttp (3.14) itself does."""

    async def start(self, connection: Connection) -> ClientResponse:
        protocol: Any = connection.protocol
        read = protocol.read
        left = INFORMATIONAL_MAX + 1

        async def bounded_read() -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                raise TooManyInformational
            return await read()

        protocol.read = bounded_read
        try:
            return await super().start(connection)
        finally:
            del protocol.read


class AiohttpSender:
    """Makes each attempt in a task of its own, through aiohttp. Deadlines are kept by the tasks themselves."""

    def __init__(self, deliver: Deliver, *, traces: Traces | None = None) -> None:
        """Raises `SettingsError` for settings that no request can be made with."""
        self.connections_opened = 0
        self.connection_retries = 0
        self._deliver = deliver
        self._identity = Identity(deliver, traces or Traces(Random()))
        self._origin = self._identity.template.destination.origin
        if deliver.unix_socket is not None and self._identity.template.destination.is_tls:
            raise SettingsError("deliver.unix_socket: a UNIX socket has no TLS; begin deliver.url with http://")
        self._on_outcome: OnOutcome
        self._session: aiohttp.ClientSession | None = None
        self._fresh_session: aiohttp.ClientSession | None = None
        self._attempts: dict[Delivery, asyncio.Task[None]] = {}

    async def start(self, on_outcome: OnOutcome) -> None:
        """Read secrets and certificates; raises `SettingsError`. Nothing is connected before it is needed."""
        self._on_outcome = on_outcome
        self._identity.load()
        self._identity.warn()
        self._session = self._make_session(is_keeping=True)
        # For the one retry after a connection that the server had closed: its connections are never reused.
        self._fresh_session = self._make_session(is_keeping=False)

    def send(self, delivery: Delivery) -> None:
        """Make one attempt; see `Sender.send`."""
        request = self._identity.template.request(delivery)
        task = asyncio.get_running_loop().create_task(self._attempt(delivery, request), name="hookline-attempt")
        self._attempts[delivery] = task

    def cancel(self, delivery: Delivery) -> None:
        """Give up a running attempt."""
        task = self._attempts.pop(delivery, None)
        if task is not None:
            task.cancel()

    def tick(self, now: float) -> bool:
        """Look at the secret's file now and then; True when it changed. Attempts keep their deadlines themselves."""
        return self._identity.refresh(now)

    async def reload(self) -> bool:
        """Read secrets and certificates again; raises `SettingsError`, and then the old ones stay in use."""
        return self._identity.load()

    async def stop(self) -> None:
        """Close all connections; running attempts get no outcome."""
        tasks = list(self._attempts.values())
        self._attempts.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for session in (self._session, self._fresh_session):
            if session is not None:
                await session.close()

    def _make_session(self, *, is_keeping: bool) -> aiohttp.ClientSession:
        deliver = self._deliver
        keeping: dict[str, Any] = {"keepalive_timeout": deliver.idle_timeout} if is_keeping else {"force_close": True}
        connector: aiohttp.BaseConnector
        # The engine bounds what is in flight; a limit here would let attempts wait unseen.
        if deliver.unix_socket is not None:
            connector = aiohttp.UnixConnector(str(deliver.unix_socket), limit=0, **keeping)
        else:
            connector = aiohttp.TCPConnector(
                limit=0,
                ttl_dns_cache=max(1, round(deliver.resolve_every)),
                resolver=aiohttp.ThreadedResolver(),
                **keeping,
            )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, connect=deliver.connect_timeout),
            auto_decompress=False,
            trust_env=False,
            response_class=_BoundedResponse,
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            max_line_size=deliver.answer_header_bytes,
            max_field_size=deliver.answer_header_bytes,
            max_headers=HEADERS_MAX,
            trace_configs=[self._trace_config()],
        )

    def _trace_config(self) -> aiohttp.TraceConfig:
        async def created(session: aiohttp.ClientSession, context: SimpleNamespace, parameters: object) -> None:
            self.connections_opened += 1

        async def reused(session: aiohttp.ClientSession, context: SimpleNamespace, parameters: object) -> None:
            context.trace_request_ctx.is_reused = True

        trace = aiohttp.TraceConfig()
        trace.on_connection_create_end.append(created)
        trace.on_connection_reuseconn.append(reused)
        return trace

    async def _attempt(self, delivery: Delivery, request: bytes) -> None:
        outcome: Outcome
        try:
            async with asyncio.timeout(self._deliver.timeout):
                outcome = await self._exchange_with_retry(request)
        except TimeoutError:
            outcome = Failure(FailureKind.TIMEOUT, f"no complete answer within {self._deliver.timeout:g} s")
        if self._attempts.pop(delivery, None) is not None:
            self._on_outcome(delivery, outcome)

    async def _exchange_with_retry(self, request: bytes) -> Outcome:
        for session in (self._session, self._fresh_session):
            attempt = _Attempt()
            try:
                return await self._exchange(session, request, attempt)
            except Exception as error:  # noqa: BLE001 - whatever aiohttp may raise, the attempt must have its outcome
                if not (attempt.is_reused and is_stale_connection(error)):
                    return self._failed(error)
                self.connection_retries += 1
        raise AssertionError("a connection of the second session was reused")

    def _failed(self, error: Exception) -> Failure:
        for session in (self._session, self._fresh_session):
            # Names are looked up again when connections fail.
            if session is not None and isinstance(session.connector, aiohttp.TCPConnector):
                session.connector.clear_dns_cache()
        return client_failure(error)

    async def _exchange(self, session: aiohttp.ClientSession | None, request: bytes, attempt: _Attempt) -> Outcome:
        if session is None:
            raise RuntimeError("the sender was not started")
        target, headers, body = request_parts(request)
        tls = self._identity.tls
        response = await session.request(
            self._deliver.method,
            URL(self._origin + target, encoded=True),
            data=io.BytesIO(body) if len(body) >= STREAMED_FROM_BYTES else body,
            headers=headers,
            allow_redirects=False,
            proxy=self._deliver.proxy,
            ssl=tls if tls is not None else True,
            trace_request_ctx=attempt,
        )
        try:
            outcome, is_reusable = await self._read(response, len(body))
        except BaseException:
            response.close()
            raise
        if is_reusable:
            response.release()
        else:
            response.close()
        return outcome

    async def _read(self, response: ClientResponse, sent_bytes: int) -> tuple[Outcome, bool]:
        status = response.status
        if status < 200:
            return Failure(FailureKind.ANSWER_SWITCHED_PROTOCOLS, "101, which was not asked for"), False
        if sum(len(name) + len(value) + 4 for name, value in response.raw_headers) > self._deliver.answer_header_bytes:
            detail = f"more than {self._deliver.answer_header_bytes} bytes"
            return Failure(FailureKind.ANSWER_HEADERS_TOO_LARGE, detail), False
        body = bytearray()
        # An error before a large body was sent: what is left of it need not be sent at all.
        is_reusable = status < 300 or sent_bytes < STREAMED_FROM_BYTES
        async for piece in response.content.iter_any():
            body += piece
            if len(body) > self._deliver.answer_body_bytes:
                is_reusable = False
                break
        kept = bytes(body[: self._deliver.answer_body_bytes])
        if status < 300:
            return Answer(status, kept), is_reusable
        retry_after = response.headers.get("Retry-After")
        if retry_after is not None:
            retry_after = retry_after[:RETRY_AFTER_CHARACTERS_MAX]
        return Answer(status, self._identity.redact(kept), retry_after), is_reusable
