"""The HTTP service of a chaos run, in a process of its own: `python -m tests.chaos.receiver CONTROL_PORT PORT JOURNAL`.

It keeps account in a journal of one JSON list a line, in the order in which things happened here:

    ["begin", seconds, request, life, id, key, sequence, partition]
    ["end", seconds, request, outcome]

`life` is the sender's X-Life header: which member, and how often it was started before. The outcome is `accepted` (2xx,
written to the connection), `rejected` (422, for records that ask for it), `refused` (any other answer), `rubbish`, or
`gone` (no answer: the connection ended first). Seconds are of the monotonic clock, which all processes share.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, TextIO, cast

import httptools
from tests.chaos.control import HOST, Handler, serve_forever

LATENCY_SECONDS = (0.005, 0.06)
SLOW_SECONDS = (0.8, 1.8)
_BACKLOG = 512
_FLUSH_SECONDS = 0.2
_ACCEPTED = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 21\r\n\r\n{"status":"Accepted"}'
_REJECTED = b"HTTP/1.1 422 Unprocessable Content\r\nContent-Length: 0\r\n\r\n"
_THROTTLED = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"
_ERRORS = (b"500 Internal Server Error", b"502 Bad Gateway", b"503 Service Unavailable", b"504 Gateway Timeout")
RUBBISH = (
    b"\x00\xff\x00\xff" * 16,
    b"HTTP/1.1 banana\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello",
    b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nand there it ends",
    b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n",
    b"<html>it works</html>",
)
"""None of these is an answer: whoever takes one for a success has lost a record."""


class Receiver:
    """The account and how it behaves now."""

    def __init__(self, port: int, journal: TextIO) -> None:
        self._port = port
        self._journal = journal
        self._server: asyncio.Server | None = None
        self._requests = 0
        self._settled: set[int] = set()
        self._watermark = 0
        self.connections: set[Connection] = set()
        self.behaviour = "normal"
        self.share = 1.0
        self.counts: Counter[str] = Counter()

    async def start(self) -> None:
        """Begin to serve, and to write the journal out now and then."""
        await self._listen()
        asyncio.get_running_loop().call_later(_FLUSH_SECONDS, self._flush)

    async def handle(self, command: dict[str, Any]) -> Any:
        """Do one command of the run."""
        if command["command"] == "behave":
            await self._behave(command["behaviour"], command["share"])
            return None
        if command["command"] == "progress":
            return {"watermark": self._watermark, "settled": len(self._settled), "counts": dict(self.counts)}
        if command["command"] == "flush":
            self._journal.flush()
            return None
        raise ValueError(command["command"])

    def begin(self, life: str, record: dict[str, Any]) -> int:
        """Note a request; its number."""
        self._requests += 1
        now = round(time.monotonic(), 4)
        line = ["begin", now, self._requests, life, record["id"], record["key"], record["sequence"]]
        self._journal.write(json.dumps([*line, record["partition"]]) + "\n")
        return self._requests

    def end(self, request: int, record_id: int, outcome: str) -> None:
        """Note how a request ended."""
        self._journal.write(json.dumps(["end", round(time.monotonic(), 4), request, outcome]) + "\n")
        self.counts[outcome] += 1
        if outcome in ("accepted", "rejected"):
            self._settled.add(record_id)
            while self._watermark in self._settled:
                self._watermark += 1

    def answer_for(self, record: dict[str, Any]) -> tuple[bytes | None, str, float]:
        """What to answer, None for never; what that is; and after how many seconds."""
        delay = random.uniform(*LATENCY_SECONDS)
        misbehaves = self.behaviour != "normal" and random.random() < self.share
        if misbehaves and self.behaviour == "errors":
            answer = b"HTTP/1.1 %b\r\nContent-Length: 0\r\n\r\n" % random.choice(_ERRORS)
            return answer, "refused", delay
        if misbehaves and self.behaviour == "throttle":
            return _THROTTLED, "refused", delay
        if misbehaves and self.behaviour == "stall":
            return None, "gone", 0.0
        if misbehaves and self.behaviour == "rubbish":
            return random.choice(RUBBISH), "rubbish", delay
        if misbehaves and self.behaviour == "slow":
            delay = random.uniform(*SLOW_SECONDS)
        return (_REJECTED, "rejected", delay) if record.get("reject") else (_ACCEPTED, "accepted", delay)

    async def _behave(self, behaviour: str, share: float) -> None:
        was, self.behaviour, self.share = self.behaviour, behaviour, share
        if behaviour == "down" or was == "stall":
            for connection in list(self.connections):
                if behaviour == "down" or connection.stalled:
                    connection.abort()
        if behaviour == "down":
            if self._server is not None:
                self._server.close()
                self._server = None
        else:
            await self._listen()

    async def _listen(self) -> None:
        if self._server is None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(
                lambda: Connection(self), HOST, self._port, backlog=_BACKLOG, reuse_address=True
            )

    def _flush(self) -> None:
        self._journal.flush()
        asyncio.get_running_loop().call_later(_FLUSH_SECONDS, self._flush)


class Connection(asyncio.Protocol):
    """One connection, with one request under way at a time."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._under_way: tuple[int, int] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.stalled = False
        self._new_request()

    def _new_request(self) -> None:
        # httptools' parser calls the methods below that begin with on_.
        self._parser = httptools.HttpRequestParser(self)
        self._life = ""
        self._body = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._receiver.connections.add(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"x-life":
            self._life = value.decode("ascii")

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        if self._under_way is not None:
            raise RuntimeError("a request came while the one before it on the same connection waits")
        record = json.loads(self._body)
        self._under_way = (self._receiver.begin(self._life, record), record["id"])
        answer, outcome, delay = self._receiver.answer_for(record)
        self.stalled = answer is None
        if answer is not None:
            self._timer = self._loop.call_later(delay, self._answer, answer, outcome)

    def _answer(self, answer: bytes, outcome: str) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        self._end(outcome)
        self._transport.write(answer)
        if outcome == "rubbish":
            self._transport.close()
        else:
            self._new_request()

    def connection_lost(self, error: Exception | None) -> None:
        self._receiver.connections.discard(self)
        self._end("gone")

    def abort(self) -> None:
        """End it at once, whatever is under way."""
        self._end("gone")
        if self._transport is not None:
            self._transport.abort()

    def _end(self, outcome: str) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            self._receiver.end(*under_way, outcome)


async def _make_handler() -> Handler:
    receiver = Receiver(int(sys.argv[2]), Path(sys.argv[3]).open("w", encoding="ascii"))  # noqa: SIM115, ASYNC230
    await receiver.start()
    return receiver.handle


if __name__ == "__main__":
    serve_forever(int(sys.argv[1]), _make_handler)
