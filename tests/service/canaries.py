"""Words that must turn up nowhere but where they belong, and a service that does its best to spread them."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field

from tests.http.scripted_server import Peer

ESCAPES = "\x1b[2J\x1b]0;title\x07\r\n\u202eevil\u2066\u2028\x9b31m"
"""Clears a terminal, names its window, begins a line, and turns the direction of text."""

TOKEN, NEW_TOKEN, BAD_TOKEN = "canary-token-1", "canary-token-2", "canary-token-3\x01"
SECRET_HEADER, QUERY, CONSOLE_TOKEN = "canary-header-secret", "canary-query-secret", "canary-console-token-0123456789"
KEY, VALUE, HEADER_VALUE = "canary-record-key", "canary-record-value", "canary-record-header"
ANSWER, ANSWER_HEADER, REASON = "canary-answer-body", "canary-answer-header", "canary-answer-reason"

SECRETS = ("canary-token", SECRET_HEADER, QUERY, CONSOLE_TOKEN)
"""Ours: these are in nothing that is told, whoever looks."""
OF_RECORDS = (KEY, VALUE, HEADER_VALUE)
OF_ANSWERS = (ANSWER, ANSWER_HEADER, REASON)

RECORDS = 40
RUBBISH = [f"{VALUE} {ESCAPES}".encode(), b'{"' + VALUE.encode() + b'": \xff}', f'["{VALUE}", NaN]'.encode()]
DEAD_LETTERS = RECORDS // 8 * 2 + len(RUBBISH)


def record_value(number: int) -> bytes:
    """A value with a number, and what should not be told."""
    return json.dumps({"number": number, "note": VALUE, "token": VALUE, "text": ESCAPES}).encode()


@dataclass
class Spreading:
    """The script of a server that answers each number in a way of its own, with canaries in all that it sends."""

    refuses: bool = False
    accepted: set[int] = field(default_factory=set)
    authorizations: set[bytes] = field(default_factory=set)
    seen: Counter[int] = field(default_factory=Counter)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def script(self, peer: Peer) -> None:
        while True:
            request = await peer.request()
            head, _, body = request.partition(b"\r\n\r\n")
            self.authorizations |= {line for line in head.split(b"\r\n") if line.startswith(b"Authorization")}
            number = json.loads(body)["number"]
            self.seen[number] += 1
            keeps = await self._answer(peer, number, head)
            self.news.set()
            if not keeps:
                return

    async def until(self, condition: str, seconds: float = 60.0) -> None:
        """Wait until an expression about this object is true."""
        async with asyncio.timeout(seconds):
            while not eval(condition, {"it": self, "RECORDS": RECORDS}):
                self.news.clear()
                await self.news.wait()

    async def _answer(self, peer: Peer, number: int, head: bytes) -> bool:
        kind = 8 if self.refuses else number % 8
        if kind in (2, 3, 4, 7) and self.seen[number] > 1:
            kind = 0
        reason = f"{REASON} {ESCAPES}".replace("\r\n", "").encode()
        # What we were sent comes back: our secrets are in it.
        body = ANSWER.encode() + b" " + head + ESCAPES.encode()
        if kind == 3:
            await peer.send(f"{ANSWER} {ESCAPES}".encode())
            return False
        if kind == 4:
            return False
        status = {0: b"200", 1: b"400", 2: b"500", 5: b"302", 6: b"201", 7: b"503", 8: b"401"}[kind]
        fields = b"".join(b"%b: %b\r\n" % (n, ANSWER_HEADER.encode()) for n in (b"X-Id", b"Location", b"Retry-After"))
        await peer.send(b"HTTP/1.1 %b %b\r\n%bContent-Length: %d\r\n\r\n%b" % (status, reason, fields, len(body), body))
        if kind in (0, 6):
            self.accepted.add(number)
        return True
