"""Answers as servers should never give them: right ones, and every way of damaging them; and what is right, told apart.

`is_whole_answer` is written for itself alone, from RFC 9112, and knows nothing of the reader that is tested with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from random import Random

_HEAD = re.compile(rb"HTTP/1\.[01] ([0-9]{3})[^\r\n]*\r\n((?:[^\r\n]*[^\r\n]\r\n)*)\r\n")
MARK = re.compile(rb"answer-[0-9a-f]{12}")
"""The body of a right answer."""
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[^\r\n]*\r\n")


def right_answer(random: Random) -> bytes:
    """A right answer whose body is a mark that no other has, in one of the ways that HTTP has for that."""
    body = b"answer-%012x" % random.getrandbits(48)
    status = random.choice([b"200 OK", b"201 ", b"503 Busy", b"404 Not Found", b"600 ?"])
    head = b"HTTP/1.1 " + status + b"\r\n"
    if random.random() < 0.2:
        head = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: </x>\r\n\r\n" + head
    if random.random() < 0.3:
        head += random.choice([b"Retry-After: 5\r\n", b"X:\t y\r\n", b"Date: now\r\n", b"Connection: keep-alive\r\n"])
    if random.random() < 0.4:
        cut = random.randint(1, len(body))
        pieces = [piece for piece in (body[:cut], body[cut:]) if piece]
        chunks = b"".join(b"%x%b\r\n%b\r\n" % (len(p), random.choice([b"", b";a=b"]), p) for p in pieces)
        trailer = random.choice([b"", b"X-Sum: 1\r\n"])
        return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n" + trailer + b"\r\n"
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def is_whole_answer(data: bytes) -> bool:
    """Whether this is exactly one final answer that says itself where it ends, with 1xx answers before it or not.

    Empty lines behind it are let be, as RFC 9112, section 2.2, has it before requests: nothing can be made of them.
    """
    while (match := _HEAD.match(data)) is not None and match[1].startswith(b"1"):
        data = data[match.end() :]
    if match is None:
        return False
    fields = [line.partition(b":") for line in match[2].split(b"\r\n")[:-1]]
    lengths = [value.strip() for name, _, value in fields if name.lower() == b"content-length"]
    codings = [value.strip().lower() for name, _, value in fields if name.lower() == b"transfer-encoding"]
    body = data[match.end() :]
    if match[1] in (b"204", b"304"):
        return not body.strip(b"\r\n")
    if lengths and codings:
        return False
    if codings:
        return codings[-1].endswith(b"chunked") and _ends_with_its_chunks(body)
    if len(lengths) != 1 or not lengths[0].isdigit() or len(body) < int(lengths[0]):
        return False
    return not body[int(lengths[0]) :].strip(b"\r\n")


def _ends_with_its_chunks(body: bytes) -> bool:
    while (match := _CHUNK.match(body)) is not None:
        size = int(match[1], 16)
        body = body[match.end() :]
        if not size:
            return re.fullmatch(rb"(?:[^\r\n]+\r\n)*\r\n[\r\n]*", body) is not None
        if body[size : size + 2] != b"\r\n":
            return False
        body = body[size + 2 :]
    return False


def _flip(data: bytes, random: Random) -> bytes:
    at = random.randrange(len(data))
    return data[:at] + bytes((data[at] ^ 1 << random.randrange(8),)) + data[at + 1 :]


def _leave_out(data: bytes, random: Random) -> bytes:
    at = random.randrange(len(data))
    return data[:at] + data[at + random.randint(1, 8) :]


def _repeat(data: bytes, random: Random) -> bytes:
    at = random.randrange(len(data))
    return data[:at] + data[at : at + random.randint(1, 30)] * random.randint(2, 3) + data[at:]


def _put_in(data: bytes, random: Random) -> bytes:
    at = random.randint(0, len(data))
    piece = random.choice(
        [
            b"\r\n", b"\n", b"\r", b"\0", b"0\r\n\r\n", b":", b" ", b"Content-Length: 3\r\n", b"content-length:0\r\n",
            b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip, chunked\r\n", b"Connection: close\r\n",
            b"Connection: upgrade\r\nUpgrade: h2c\r\n", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 C\r\n\r\n", b"\xff\xfe",
            b"HTTP/1.0 ", b"fffffffffffffff\r\n", b"-1", b"x" * random.randint(1, 9000), b" folded\r\n",
        ]
    )  # fmt: skip
    return data[:at] + piece + data[at:]


def _cut(data: bytes, random: Random) -> bytes:
    return data[: random.randrange(len(data))]


def _follow(data: bytes, random: Random) -> bytes:
    return data + random.choice([b"x", b"\r\n", b"\0", data, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"])


_DAMAGES: tuple[Callable[[bytes, Random], bytes], ...] = (_flip, _leave_out, _repeat, _put_in, _cut, _follow)


def damaged(data: bytes, random: Random) -> bytes:
    """The same with one to three things wrong."""
    for _ in range(random.randint(1, 3)):
        if data:
            data = random.choice(_DAMAGES)(data, random)
    return data


def sliced(data: bytes, random: Random) -> list[bytes]:
    """The same in pieces, as a network might deliver it."""
    if random.random() < 0.4:
        return [data] if data else []
    cuts = sorted({0, len(data), *(random.randint(0, len(data)) for _ in range(random.randint(1, 6)))})
    return [data[start:end] for start, end in pairwise(cuts)]
