"""Whatever a server does, an attempt ends with its own named reason, and its connection is not used again."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable
from typing import NamedTuple

import pytest
from tests.http.scripted_server import Peer, Script, ScriptedServer, badly_at_first
from tests.http.sender_harness import make_delivery, running_sender, until

from hookline.engine.verdicts import Answer, Failure, FailureKind, Outcome

OK_HEAD = b"HTTP/1.1 200 OK\r\n"
LIMITS = {"answer_header_bytes": "16KiB", "answer_body_bytes": "64KiB"}
SHORT = LIMITS | {"timeout": 0.4, "connect_timeout": 0.3}
PATIENT = LIMITS | {"timeout": 20.0, "connect_timeout": 10.0}


class Case(NamedTuple):
    """One way to misbehave: what may come of it, and with which senders it is tested."""

    script: Script
    expected: FailureKind | int | tuple[FailureKind | int, ...]
    senders: tuple[str, ...] = ("wire", "aiohttp")
    value: bytes = b'{"token":"t-1"}'


async def says_nothing(peer: Peer) -> None:
    await peer.request()
    await peer.rest()


async def does_not_even_read(peer: Peer) -> None:
    await asyncio.sleep(60)


async def sends_a_byte_of_the_head_at_a_time(peer: Peer) -> None:
    await peer.request()
    await peer.trickle(OK_HEAD + b"X-Slow: " + b"a" * 10_000)


async def sends_a_byte_of_the_body_at_a_time(peer: Peer) -> None:
    await peer.request()
    await peer.send(OK_HEAD + b"Content-Length: 10000\r\n\r\n")
    await peer.trickle(b"a" * 10_000)


def after_request(data: bytes) -> Script:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(data)
        await peer.rest()

    return script


def pours(head: bytes, piece: bytes) -> Script:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(head)
        await peer.pour(piece)

    return script


def closes_after(data: bytes) -> Script:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(data)

    return script


def resets_after(data: bytes) -> Script:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(data)
        await asyncio.sleep(0.05)
        peer.reset()

    return script


async def closes_at_once(peer: Peer) -> None:
    return


async def resets_at_once(peer: Peer) -> None:
    peer.reset()


async def shuts_its_side_without_an_answer(peer: Peer) -> None:
    await peer.request()
    peer.writer.write_eof()
    await peer.rest()


async def shuts_its_side_after_an_answer_without_length(peer: Peer) -> None:
    await peer.request()
    await peer.send(OK_HEAD + b"\r\nall of it")
    peer.writer.write_eof()
    await peer.rest()


async def sends_1xx_without_end(peer: Peer) -> None:
    await peer.request()
    while True:
        await peer.send(INFORMATIONAL * 5)
        await asyncio.sleep(0.002)


async def answers_before_the_request_ended(peer: Peer) -> None:
    await peer.request_head()
    await peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 9\r\n\r\ntoo large")
    await asyncio.sleep(60)


BIG = b'"' + b"x" * (8 * 1024 * 1024) + b'"'
ANSWER_AND_RUBBISH = OK_HEAD + b"Content-Length: 2\r\n\r\nok\x00\xff"
BODY_BEHIND_204 = b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok"
INFORMATIONAL = b"HTTP/1.1 102 Processing\r\n\r\n"

CASES = {
    "silence": Case(says_nothing, FailureKind.TIMEOUT),
    "silence without reading": Case(does_not_even_read, FailureKind.TIMEOUT),
    "silence without reading a large request": Case(does_not_even_read, FailureKind.TIMEOUT, value=BIG),
    "one byte of the head at a time": Case(sends_a_byte_of_the_head_at_a_time, FailureKind.TIMEOUT),
    "one byte of the body at a time": Case(sends_a_byte_of_the_body_at_a_time, FailureKind.TIMEOUT),
    "endless body with a length": Case(pours(OK_HEAD + b"Content-Length: 99999999999\r\n\r\n", b"x" * 9999), 200),
    "endless body in chunks": Case(
        pours(OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"5\r\nabcde\r\n" * 500), 200
    ),
    "endless body without length": Case(pours(b"HTTP/1.1 500 Oh\r\n\r\n", b"x" * 9999), 500),
    "endless chunk extension": Case(
        pours(OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n5;", b"x" * 999),
        FailureKind.ANSWER_HEADERS_TOO_LARGE,
        ("wire",),
    ),
    "endless trailers": Case(
        pours(OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-A: b\r\n" * 99),
        FailureKind.ANSWER_HEADERS_TOO_LARGE,
        ("wire",),
    ),
    "endless 1xx": Case(sends_1xx_without_end, FailureKind.ANSWER_INFORMATIONAL_FLOOD),
    "flood of 1xx": Case(pours(b"", INFORMATIONAL * 1000), FailureKind.ANSWER_INFORMATIONAL_FLOOD, ("wire",)),
    "10 MB header": Case(pours(OK_HEAD + b"X-Big: ", b"x" * 10_000), FailureKind.ANSWER_HEADERS_TOO_LARGE),
    "header name without end": Case(pours(OK_HEAD, b"x" * 10_000), FailureKind.ANSWER_HEADERS_TOO_LARGE),
    "status line without end": Case(pours(b"HTTP/1.1 200 ", b"x" * 999), FailureKind.ANSWER_HEADERS_TOO_LARGE),
    "10,000 headers": Case(
        after_request(OK_HEAD + b"A:b\r\n" * 10_000 + b"Content-Length: 0\r\n\r\n"),
        FailureKind.ANSWER_HEADERS_TOO_LARGE,
    ),
    "bad chunk": Case(
        after_request(OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n"), FailureKind.ANSWER_MALFORMED
    ),
    "chunk longer than it says": Case(
        after_request(OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nabcdef\r\n0\r\n\r\n"),
        FailureKind.ANSWER_MALFORMED,
    ),
    "length, then chunked": Case(
        after_request(OK_HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        FailureKind.ANSWER_AMBIGUOUS_LENGTH,
    ),
    "chunked, then length": Case(
        after_request(OK_HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
        FailureKind.ANSWER_AMBIGUOUS_LENGTH,
    ),
    "two lengths": Case(
        after_request(OK_HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc"),
        FailureKind.ANSWER_AMBIGUOUS_LENGTH,
    ),
    "negative length": Case(after_request(OK_HEAD + b"Content-Length: -1\r\n\r\n"), FailureKind.ANSWER_MALFORMED),
    "two answers": Case(after_request((OK_HEAD + b"Content-Length: 2\r\n\r\nok") * 2), 200),
    "rubbish behind the answer": Case(after_request(ANSWER_AND_RUBBISH), 200, ("wire",)),
    "204 with a body": Case(after_request(BODY_BEHIND_204), 204, ("wire",)),
    # aiohttp parses what came together as one, and takes none of it when a part is malformed.
    "rubbish after the answer": Case(
        after_request(ANSWER_AND_RUBBISH), (200, FailureKind.ANSWER_MALFORMED), ("aiohttp",)
    ),
    "body after 204": Case(after_request(BODY_BEHIND_204), (204, FailureKind.ANSWER_MALFORMED), ("aiohttp",)),
    "answer before the request ended": Case(answers_before_the_request_ended, 413, value=BIG),
    # The system answers with a reset when the request arrives after the end.
    "close at once": Case(closes_at_once, (FailureKind.CLOSED_WITHOUT_ANSWER, FailureKind.CONNECTION_RESET)),
    "close after the request": Case(closes_after(b""), FailureKind.CLOSED_WITHOUT_ANSWER),
    "close in the head": Case(closes_after(OK_HEAD + b"X-Half: "), FailureKind.CLOSED_IN_ANSWER),
    "close in the body": Case(closes_after(OK_HEAD + b"Content-Length: 9\r\n\r\nhalf"), FailureKind.CLOSED_IN_ANSWER),
    "close in a chunk": Case(
        closes_after(OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n9\r\nhalf"), FailureKind.CLOSED_IN_ANSWER
    ),
    "reset at once": Case(resets_at_once, FailureKind.CONNECTION_RESET),
    "reset after the request": Case(resets_after(b""), FailureKind.CONNECTION_RESET),
    "reset in the head": Case(resets_after(OK_HEAD + b"X-Half: "), FailureKind.CLOSED_IN_ANSWER, ("wire",)),
    "reset in the body": Case(resets_after(OK_HEAD + b"Content-Length: 9\r\n\r\nhalf"), FailureKind.CLOSED_IN_ANSWER),
    "reset in a body without length": Case(
        resets_after(OK_HEAD + b"\r\nhalf"), FailureKind.CLOSED_IN_ANSWER, ("wire",)
    ),
    "half-close without an answer": Case(shuts_its_side_without_an_answer, FailureKind.CLOSED_WITHOUT_ANSWER),
    "half-close behind an answer without length": Case(shuts_its_side_after_an_answer_without_length, 200),
    "rubbish": Case(after_request(b"SSH-2.0-OpenSSH_9.6\r\n"), FailureKind.ANSWER_MALFORMED),
    "TLS where HTTP was asked for": Case(after_request(b"\x15\x03\x01\x00\x02\x02\x46"), FailureKind.ANSWER_MALFORMED),
    "another protocol": Case(
        after_request(b"RTSP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"), FailureKind.ANSWER_MALFORMED, ("wire",)
    ),
    "101": Case(
        after_request(b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n\x00\x00"),
        FailureKind.ANSWER_SWITCHED_PROTOCOLS,
    ),
    "101 without Upgrade": Case(
        after_request(b"HTTP/1.1 101 Switching\r\n\r\n"), FailureKind.ANSWER_SWITCHED_PROTOCOLS, ("wire",)
    ),
    "Connection: close": Case(
        after_request(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"), 200
    ),
    "HTTP/1.0": Case(after_request(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"), 200),
}

PAIRS = [
    pytest.param(sender, case, id=f"{name} to {sender}") for name, case in CASES.items() for sender in case.senders
]


def meets(outcome: Outcome, case: Case) -> bool:
    expected = case.expected if isinstance(case.expected, tuple) else (case.expected,)
    return (outcome.kind if isinstance(outcome, Failure) else outcome.status) in expected


@pytest.mark.parametrize(("sender", "case"), PAIRS)
async def test_misbehaviour_has_its_own_reason_and_ends_its_connection(sender: str, case: Case) -> None:
    # Only what ends by the deadline should reach it, on a busy machine too.
    deadlines = SHORT if case.expected == FailureKind.TIMEOUT else PATIENT
    async with (
        ScriptedServer(badly_at_first(case.script)) as server,
        running_sender(sender, server.url, max_bytes="16MiB", **deadlines) as run,
    ):
        outcome = await run.exchange(make_delivery(case.value))
        assert meets(outcome, case), outcome
        if isinstance(outcome, Answer):
            assert len(outcome.body) <= 64 * 1024
        assert (await run.answer()).status == 200
        assert server.connections == 2
        if sender == "wire":
            await until(lambda: run.sender.open_connections == 1)


@pytest.mark.parametrize("sender", ["wire", "aiohttp"])
async def test_a_compressed_answer_is_not_unpacked(sender: str) -> None:
    bomb = gzip.compress(b"\0" * 10_000_000)
    head = OK_HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    async with ScriptedServer(after_request(head + bomb)) as server, running_sender(sender, server.url) as run:
        assert (await run.answer()).body == bomb


@pytest.mark.parametrize("sender", ["wire", "aiohttp"])
async def test_a_few_1xx_answers_are_skipped(sender: str) -> None:
    data = (
        INFORMATIONAL * 3 + b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK_HEAD + b"Content-Length: 2\r\n\r\nok"
    )
    async with ScriptedServer(after_request(data)) as server, running_sender(sender, server.url) as run:
        assert await run.answer() == Answer(200, b"ok")


@pytest.mark.parametrize("sender", ["wire", "aiohttp"])
async def test_a_hundred_attempts_at_a_hostile_server_leave_nothing_open(sender: str) -> None:
    async with (
        ScriptedServer(after_request(b"rubbish")) as server,
        running_sender(sender, server.url, in_flight=100) as run,
    ):
        deliveries = [run.send(make_delivery(offset=offset)) for offset in range(100)]
        kinds = {getattr(await run.outcome(delivery), "kind", None) for delivery in deliveries}
        assert kinds == {FailureKind.ANSWER_MALFORMED}
        await until(lambda: server.open == 0)


@pytest.mark.parametrize("sender", ["wire", "aiohttp"])
@pytest.mark.parametrize(
    "close", [lambda peer: peer.writer.close(), lambda peer: peer.reset()], ids=["closed", "reset"]
)
async def test_a_connection_closed_between_requests_costs_one_retry_on_a_fresh_one(
    sender: str, close: Callable[[Peer], None]
) -> None:
    async def answers_one_request_a_connection(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK_HEAD + b"Content-Length: 2\r\n\r\nok")
        await peer.request()
        close(peer)

    async with (
        ScriptedServer(answers_one_request_a_connection) as server,
        running_sender(sender, server.url) as run,
    ):
        assert (await run.answer()).status == 200
        assert (await run.answer()).status == 200
        assert run.sender.connection_retries == 1
        assert server.connections == 2
        assert run.sender.connections_opened == 2


@pytest.mark.parametrize("sender", ["wire", "aiohttp"])
async def test_the_retry_is_not_repeated(sender: str) -> None:
    async def answers_once_in_all(peer: Peer) -> None:
        await peer.request()
        if peer.number == 1:
            await peer.send(OK_HEAD + b"Content-Length: 2\r\n\r\nok")
            await peer.request()

    async with ScriptedServer(answers_once_in_all) as server, running_sender(sender, server.url) as run:
        assert (await run.answer()).status == 200
        assert (await run.failure()).kind is FailureKind.CLOSED_WITHOUT_ANSWER
        assert run.sender.connection_retries == 1
        assert server.connections == 2


@pytest.mark.parametrize("sender", ["wire", "aiohttp"])
async def test_no_retry_once_something_of_an_answer_came(sender: str) -> None:
    async def breaks_off_the_second_answer(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK_HEAD + b"Content-Length: 2\r\n\r\nok")
        await peer.request()
        await peer.send(OK_HEAD + b"Content-Length: 2\r\n\r\n")

    async with ScriptedServer(breaks_off_the_second_answer) as server, running_sender(sender, server.url) as run:
        assert (await run.answer()).status == 200
        assert (await run.failure()).kind is FailureKind.CLOSED_IN_ANSWER
        assert run.sender.connection_retries == 0
        assert server.connections == 1


@pytest.mark.parametrize("sender", ["wire", "aiohttp"])
async def test_a_cancelled_attempt_closes_its_connection_and_has_no_outcome(sender: str) -> None:
    arrived = asyncio.Event()

    async def waits(peer: Peer) -> None:
        await peer.request()
        arrived.set()
        await peer.rest()

    async with ScriptedServer(waits) as server, running_sender(sender, server.url) as run:
        delivery = run.send(make_delivery())
        await asyncio.wait_for(arrived.wait(), 5)
        run.sender.cancel(delivery)
        run.sender.cancel(delivery)
        await until(lambda: server.open == 0)
        assert not run.outcomes


@pytest.mark.parametrize("sender", ["wire", "aiohttp"])
async def test_stopping_ends_running_attempts_without_an_outcome(sender: str) -> None:
    arrived = asyncio.Event()

    async def waits(peer: Peer) -> None:
        await peer.request()
        arrived.set()
        await peer.rest()

    async with ScriptedServer(waits) as server:
        async with running_sender(sender, server.url) as run:
            run.send(make_delivery())
            await asyncio.wait_for(arrived.wait(), 5)
        assert not run.outcomes
        await until(lambda: server.open == 0)
