"""Produces charging sessions at a steady rate, and remembers what Kafka acknowledged."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError as ClientError
from aiokafka.structs import RecordMetadata

from hookline.demo.charging_sessions import ID_HEADER, ChargingSession, Flaw, charging_sessions
from hookline.errors import KafkaUnavailable, WriteFailed

_TICK_SECONDS = 0.005
_LINGER_MS = 2


@dataclass(frozen=True, slots=True)
class ProducedSession:
    """A session that Kafka acknowledged: where it is, and when it was produced (seconds since 1970)."""

    id: str
    produced_at: float
    partition: int
    offset: int
    flaw: Flaw | None


class SessionProducer:
    """Writes the sessions of `seed` to `topic`, `rate` a second, until `records` are written or `seconds` are over.

    None as `records` or `seconds` is no limit of that kind. `idempotent` makes the broker drop what it gets twice;
    the embedded broker can't. `produced` is what was acknowledged, some 300 bytes of memory each.
    """

    def __init__(
        self,
        servers: str,
        topic: str,
        *,
        seed: int,
        rate: float,
        records: int | None,
        seconds: float | None,
        malformed: bool,
        idempotent: bool,
    ) -> None:
        self._topic = topic
        self._rate = rate
        self._seconds = seconds
        self._sessions: Iterator[ChargingSession] = islice(charging_sessions(seed, malformed), records)
        self._client = AIOKafkaProducer(
            bootstrap_servers=servers, acks="all", linger_ms=_LINGER_MS, enable_idempotence=idempotent
        )
        self._stopping = False
        self._failure: BaseException | None = None
        self._unacknowledged = 0
        self._all_acknowledged = asyncio.Event()
        self._all_acknowledged.set()
        self.produced: list[ProducedSession] = []
        self.end_offsets: dict[int, int] = {}

    async def start(self) -> None:
        """Connect; raises `KafkaUnavailable`."""
        try:
            await self._client.start()
        except ClientError as error:
            await self._client.stop()
            raise KafkaUnavailable(f"the producer cannot reach Kafka ({error!r}): is a broker there?") from error

    def request_stop(self) -> None:
        """Write no more."""
        self._stopping = True

    async def run(self) -> None:
        """Write until there is nothing more to write, and wait for Kafka's acknowledgements; raises `WriteFailed`."""
        started_at = time.monotonic()
        given = 0
        while not self._stopping:
            elapsed_seconds = time.monotonic() - started_at
            over = self._seconds is not None and elapsed_seconds >= self._seconds
            due = int(self._rate * (min(elapsed_seconds, self._seconds) if self._seconds else elapsed_seconds))
            sent = await self._send(due - given)
            if over or sent < due - given:
                break
            given += sent
            await asyncio.sleep(_TICK_SECONDS)
        await self._client.flush()
        # The callbacks of what flush() waited for run in the loop's next turn.
        await self._all_acknowledged.wait()
        self._raise_failure()

    async def stop(self) -> None:
        """Close the connections. Twice is once."""
        await self._client.stop()

    async def _send(self, count: int) -> int:
        """Send up to so many; how many there were."""
        sent = 0
        for session in islice(self._sessions, max(0, count)):
            headers = [(ID_HEADER, session.id.encode())]
            produced_at = time.time()
            try:
                written = await self._client.send(self._topic, session.value, session.key, headers=headers)
            except ClientError as error:
                raise WriteFailed(f"Kafka did not take a charging session: {error!r}") from error
            self._unacknowledged += 1
            self._all_acknowledged.clear()
            written.add_done_callback(partial(self._acknowledged, session, produced_at))
            sent += 1
        self._raise_failure()
        return sent

    def _acknowledged(
        self, session: ChargingSession, produced_at: float, written: asyncio.Future[RecordMetadata]
    ) -> None:
        self._unacknowledged -= 1
        if not self._unacknowledged:
            self._all_acknowledged.set()
        if written.cancelled():
            return
        failure = written.exception()
        if failure is not None:
            self._failure = failure
            return
        where = written.result()
        self.produced.append(ProducedSession(session.id, produced_at, where.partition, where.offset, session.flaw))
        self.end_offsets[where.partition] = max(self.end_offsets.get(where.partition, 0), where.offset + 1)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise WriteFailed(f"Kafka did not acknowledge a charging session: {self._failure!r}") from self._failure
