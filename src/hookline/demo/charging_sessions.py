"""Synthetic charging sessions: the same bytes, in the same order, for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from hookline.demo.driver_tokens import DriverTokens

UNKNOWN_TOKEN_SHARE = 0.001
MALFORMED_SHARE = 0.002
ID_HEADER = "demo-session-id"
"""The record header with the session's id, by which a dead letter is recognized whatever its value."""

_START = datetime(2026, 1, 1, tzinfo=UTC)
_CONNECTORS = ("CCS2", "CCS2", "CCS2", "TYPE2", "TYPE2", "CHADEMO")
_POWERS_KW = (11, 22, 50, 150, 300)
_EVENTS = ("started", "updated", "updated", "ended")


class Flaw(StrEnum):
    """What is wrong with a record on purpose, so that it must be found in the dead-letter topic."""

    UNKNOWN_TOKEN = "unknown_token"  # noqa: S105
    TRUNCATED = "truncated"
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    TOO_DEEP = "too_deep"
    FIELDS_MISSING = "fields_missing"


_MALFORMED = (Flaw.TRUNCATED, Flaw.NOT_UTF8, Flaw.NOT_JSON, Flaw.TOO_DEEP, Flaw.FIELDS_MISSING)


@dataclass(frozen=True, slots=True)
class ChargingSession:
    """One record to produce: `key` is the driver token, `sequence` counts the records of that key from 1."""

    id: str
    key: bytes
    value: bytes
    sequence: int
    flaw: Flaw | None = None


def charging_sessions(seed: int, malformed: bool = False) -> Iterator[ChargingSession]:
    """Sessions without end, of about 190 bytes; with `malformed`, one in 500 is one that nobody can read.

    One in 1,000 has a token that the service does not know. Whatever is malformed has a key and takes a sequence
    number too, so that the service sees a gap there and nothing else.
    """
    source = random.Random(f"charging sessions {seed}")
    tokens = DriverTokens(seed)
    sequences: dict[str, int] = {}
    index = 0
    while True:
        flaw = _draw_flaw(source, malformed)
        token = source.choice(tokens.unknown) if flaw is Flaw.UNKNOWN_TOKEN else tokens.draw(source)
        sequence = sequences[token] = sequences.get(token, 0) + 1
        name = f"S{seed}-{index:08d}"
        value = _value(source, name, token, sequence, index)
        yield ChargingSession(name, token.encode(), _spoiled(value, name, flaw), sequence, flaw)
        index += 1


def _draw_flaw(source: random.Random, malformed: bool) -> Flaw | None:
    share = source.random()
    if share < UNKNOWN_TOKEN_SHARE:
        return Flaw.UNKNOWN_TOKEN
    if malformed and share < UNKNOWN_TOKEN_SHARE + MALFORMED_SHARE:
        return source.choice(_MALFORMED)
    return None


def _value(source: random.Random, name: str, token: str, sequence: int, index: int) -> bytes:
    at = _START + timedelta(milliseconds=137 * index)
    evse = source.randrange(1, 400)
    # Written by hand: it is half of the cost of a json.dumps, and every part of it is plain ASCII.
    return (
        f'{{"session":"{name}","token":"{token}","sequence":{sequence},"evse":"DE*HKL*E{evse:06d}*{evse % 4 + 1}",'
        f'"connector":"{source.choice(_CONNECTORS)}","event":"{source.choice(_EVENTS)}",'
        f'"at":"{at.isoformat(timespec="milliseconds")}","kwh":{source.randrange(9000) / 100:.2f},'
        f'"power_kw":{source.choice(_POWERS_KW)}}}'
    ).encode()


def _spoiled(value: bytes, name: str, flaw: Flaw | None) -> bytes:
    match flaw:
        case Flaw.TRUNCATED:
            return value[: len(value) // 2]
        case Flaw.NOT_UTF8:
            return value.replace(b'"session":"', b'"session":"\xff\xfe')
        case Flaw.NOT_JSON:
            return f"session={name};event=started".encode()
        case Flaw.TOO_DEEP:
            return b'{"a":' * 2000 + value + b"}" * 2000
        case Flaw.FIELDS_MISSING:
            return value[: value.index(b',"token"')] + b"}"
        case _:
            return value
