"""The offset map: what is settled above the committed offset, as text in the commit's metadata.

Kafka keeps a string beside each committed offset and gives it back to the next owner. The map puts the settled
ranges above the watermark there, so that a restart or a rebalance sends none of them again.

Payload, in bytes: one version byte (1 runs as they are, 2 runs deflated), two bytes of the CRC-32 of the plain runs,
then the runs: the committed offset, then in turn how many offsets are unsettled and how many are settled from there on,
each an unsigned LEB128 varint. Only the first run may be of length 0; after a zero behind it anything may follow, which
is padding.

Text, in one of two alphabets:
- narrow: `~` and base64 without padding, 6 bits a character, which every broker takes;
- wide: 15 bits a character, U+3400 to U+B3FF, for brokers that count characters. Apache Kafka does: it compares the
  length of a Java string with offset.metadata.max.bytes (OffsetMetadataManager.isMetadataInvalid).

Anything else, a wrong checksum, or a map made for another offset is foreign, and is ignored: to send a record twice is
allowed, to skip one is not.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterable, Sequence

Range = tuple[int, int]
"""Offsets from the first to before the second."""

DEFAULT_LIMIT_CHARACTERS = 4095
"""The default of the broker's offset.metadata.max.bytes, less one for the NUL that librdkafka ends metadata with."""

_PLAIN, _DEFLATED = 1, 2
_HEAD_BYTES = 3
_NARROW_MARK = "~"
_WIDE_FIRST = 0x3400
_WIDE_BITS = 15
_WIDE_MASK = (1 << _WIDE_BITS) - 1
_GROUP_BYTES = _WIDE_BITS
"""15 bytes are 8 characters."""
_GROUP_SHIFTS = range(7 * _WIDE_BITS, -1, -_WIDE_BITS)
_RUNS_BYTES_MAX = 1 << 20
_GOLDEN = 40_503
"""2^16 by the golden ratio: its multiples are spread evenly (Knuth, volume 3, 6.4)."""


