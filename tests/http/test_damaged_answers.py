"""Whatever a server sends, in whatever slices: a named outcome, nobody else's answer, no bad connection used again."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.http.damaged_answers import MARK, damaged, is_whole_answer, right_answer, sliced
from tests.http.scripted_connector import RecordedTransport, ScriptedConnector
from tests.http.scripted_server import Peer, ScriptedServer
from tests.http.sender_harness import make_delivery, running_sender

from hookline.engine.delivery import Delivery
from hookline.engine.verdicts import Answer, Failure, FailureKind, Outcome
from hookline.http.trace_context import Traces
from hookline.http.wire_sender import WireSender
from hookline.settings.deliver import Deliver

TIMEOUT_SECONDS = 10.0
STEPS = 25


class Account:
    """One sender before servers that damage their answers; checks each outcome against what was sent."""

    def __init__(self, in_flight: int, random: Random) -> None:
        self.random = random
        self.now = 0.0
        deliver = Deliver(in_flight=in_flight, timeout=TIMEOUT_SECONDS, answer_header_bytes=8192)
        self.sender: Any = WireSender(deliver, clock=lambda: self.now, traces=Traces(Random(1)))
        self.connector = ScriptedConnector()
        self.sender._connector = self.connector  # type: ignore[assignment]
        self.outcomes: dict[Delivery, Outcome] = {}
        self.sent: list[Delivery] = []
        self.given_to: dict[bytes, Delivery | None] = {}
        """For the mark of each answer, the delivery that was under way when its first byte came."""
        self.received: dict[Delivery | None, bytes] = {}
        """All that came while a delivery was under way."""

    def on_outcome(self, delivery: Delivery, outcome: Outcome) -> None:
        assert delivery not in self.outcomes, "two outcomes for one attempt"
        self.outcomes[delivery] = outcome
        if isinstance(outcome, Failure):
            assert isinstance(outcome.kind, FailureKind)
            assert outcome.detail.isprintable()
            assert "answer-" not in outcome.detail, "a failure tells nothing of the answer's text"
            return
        assert isinstance(outcome, Answer)
        assert 200 <= outcome.status <= 999
        for mark in MARK.findall(outcome.body):
            assert self.given_to.get(mark, delivery) is delivery, "an answer was taken for that of another request"

    def send(self) -> None:
        delivery = make_delivery(offset=len(self.sent))
        self.sent.append(delivery)
        self.sender.send(delivery)

    def feed(self, transport: RecordedTransport, answer: bytes) -> None:
        """Give an answer to a connection, in slices, and see what becomes of the connection."""
        connection = transport.connection
        delivery = connection.delivery
        for mark in MARK.findall(answer):
            self.given_to.setdefault(mark, delivery)
        for piece in sliced(answer, self.random):
            if transport.is_closed or (connection.delivery is not delivery and connection.delivery is not None):
                # A server that answers a request before it has it can't be told from one that is quick.
                return
            received = self.received[delivery] = self.received.get(delivery, b"") + piece
            connection.data_received(piece)
            if delivery in self.outcomes and not transport.is_closed:
                # What stands behind the answer is for nobody, whatever it looks like.
                assert is_whole_answer(received), f"a connection was kept after {received!r}"

    async def step(self) -> None:
        random = self.random
        busy = [t for t in self.connector.open_transports() if t.connection.delivery is not None]
        choice = random.random()
        if choice < 0.3 or not busy:
            self.send()
        elif choice < 0.9:
            answer = right_answer(random)
            self.feed(random.choice(busy), answer if random.random() < 0.5 else damaged(answer, random))
        else:
            transport = random.choice(busy)
            transport.connection.eof_received()
            transport.close()
        for _ in range(random.choice([0, 1, 4])):
            await asyncio.sleep(0)


async def live(in_flight: int, seed: int) -> None:
    account = Account(in_flight, Random(seed))
    problems: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: problems.append(context))
    await account.sender.start(account.on_outcome)
    for _ in range(STEPS):
        await account.step()
    for _ in range(10):
        await asyncio.sleep(0)
    account.now += TIMEOUT_SECONDS
    account.sender.tick(account.now)
    assert set(account.sent) == set(account.outcomes), "an attempt without an outcome"
    await account.sender.stop()
    assert not problems


@given(st.integers(1, 3), st.integers(0, 2**64))
def test_damaged_answers_end_in_a_named_outcome_and_their_connections_are_not_used_again(
    in_flight: int, seed: int
) -> None:
    asyncio.run(live(in_flight, seed))


@given(st.integers(0, 2**64))
def test_what_is_right_is_known_to_be_right(seed: int) -> None:
    random = Random(seed)
    assert is_whole_answer(right_answer(random))


@pytest.mark.parametrize("kind", ["wire", "aiohttp"])
async def test_a_server_that_damages_every_other_answer_fails_attempts_and_nothing_else(kind: str) -> None:
    random = Random(11)

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            answer = right_answer(random)
            if random.random() < 0.5:
                answer = damaged(answer, random)
            for piece in sliced(answer, random):
                await peer.send(piece)
            if random.random() < 0.3 or not is_whole_answer(answer):
                return

    async with ScriptedServer(script) as server, running_sender(kind, server.url, timeout=1.0, in_flight=8) as run:
        outcomes: list[Outcome] = []
        for first in range(0, 200, 8):
            deliveries = [run.send(make_delivery(offset=offset)) for offset in range(first, first + 8)]
            outcomes += [await run.outcome(delivery) for delivery in deliveries]
    assert all(isinstance(outcome, Answer | Failure) for outcome in outcomes)
    assert sum(isinstance(outcome, Answer) for outcome in outcomes) >= 80
    assert sum(isinstance(outcome, Failure) for outcome in outcomes) >= 10
