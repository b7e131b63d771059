"""What one request costs, in microseconds of CPU of the sending process, for each way to send it.

    python benchmarks/experiments/http_sender_cost.py [--requests N] [--rounds N] [--in-flight N] [--numbered]
        [CONTENDER ...]

A server of the same loop runs in a process of its own and answers each read with the same bytes, or with `--numbered`
with other ones each time; the contenders take turns, and the fewest microseconds of all rounds are shown. `bare` is the
least that Python can do: a prepared request, one httptools parser a connection, no deadline, no checks, no counting.
`wire-bytes` is the wire sender without the JSON check.

Seen on 2026-11-24 on two cores, Python 3.11.7, uvloop 0.23, 64 in flight, a request of 560 and an answer of 190 bytes:

    bare            8.6 us    1.00       of which 6.9 in the system
    wire           12.9 us    1.50       8.7 in the system: a slower sender wakes a sleeping server more often
    wire-bytes     11.8 us    1.38
    aiohttp         230 us      25       a task for each attempt, traces, deadlines
    wire, numbered   19 us    2.2        each answer goes through the parser

What was tried for `wire`, each in the same run as the variant before it, for the Python part of a request and an answer
(fewest of 400 rounds of 1,000, no network; 4.4 us at the beginning, 2.5 at the end):

    answers known by heart      -1.4 us  a look-up of the whole answer in place of the parser and three callbacks
    ids of 64 bits with the     -0.4 us  bytes formatting has a fast path for %x, not for %016x
        highest bit set
    one count less in the       -0.2 us  bytes.count looks at one byte after the other
        check for depth
    no callback for headers     -0.5 us  the head is looked through only when something in it matters
    list.append and list.pop    -0.3 us  instead of Python functions as the parser's callbacks; not kept: an answer in
        as callbacks                     pieces needs a second parser then
    f"..." and "..." %          +0.3 us  in place of b"..." %
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import multiprocessing
import random
import time
from multiprocessing.connection import Connection

import httptools
import uvloop

from hookline.engine.delivery import Delivery
from hookline.engine.records import SourceRecord
from hookline.engine.verdicts import Answer, Outcome
from hookline.http.adapters import make_sender
from hookline.http.ports import Sender
from hookline.settings.tree import Settings

VALUE = (
    b'{"session_id":"3f6a9c1e-1111-2222-3333-444455556666","driver_token":"tok_1234567890","station":"DE*ABC*E123",'
    b'"connector":1,"started_at":"2026-11-24T20:29:11Z","kwh":12.5,"tariff":"A"}'
)
ANSWER = (
    b"HTTP/1.1 200 OK\r\nServer: test\r\nDate: Tue, 24 Nov 2026 20:29:11 GMT\r\nContent-Type: application/json\r\n"
    b'Content-Length: 21\r\nConnection: keep-alive\r\n\r\n{"status":"Accepted"}'
)


class AnswersEachRead(asyncio.Protocol):
    """Answers without looking at what came: the cheapest server there is."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.write = transport.write  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self.write(ANSWER)


class NumbersEachAnswer(AnswersEachRead):
    """The same with a header that is another one in each answer."""

    numbers = itertools.count(10**9)

    def data_received(self, data: bytes) -> None:
        self.write(ANSWER.replace(b"Server: test", b"X-Request-Id: %d" % next(self.numbers)))


def serve(pipe: Connection, numbered: bool) -> None:
    async def main() -> None:
        protocol = NumbersEachAnswer if numbered else AnswersEachRead
        server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await asyncio.get_running_loop().run_in_executor(None, pipe.recv)

    uvloop.run(main())


class Bare(asyncio.Protocol):
    """One connection of the bare contender."""

    def __init__(self, request: bytes, left: list[int], done: asyncio.Event) -> None:
        self.request, self.left, self.done = request, left, done
        self.parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.write = transport.write  # type: ignore[attr-defined]
        self.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_complete(self) -> None:
        self.left[0] -= 1
        if self.left[0] > 0:
            self.write(self.request)
        elif self.left[0] == 0:
            self.done.set()


async def send_bare(port: int, requests: int, in_flight: int) -> float:
    head = f"POST /check HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {len(VALUE)}\r\n\r\n"
    left, done = [requests], asyncio.Event()
    loop = asyncio.get_running_loop()
    started = time.process_time()
    opened = [
        await loop.create_connection(lambda: Bare(head.encode() + VALUE, left, done), "127.0.0.1", port)
        for _ in range(in_flight)
    ]
    await done.wait()
    spent = time.process_time() - started
    for transport, _ in opened:
        transport.abort()
    return spent


async def send_with(sender: Sender, requests: int, in_flight: int) -> float:
    done = asyncio.Event()
    deliveries = [
        Delivery(SourceRecord("charging_sessions", n % 4, n, 0, b"key", VALUE), None, 0.0)  # type: ignore[arg-type]
        for n in range(in_flight)
    ]
    left = requests

    def on_outcome(delivery: Delivery, outcome: Outcome) -> None:
        nonlocal left
        if type(outcome) is not Answer:
            raise AssertionError(outcome)
        left -= 1
        if left > 0:
            delivery.offset += in_flight
            sender.send(delivery)
        elif left == 0:
            done.set()

    await sender.start(on_outcome)
    started = time.process_time()
    for delivery in deliveries:
        delivery.attempt = 1
        sender.send(delivery)
    await done.wait()
    spent = time.process_time() - started
    await sender.stop()
    return spent


def measure(contender: str, port: int, requests: int, in_flight: int) -> float:
    """Microseconds of CPU for each request."""
    if contender == "bare":
        spent = uvloop.run(send_bare(port, requests, in_flight))
    else:
        name, _, body = contender.partition("-")
        deliver = {
            "url": f"http://127.0.0.1:{port}/check",
            "in_flight": in_flight,
            "sender": name,
            "body": body or "json",
        }
        sender = make_sender(Settings.model_validate({"deliver": deliver}))
        random.seed(1)
        spent = uvloop.run(send_with(sender, requests, in_flight))
    return spent / requests * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("contenders", nargs="*", default=["bare", "wire", "wire-bytes", "aiohttp"])
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--numbered", action="store_true", help="no two answers are the same")
    arguments = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=serve, args=(theirs, arguments.numbered), daemon=True)
    server.start()
    port = ours.recv()
    fewest: dict[str, float] = {}
    for _ in range(arguments.rounds):
        for contender in arguments.contenders:
            requests = arguments.requests // (10 if contender == "aiohttp" else 1)
            spent = measure(contender, port, requests, arguments.in_flight)
            fewest[contender] = min(spent, fewest.get(contender, spent))
    ours.send("stop")
    server.join(5)
    for contender, microseconds in fewest.items():
        ratio = microseconds / fewest.get("bare", microseconds)
        print(f"{contender:12} {microseconds:7.2f} us of CPU a request   {ratio:5.2f} times bare")


if __name__ == "__main__":
    main()