def varint_bytes(number: int) -> int:
    """How many bytes a varint of this number takes."""
    return max(1, (number.bit_length() + 6) // 7)


def capacity_bytes(limit_characters: int, wide: bool) -> int:
    """How many bytes of runs fit into so many characters, as they are."""
    bits = limit_characters * _WIDE_BITS if wide else (limit_characters - 1) * 6
    return max(0, bits // 8 - _HEAD_BYTES)


def runs_bytes(committed: int, settled: Iterable[Range]) -> int:
    """The exact size of the runs before deflating; see `encode`."""
    total, cursor = varint_bytes(committed), committed
    for start, end in settled:
        total += varint_bytes(start - cursor) + varint_bytes(end - start)
        cursor = end
    return total


def encode(committed: int, settled: Sequence[Range], limit_characters: int, wide: bool) -> str:
    """The metadata for a commit of `committed`; empty when nothing above it is settled.

    `settled` are disjoint ranges in order, none of which touches the next, none below `committed`. When they don't fit,
    the highest are left out, which costs repeats after a restart and nothing else.
    """
    packed = _packed(committed, settled, capacity_bytes(limit_characters, wide))
    if not packed:
        return ""
    return _wide_text(packed) if wide else _narrow_text(packed)


def encode_to_probe(committed: int, settled: Sequence[Range], limit_characters: int, wide: bool) -> str:
    """The same map as text of all the length that is allowed, padded with characters from all over the alphabet.

    It is for finding out whether a broker takes so many of them and gives them back unchanged; `decode` reads it as any
    other, so that nothing is forgotten meanwhile. Empty when there is no room for it.
    """
    runs = _runs(committed, ())
    packed = _packed(committed, settled, capacity_bytes(limit_characters, wide) - 2)
    packed = packed or _payload(_PLAIN, runs, runs)
    missing = capacity_bytes(limit_characters, wide) + _HEAD_BYTES - len(packed)
    if missing < 2:
        return ""
    filling = b"".join((index * _GOLDEN & 0xFFFF).to_bytes(2, "big") for index in range(missing // 2 + 1))
    payload = (packed + b"\0\0" + filling)[: len(packed) + missing]
    return _wide_text(payload) if wide else _narrow_text(payload)


def _packed(committed: int, settled: Sequence[Range], capacity: int) -> bytes:
    kept = list(settled)
    while kept:
        runs = _runs(committed, kept)
        if len(runs) <= capacity:
            return _payload(_PLAIN, runs, runs)
        deflated = zlib.compress(runs, 9, wbits=-15)
        if len(deflated) <= capacity:
            return _payload(_DEFLATED, runs, deflated)
        kept = kept[: len(kept) * 7 // 8]
    return b""


def decode(text: str, committed: int) -> list[Range]:
    """The settled ranges that `encode` was given for this committed offset; empty when the text is not ours."""
    payload = _bytes_of(text.rstrip("\0"))
    if len(payload) <= _HEAD_BYTES:
        return []
    version, checksum, body = payload[0], payload[1:_HEAD_BYTES], payload[_HEAD_BYTES:]
    if version == _DEFLATED:
        body = _inflated(body)
    elif version != _PLAIN:
        return []
    numbers, length = _numbers(body)
    if not numbers or numbers[0] != committed or _checksum(body[:length]) != checksum:
        return []
    return _ranges(committed, numbers[1:])


def _runs(committed: int, settled: Iterable[Range]) -> bytes:
    runs, cursor = bytearray(), committed
    _append_varint(runs, committed)
    for start, end in settled:
        _append_varint(runs, start - cursor)
        _append_varint(runs, end - start)
        cursor = end
    return bytes(runs)


def _ranges(committed: int, lengths: Sequence[int]) -> list[Range]:
    if len(lengths) % 2:
        return []
    ranges, cursor = [], committed
    for unsettled, settled in zip(lengths[::2], lengths[1::2], strict=True):
        start = cursor + unsettled
        cursor = start + settled
        ranges.append((start, cursor))
    return ranges


def _append_varint(target: bytearray, number: int) -> None:
    while number > 0x7F:
        target.append(number & 0x7F | 0x80)
        number >>= 7
    target.append(number)


def _numbers(body: bytes) -> tuple[list[int], int]:
    """All varints up to the padding, and how many bytes they took; the first two may be 0, a later 0 is padding."""
    numbers: list[int] = []
    number = shift = taken = 0
    for index, byte in enumerate(body):
        number |= (byte & 0x7F) << shift
        if byte & 0x80:
            shift += 7
            if shift > 63:
                return [], 0
            continue
        if number == 0 and len(numbers) > 1:
            break
        numbers.append(number)
        number = shift = 0
        taken = index + 1
    return numbers, taken


def _payload(version: int, runs: bytes, body: bytes) -> bytes:
    return bytes((version,)) + _checksum(runs) + body


def _checksum(runs: bytes) -> bytes:
    return (zlib.crc32(runs) & 0xFFFF).to_bytes(2, "big")


def _inflated(body: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=-15).decompress(body, _RUNS_BYTES_MAX)
    except zlib.error:
        return b""


def _narrow_text(payload: bytes) -> str:
    return _NARROW_MARK + base64.b64encode(payload).decode("ascii").rstrip("=")


def _wide_text(payload: bytes) -> str:
    characters: list[str] = []
    # A group at a time: shifting one number of all bits would be quadratic.
    for start in range(0, len(payload), _GROUP_BYTES):
        number = int.from_bytes(payload[start : start + _GROUP_BYTES].ljust(_GROUP_BYTES, b"\0"), "big")
        characters += [chr(_WIDE_FIRST + (number >> shift & _WIDE_MASK)) for shift in _GROUP_SHIFTS]
    return "".join(characters[: -(-len(payload) * 8 // _WIDE_BITS)])


def _bytes_of(text: str) -> bytes:
    if text.startswith(_NARROW_MARK):
        body = text[1:]
        try:
            return base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
        except (binascii.Error, ValueError):
            return b""
    values = [ord(character) - _WIDE_FIRST for character in text]
    if values and not 0 <= min(values) <= max(values) <= _WIDE_MASK:
        return b""
    groups: list[bytes] = []
    for start in range(0, len(values), len(_GROUP_SHIFTS)):
        number = 0
        for value, shift in zip(values[start : start + len(_GROUP_SHIFTS)], _GROUP_SHIFTS, strict=False):
            number |= value << shift
        groups.append(number.to_bytes(_GROUP_BYTES, "big"))
    return b"".join(groups)[: len(text) * _WIDE_BITS // 8]
