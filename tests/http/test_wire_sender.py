"""The wire sender's own business: its connections, deadlines, addresses, and that nothing of it is left over."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from tests.http.scripted_server import OK, Peer, ScriptedServer, behave
from tests.http.sender_harness import RunningSender, make_delivery, running, running_sender, until

from hookline.engine.verdicts import Answer, Failure, FailureKind
from hookline.http.addresses import Address
from hookline.http.trace_context import Traces
from hookline.http.wire_sender import WireSender
from hookline.settings.deliver import Deliver

needs_many_loopback_addresses = pytest.mark.skipif(
    sys.platform == "darwin", reason="macOS has no loopback address but 127.0.0.1"
)


def wire_sender(url: str, **arguments: Any) -> WireSender:
    options = {name: arguments.pop(name) for name in ("clock", "resolver") if name in arguments}
    return WireSender(Deliver.model_validate({"url": url, **arguments}), traces=Traces(Random(1)), **options)


class Resolver:
    """Answers look-ups from a list that the test changes; an exception in it is raised."""

    def __init__(self, *hosts: str) -> None:
        self.hosts: Sequence[str] = hosts
        self.error: Exception | None = None
        self.lookups: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, host: str, port: int) -> Sequence[Address]:
        self.lookups.append(host)
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return [Address(host, port, socket.AF_INET) for host in self.hosts]


async def test_no_more_connections_are_opened_than_may_be_in_flight() -> None:
    gate = asyncio.Event()

    async def waits_for_the_gate(peer: Peer) -> None:
        while True:
            await peer.request()
            await gate.wait()
            await peer.send(OK)

    async with (
        ScriptedServer(waits_for_the_gate) as server,
        running_sender("wire", server.url, in_flight=4) as run,
    ):
        deliveries = [run.send(make_delivery(offset=offset)) for offset in range(20)]
        await until(lambda: server.connections == 4)
        gate.set()
        for delivery in deliveries:
            assert await run.outcome(delivery) == Answer(200, b'{"status":"Accepted"}')
        assert server.connections == run.sender.open_connections == 4


async def test_the_next_request_goes_out_in_the_callback_of_the_last_answer() -> None:
    async with ScriptedServer(behave) as server:
        sender = wire_sender(server.url)
        done = asyncio.Event()
        left = [100]

        def on_outcome(delivery: Any, outcome: Any) -> None:
            assert isinstance(outcome, Answer)
            left[0] -= 1
            if left[0]:
                sender.send(delivery)
            else:
                done.set()

        await sender.start(on_outcome)
        sender.send(make_delivery())
        await asyncio.wait_for(done.wait(), 5)
        assert server.connections == 1
        await sender.stop()


async def test_connections_beyond_the_load_idle_out_and_the_busy_one_stays() -> None:
    async with ScriptedServer(behave) as server:
        now = [100.0]
        sender = wire_sender(server.url, idle_timeout=50, clock=lambda: now[0])
        run = RunningSender(sender)
        await sender.start(run.on_outcome)
        for delivery in [run.send(make_delivery(offset=offset)) for offset in range(8)]:
            await run.outcome(delivery)
        assert sender.open_connections == 8
        for _ in range(6):
            sender.tick(now[0])
            now[0] += 10
            await run.answer()
        sender.tick(now[0])
        await until(lambda: sender.open_connections == 1)
        assert server.connections == 8
        now[0] += 1
        sender.tick(now[0])
        now[0] += 50
        sender.tick(now[0])
        await until(lambda: sender.open_connections == 0)
        await sender.stop()


async def test_a_connection_that_the_server_closes_while_idle_is_forgotten_without_a_retry() -> None:
    async def answers_once(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)

    async with ScriptedServer(answers_once) as server, running_sender("wire", server.url) as run:
        for number in range(1, 4):
            await run.answer()
            await until(lambda: run.sender.open_connections == 0)
            assert server.connections == number
        assert run.sender.connection_retries == 0


async def test_bytes_that_nobody_asked_for_close_an_idle_connection() -> None:
    async def says_more(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await asyncio.sleep(0.05)
        await peer.send(b"HTTP/1.1 200 OK\r\n")
        await peer.rest()

    async with ScriptedServer(says_more) as server, running_sender("wire", server.url) as run:
        await run.answer()
        assert run.sender.open_connections == 1
        await until(lambda: run.sender.open_connections == 0)
        await until(lambda: server.open == 0)


async def test_a_waiting_request_ends_with_its_deadline() -> None:
    async def says_nothing(peer: Peer) -> None:
        await peer.request()
        await peer.rest()

    async with (
        ScriptedServer(says_nothing) as server,
        running_sender("wire", server.url, in_flight=1, timeout=0.2) as run,
    ):
        under_way, waiting = run.send(make_delivery()), run.send(make_delivery())
        assert await run.outcome(waiting) == Failure(FailureKind.TIMEOUT, "no connection could be had in time")
        assert await run.outcome(under_way) == Failure(FailureKind.TIMEOUT, "nothing of an answer came within 0.2 s")


async def test_a_waiting_request_can_be_cancelled() -> None:
    gate = asyncio.Event()

    async def waits_for_the_gate(peer: Peer) -> None:
        while True:
            await peer.request()
            await gate.wait()
            await peer.send(OK)

    async with (
        ScriptedServer(waits_for_the_gate) as server,
        running_sender("wire", server.url, in_flight=1) as run,
    ):
        first, second, third = (run.send(make_delivery(offset=offset)) for offset in range(3))
        run.sender.cancel(second)
        gate.set()
        await run.outcome(first)
        await run.outcome(third)
        assert second not in run.outcomes


async def test_deadlines_are_measured_by_the_clock_that_ticks_tell() -> None:
    async def says_nothing(peer: Peer) -> None:
        await peer.request()
        await peer.rest()

    async with ScriptedServer(says_nothing) as server:
        now = [1000.0]
        sender = wire_sender(server.url, timeout=10, clock=lambda: now[0])
        run = RunningSender(sender)
        await sender.start(run.on_outcome)
        run.send(make_delivery())
        await until(lambda: server.connections == 1)
        sender.tick(1009.9)
        assert not run.outcomes
        sender.tick(1010.0)
        assert [outcome.kind for outcome in run.outcomes.values() if isinstance(outcome, Failure)] == [
            FailureKind.TIMEOUT
        ]
        await sender.stop()


@pytest.mark.parametrize("waiting", [0, 3])
async def test_the_callback_of_a_timeout_may_cancel_other_attempts_that_are_due(waiting: int) -> None:
    async def says_nothing(peer: Peer) -> None:
        await peer.request()
        await peer.rest()

    async with ScriptedServer(says_nothing) as server:
        now = [0.0]
        sender = wire_sender(server.url, timeout=1, in_flight=3, clock=lambda: now[0])
        deliveries = [make_delivery(offset=offset) for offset in range(3 + waiting)]
        told: list[Any] = []

        def on_outcome(delivery: Any, outcome: Any) -> None:
            told.append(delivery)
            for other in deliveries:
                sender.cancel(other)

        await sender.start(on_outcome)
        for delivery in deliveries:
            sender.send(delivery)
        await until(lambda: server.connections == 3)
        await until(lambda: len(sender._exchange._waiting) == waiting)
        sender.tick(5.0)
        assert len(told) == 1
        await sender.stop()


async def test_requests_that_wait_go_on_when_each_answer_ends_its_connection() -> None:
    async def answers_once(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        await peer.rest()

    async with ScriptedServer(answers_once) as server, running_sender("wire", server.url, in_flight=2) as run:
        for delivery in [run.send(make_delivery(offset=offset)) for offset in range(9)]:
            assert isinstance(await run.outcome(delivery), Answer)
        assert server.connections == 9
        assert run.sender.connection_retries == 0


@needs_many_loopback_addresses
async def test_addresses_are_tried_in_turn_until_one_answers() -> None:
    resolver = Resolver("127.0.0.9", "127.0.0.8", "127.0.0.1")
    async with ScriptedServer(behave) as server:
        sender = wire_sender(f"http://service.test:{server.port}/", resolver=resolver)
        async with running(sender) as run:
            assert (await run.answer()).status == 200
            assert resolver.lookups == ["service.test"]


@needs_many_loopback_addresses
async def test_a_silent_address_gets_only_its_share_of_the_time() -> None:
    async with ScriptedServer(behave) as server:
        with socket.socket() as silent:
            silent.bind(("127.0.0.2", server.port))
            silent.listen(0)
            # Linux drops what comes when the queue of a listener is full, so the next one gets no answer at all.
            filling = [socket.socket() for _ in range(2)]
            for connection in filling:
                connection.setblocking(False)
                connection.connect_ex(("127.0.0.2", server.port))
            resolver = Resolver("127.0.0.2", "127.0.0.1")
            sender = wire_sender(f"http://service.test:{server.port}/", resolver=resolver, connect_timeout=0.6)
            started = time.monotonic()
            async with running(sender) as run:
                assert (await run.answer()).status == 200
                assert time.monotonic() - started > 0.25
                await run.answer()
            for connection in filling:
                connection.close()


@needs_many_loopback_addresses
async def test_connections_spread_over_the_addresses() -> None:
    resolver = Resolver("127.0.0.1", "127.0.0.2")
    async with ScriptedServer(behave) as first, ScriptedServer(behave, host="127.0.0.2", port=first.port) as second:
        sender = wire_sender(f"http://service.test:{first.port}/", resolver=resolver)
        async with running(sender) as run:
            for delivery in [run.send(make_delivery(offset=offset)) for offset in range(6)]:
                await run.outcome(delivery)
        assert (first.connections, second.connections) == (3, 3)


@needs_many_loopback_addresses
async def test_when_no_address_can_be_connected_to_the_failure_says_so(unused_tcp_port: int) -> None:
    sender = wire_sender(f"http://service.test:{unused_tcp_port}/", resolver=Resolver("127.0.0.1", "127.0.0.2"))
    async with running(sender) as run:
        failure = await run.failure()
        assert failure.kind is FailureKind.CONNECTION_REFUSED
        assert str(unused_tcp_port) in failure.detail


async def test_a_failed_look_up_is_named_and_made_again() -> None:
    resolver = Resolver("127.0.0.1")
    resolver.error = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    async with ScriptedServer(behave) as server:
        sender = wire_sender(f"http://service.test:{server.port}/", resolver=resolver)
        async with running(sender) as run:
            failure = await run.failure()
            assert failure.kind is FailureKind.NAME_NOT_RESOLVED
            assert "Temporary failure" in failure.detail
            resolver.error = None
            assert (await run.answer()).status == 200


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (None, FailureKind.NAME_NOT_RESOLVED),
        (OSError(24, "Too many open files"), FailureKind.CONNECT_FAILED),
        (ValueError("unforeseen"), FailureKind.CONNECT_FAILED),
    ],
)
async def test_a_resolver_without_an_address_or_with_any_error_is_a_failure(
    error: Exception | None, kind: FailureKind
) -> None:
    resolver = Resolver()
    resolver.error = error
    async with running(wire_sender("http://service.test/", resolver=resolver)) as run:
        assert (await run.failure()).kind is kind
        assert (await run.failure()).kind is kind


async def test_a_slow_resolver_stops_nothing_and_is_given_up_in_time() -> None:
    resolver = Resolver("127.0.0.1")
    resolver.gate.clear()
    sender = wire_sender("http://service.test:1/", resolver=resolver, connect_timeout=0.2)
    async with running(sender) as run:
        deliveries = [run.send(make_delivery(offset=offset)) for offset in range(5)]
        turns = 0
        while len(run.outcomes) < 5:
            await asyncio.sleep(0.01)
            turns += 1
        assert 10 <= turns < 50
        for delivery in deliveries:
            outcome = run.outcomes[delivery]
            assert isinstance(outcome, Failure)
            assert outcome.kind is FailureKind.NAME_NOT_RESOLVED
        assert len(resolver.lookups) == 1


@needs_many_loopback_addresses
async def test_an_address_that_left_the_name_is_left_too() -> None:
    resolver = Resolver("127.0.0.1")
    async with ScriptedServer(behave) as old, ScriptedServer(behave, host="127.0.0.2", port=old.port) as new:
        now = [0.0]
        sender = wire_sender(
            f"http://service.test:{old.port}/", resolver=resolver, resolve_every=60, clock=lambda: now[0]
        )
        run = RunningSender(sender)
        await sender.start(run.on_outcome)
        await run.answer()
        resolver.hosts = ["127.0.0.2"]
        now[0] = 59.0
        sender.tick(now[0])
        await run.answer()
        assert len(resolver.lookups) == 1
        now[0] = 61.0
        sender.tick(now[0])
        await until(lambda: old.open == 0)
        await run.answer()
        assert (old.connections, new.connections) == (1, 1)
        await sender.stop()


async def test_an_address_that_left_the_name_still_gives_the_answer_that_is_under_way() -> None:
    gate = asyncio.Event()

    async def waits_for_the_gate(peer: Peer) -> None:
        await peer.request()
        await gate.wait()
        await peer.send(OK)
        await behave(peer)

    resolver = Resolver("127.0.0.1")
    async with ScriptedServer(waits_for_the_gate) as server:
        now = [0.0]
        sender = wire_sender(
            f"http://service.test:{server.port}/", resolver=resolver, clock=lambda: now[0], timeout=900
        )
        run = RunningSender(sender)
        await sender.start(run.on_outcome)
        delivery = run.send(make_delivery())
        await until(lambda: server.connections == 1)
        resolver.hosts = ["127.0.0.2"]
        now[0] = 100.0
        sender.tick(now[0])
        await until(lambda: len(resolver.lookups) == 2)
        gate.set()
        assert isinstance(await run.outcome(delivery), Answer)
        await until(lambda: sender.open_connections == 0)
        await sender.stop()


async def test_old_addresses_stay_in_use_while_the_name_can_not_be_looked_up() -> None:
    resolver = Resolver("127.0.0.1")
    async with ScriptedServer(behave) as server:
        now = [0.0]
        sender = wire_sender(f"http://service.test:{server.port}/", resolver=resolver, clock=lambda: now[0])
        run = RunningSender(sender)
        await sender.start(run.on_outcome)
        await run.answer()
        resolver.error = socket.gaierror(socket.EAI_FAIL, "down")
        now[0] = 100.0
        sender.tick(now[0])
        await until(lambda: len(resolver.lookups) == 2)
        assert (await run.answer()).status == 200
        assert server.connections == 1
        await sender.stop()


@needs_many_loopback_addresses
async def test_the_name_is_looked_up_again_after_connections_failed(unused_tcp_port: int) -> None:
    resolver = Resolver("127.0.0.7")
    now = [0.0]
    sender = wire_sender(f"http://service.test:{unused_tcp_port}/", resolver=resolver, clock=lambda: now[0])
    run = RunningSender(sender)
    await sender.start(run.on_outcome)
    await run.failure()
    await run.failure()
    assert len(resolver.lookups) == 1
    now[0] = 1.5
    await run.failure()
    assert len(resolver.lookups) == 2
    await sender.stop()


async def test_stopping_while_connecting_and_looking_up_leaves_nothing() -> None:
    resolver = Resolver("127.0.0.1")
    resolver.gate.clear()
    sender = wire_sender("http://service.test:1/", resolver=resolver)
    async with running(sender) as run:
        for offset in range(3):
            run.send(make_delivery(offset=offset))
        await asyncio.sleep(0)
    assert not run.outcomes
    await asyncio.sleep(0)
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


async def test_an_error_in_the_callback_does_not_stop_the_connection_from_being_used_or_closed() -> None:
    async with ScriptedServer(behave) as server:
        sender = wire_sender(server.url)
        seen: list[Any] = []
        problems: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: problems.append(context))

        def on_outcome(delivery: Any, outcome: Any) -> None:
            seen.append(outcome)
            raise RuntimeError("the engine's fault")

        await sender.start(on_outcome)
        for number in range(1, 4):
            sender.send(make_delivery())
            await until(lambda number=number: len(seen) == number)
        assert problems
        await sender.stop()
        assert sender.open_connections == 0


async def test_a_large_request_is_sent_as_the_peer_reads_it() -> None:
    value = b"x" * (16 * 1024 * 1024)
    received: list[int] = []

    async def reads_slowly(peer: Peer) -> None:
        while True:
            await asyncio.sleep(0.1)
            received.append(len(await peer.request()))
            await peer.send(OK)

    deliver = {"body": "bytes", "max_bytes": len(value)}
    async with ScriptedServer(reads_slowly) as server, running_sender("wire", server.url, **deliver) as run:
        assert (await run.answer(make_delivery(value))).status == 200
        assert (await run.answer(make_delivery(value))).status == 200
        assert received[0] > len(value)
        assert server.connections == 1


async def test_sending_starts_no_task_once_a_connection_is_open() -> None:
    async with ScriptedServer(behave) as server:
        sender = wire_sender(server.url)
        run = RunningSender(sender)
        await sender.start(run.on_outcome)
        await run.answer()
        before = asyncio.all_tasks()
        delivery = run.send(make_delivery())
        assert asyncio.all_tasks() == before
        assert isinstance(await run.outcome(delivery), Answer)
        await sender.stop()


async def test_an_ipv6_address_is_connected_to() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    async with ScriptedServer(behave, host="::1") as server:
        sender = wire_sender(f"http://[::1]:{server.port}/check")
        async with running(sender) as run:
            assert (await run.answer()).status == 200
