"""Whatever connections do, in whatever order: each attempt has exactly one outcome, or none when it was given up."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.http.scripted_connector import ScriptedConnector
from tests.http.sender_harness import make_delivery

from hookline.engine.delivery import Delivery
from hookline.engine.verdicts import Outcome
from hookline.http.trace_context import Traces
from hookline.http.wire_sender import WireSender
from hookline.settings.deliver import Deliver

TIMEOUT_SECONDS = 10.0
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
ANSWERS = [OK, OK, OK, OK, OK[:9], OK[9:], OK + b"x", b"rubbish", b"HTTP/1.1 100 Continue\r\n\r\n"]
ACTIONS = st.one_of(
    st.just(("send", None)),
    st.just(("send", None)),
    st.tuples(st.just("receive"), st.sampled_from(ANSWERS)),
    st.tuples(st.just("receive"), st.sampled_from(ANSWERS)),
    st.tuples(st.just("receive"), st.binary(min_size=1, max_size=30)),
    st.just(("end", None)),
    st.just(("reset", None)),
    st.just(("cancel", None)),
    st.just(("refuse", None)),
    st.tuples(st.just("tick"), st.sampled_from([0.5, 3.0, 11.0, 60.0])),
)
EVENTS = st.tuples(ACTIONS, st.sampled_from([0, 1, 4, 4, 4]))
"""Something that happens, and how many turns of the loop follow it."""


Event = tuple[tuple[str, Any], int]


class World:
    """A sender between a scripted network and a callback that keeps the accounts."""

    def __init__(self, in_flight: int, sends_again: bool) -> None:
        self.now = 0.0
        self.sender: Any = WireSender(
            Deliver(in_flight=in_flight, timeout=TIMEOUT_SECONDS), clock=lambda: self.now, traces=Traces(Random(1))
        )
        self.connector = ScriptedConnector()
        self.sender._connector = self.connector  # type: ignore[assignment]
        self.sends_again = sends_again
        self.sent: list[Delivery] = []
        self.outcomes: dict[Delivery, list[Outcome]] = {}
        self.cancelled: set[Delivery] = set()
        self.is_in_send = False

    def on_outcome(self, delivery: Delivery, outcome: Outcome) -> None:
        assert not self.is_in_send
        self.outcomes.setdefault(delivery, []).append(outcome)
        if self.sends_again and len(self.sent) < 40:
            self.send()

    def send(self) -> None:
        delivery = make_delivery(offset=len(self.sent))
        self.sent.append(delivery)
        was_in_send, self.is_in_send = self.is_in_send, True
        self.sender.send(delivery)
        self.is_in_send = was_in_send

    def happen(self, event: str, argument: Any, random: Random) -> None:
        transports = self.connector.open_transports()
        busy = [transport for transport in transports if transport.connection.delivery is not None]
        # Mostly something happens to a connection that a request is under way on.
        choice = busy if busy and random.random() < 0.9 else transports
        transport = random.choice(choice) if choice else None
        if event == "send":
            self.send()
        elif event == "cancel" and self.sent:
            delivery = random.choice(self.sent)
            if delivery not in self.outcomes:
                self.cancelled.add(delivery)
            self.sender.cancel(delivery)
        elif event == "refuse":
            self.connector.failures_left += 1
        elif event == "tick":
            self.now += argument
            self.sender.tick(self.now)
        elif transport is not None and event == "receive":
            transport.connection.data_received(argument)
        elif transport is not None and event == "end":
            transport.connection.eof_received()
            transport.close()
        elif transport is not None and event == "reset":
            transport.end(ConnectionResetError(104, "Connection reset by peer"))

    def check(self) -> None:
        assert len(self.connector.open_transports()) <= self.sender._exchange._connections_max
        idle = self.sender._exchange._idle
        assert len(set(idle)) == len(idle)
        assert all(connection.delivery is None and not connection.is_retired for connection in idle)

    def check_that_nothing_waits_in_vain(self) -> None:
        if self.sender._exchange._waiting or self.sender._exchange._waiting_for_fresh:
            assert self.sender._connecting or self.sender.open_connections == self.sender._exchange._connections_max
            assert not self.sender._exchange._idle


async def run_world(in_flight: int, sends_again: bool, events: list[Event], seed: int) -> None:
    world, random = World(in_flight, sends_again), Random(seed)
    problems: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: problems.append(context))
    await world.sender.start(world.on_outcome)
    for (event, argument), turns in events:
        world.happen(event, argument, random)
        world.check()
        for _ in range(turns):
            await asyncio.sleep(0)
    world.sends_again = False
    world.connector.failures_left = 0
    for _ in range(10):
        await asyncio.sleep(0)
    world.check_that_nothing_waits_in_vain()
    world.now += TIMEOUT_SECONDS
    world.sender.tick(world.now)
    for delivery in world.sent:
        expected = 0 if delivery in world.cancelled else 1
        assert len(world.outcomes.get(delivery, [])) == expected
    await world.sender.stop()
    assert world.sender.open_connections == 0
    assert not world.connector.open_transports()
    assert not problems


@settings(max_examples=300)
@given(st.integers(1, 4), st.booleans(), st.lists(EVENTS, max_size=60), st.integers(0, 2**32))
def test_each_attempt_has_exactly_one_outcome(
    in_flight: int, sends_again: bool, events: list[Event], seed: int
) -> None:
    asyncio.run(run_world(in_flight, sends_again, events, seed))
