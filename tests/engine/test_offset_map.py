"""The offset map: what is written is read back, and what is not ours is ignored, never an exception."""

from __future__ import annotations

import base64
import zlib
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hookline.engine import offset_map
from hookline.engine.offset_map import Range, decode, encode

NARROW_AND_WIDE = pytest.mark.parametrize("wide", [False, True], ids=["narrow", "wide"])
COMMITTED = 1_000
SETTLED = [(1_001, 1_004), (1_200, 1_201), (50_000, 90_000)]

lengths = st.one_of(st.integers(1, 3), st.integers(1, 1 << 40))


@st.composite
def maps(draw: st.DrawFn, max_runs: int = 60) -> tuple[int, list[Range]]:
    """A committed offset, and disjoint ranges above it of which none touches the next; the first may touch it."""
    committed = cursor = draw(st.one_of(st.integers(0, 300), st.integers(0, 1 << 62)))
    ranges: list[Range] = []
    for index, (unsettled, settled) in enumerate(draw(st.lists(st.tuples(lengths, lengths), max_size=max_runs))):
        start = cursor + (unsettled - 1 if index == 0 else unsettled)
        cursor = start + settled
        ranges.append((start, cursor))
    return committed, ranges


def assert_well_formed(ranges: list[Range], committed: int) -> None:
    assert all(committed <= start < end for start, end in ranges)
    assert all(end < start for (_, end), (start, _) in pairwise(ranges))


@NARROW_AND_WIDE
@given(maps())
@example((0, [(0, 1)]))
@example((0, [(1, 2)]))
@example((1 << 62, [(1 << 62, (1 << 62) + 1)]))
def test_what_is_written_is_read_back(wide: bool, given_map: tuple[int, list[Range]]) -> None:
    committed, ranges = given_map
    assert decode(encode(committed, ranges, 1_000_000, wide), committed) == ranges


@NARROW_AND_WIDE
@given(maps(), st.integers(0, 150))
def test_a_limit_is_kept_to_and_leaves_out_the_highest(
    wide: bool, given_map: tuple[int, list[Range]], limit: int
) -> None:
    committed, ranges = given_map
    text = encode(committed, ranges, limit, wide)
    assert len(text) <= limit
    kept = decode(text, committed)
    assert kept == ranges[: len(kept)]
    if ranges and offset_map.runs_bytes(committed, ranges) <= offset_map.capacity_bytes(limit, wide):
        assert kept == ranges


@NARROW_AND_WIDE
def test_a_map_that_is_too_long_as_it_is_is_deflated(wide: bool) -> None:
    ranges = [(10 * index + 1, 10 * index + 3) for index in range(10_000)]
    text = encode(0, ranges, 4096, wide)
    assert len(text) <= 4096
    assert decode(text, 0) == ranges


def test_the_wide_alphabet_holds_two_and_a_half_times_as_much() -> None:
    narrow, wide = offset_map.capacity_bytes(4096, wide=False), offset_map.capacity_bytes(4096, wide=True)
    assert wide == pytest.approx(2.5 * narrow, rel=0.01)


@NARROW_AND_WIDE
def test_the_text_is_made_of_its_alphabet(wide: bool) -> None:
    text = encode(COMMITTED, SETTLED, 4096, wide)
    if wide:
        assert all("\u3400" <= character <= "\ub3ff" for character in text)
    else:
        assert text.startswith("~")
        assert text.isascii()


@given(maps(max_runs=20))
def test_the_size_is_known_before_it_is_written(given_map: tuple[int, list[Range]]) -> None:
    committed, ranges = given_map
    text = encode(committed, ranges, 1_000_000, wide=False)
    written = len(base64.b64decode(text[1:] + "==")) - 3 if text else 0
    assert written == (offset_map.runs_bytes(committed, ranges) if ranges else 0)


@NARROW_AND_WIDE
@given(maps(), st.integers(20, 4095))
@example((0, []), 4095)
@example((1_000, [(1_001, 1_004)]), 4095)
def test_what_probes_a_broker_is_as_long_as_it_may_be_and_reads_as_the_same_map(
    wide: bool, given_map: tuple[int, list[Range]], limit: int
) -> None:
    committed, ranges = given_map
    text = offset_map.encode_to_probe(committed, ranges, limit, wide)
    assert limit - 2 <= len(text) <= limit or not text
    kept = decode(text, committed)
    assert kept == ranges[: len(kept)]
    if offset_map.runs_bytes(committed, ranges) <= offset_map.capacity_bytes(limit, wide) - 2:
        assert text
        assert kept == ranges


def test_what_probes_a_broker_has_characters_from_all_over_the_alphabet() -> None:
    text = offset_map.encode_to_probe(COMMITTED, SETTLED, 4095, wide=True)
    assert len({ord(character) >> 8 for character in text}) == 0x80


@pytest.mark.parametrize("limit", [0, 1, 2, 5])
@NARROW_AND_WIDE
def test_a_limit_with_no_room_for_anything_gives_no_text(wide: bool, limit: int) -> None:
    assert encode(COMMITTED, [(1 << 60, 1 << 61)], limit, wide) == ""


def test_nothing_settled_above_gives_no_text() -> None:
    assert encode(COMMITTED, [], 4096, wide=False) == ""


@given(st.text(), st.integers(0, 1 << 62))
@example("", 0)
@example("~", 0)
@example("~====", 0)
@example("~é", 0)
@example("\0\0", 0)
@example("\u3400", 0)
@example("\ud800", 0)
@example('{"owner":"another tool"}', 0)
def test_foreign_text_is_never_an_exception(text: str, committed: int) -> None:
    assert_well_formed(decode(text, committed), committed)


@given(st.binary(max_size=60), st.booleans())
def test_any_bytes_in_our_own_dress_are_never_an_exception(payload: bytes, signed: bool) -> None:
    if signed:
        payload = b"\x01" + (zlib.crc32(payload) & 0xFFFF).to_bytes(2, "big") + payload
    for committed in (0, 1, payload[3] if len(payload) > 3 else 0):
        assert_well_formed(decode("~" + base64.b64encode(payload).decode().rstrip("="), committed), committed)


@NARROW_AND_WIDE
@given(
    maps(max_runs=20), st.lists(st.tuples(st.integers(0), st.integers(0, 3), st.characters()), max_size=6), st.data()
)
def test_a_map_that_was_changed_anywhere_is_never_an_exception(
    wide: bool, given_map: tuple[int, list[Range]], changes: list[tuple[int, int, str]], data: st.DataObject
) -> None:
    committed, ranges = given_map
    text = encode(committed, ranges, 4096, wide)
    for place, taken, put in changes:
        at = place % (len(text) + 1)
        text = text[:at] + put + text[at + taken :]
    for offset in (committed, data.draw(st.integers(0, 1 << 63))):
        assert_well_formed(decode(text, offset), offset)


def test_a_text_as_long_as_the_protocol_takes_is_decoded_in_no_time() -> None:
    for text in ("\u3400" * 32_767, "\ub3ff" * 32_767, "~" + "A" * 32_766, "~" + "/" * 32_766):
        assert decode(text, 0) == []


@NARROW_AND_WIDE
@pytest.mark.parametrize("another", [COMMITTED - 1, COMMITTED + 1, 0, 1 << 62])
def test_a_map_made_for_another_offset_is_ignored(wide: bool, another: int) -> None:
    assert decode(encode(COMMITTED, SETTLED, 4096, wide), another) == []


@NARROW_AND_WIDE
def test_no_single_corrupted_character_is_believed(wide: bool) -> None:
    text = encode(COMMITTED, SETTLED, 4096, wide)
    for index, character in enumerate(text):
        for changed in (chr(ord(character) ^ 1), chr(ord(character) ^ 2), "A", "~", "\u5555", "\0"):
            if changed != character:
                corrupted = text[:index] + changed + text[index + 1 :]
                assert decode(corrupted, COMMITTED) in ([], SETTLED), (index, changed)


@NARROW_AND_WIDE
def test_a_map_that_was_cut_off_is_not_believed(wide: bool) -> None:
    text = encode(COMMITTED, SETTLED, 4096, wide)
    assert all(decode(text[:length], COMMITTED) == [] for length in range(len(text)))


@NARROW_AND_WIDE
def test_trailing_nul_characters_are_taken_off(wide: bool) -> None:
    assert decode(encode(COMMITTED, SETTLED, 4096, wide) + "\0\0", COMMITTED) == SETTLED


def test_an_unknown_version_is_ignored() -> None:
    payload = bytearray(base64.b64decode(encode(COMMITTED, SETTLED, 4096, wide=False)[1:] + "=="))
    payload[0] = 3
    assert decode("~" + base64.b64encode(payload).decode(), COMMITTED) == []


def test_a_bomb_of_deflated_zeros_or_ones_is_ignored_and_not_blown_up() -> None:
    for filling in (b"\0", b"\x01", b"\x80", b"\xff"):
        bomb = zlib.compress(filling * 100_000_000, 9, wbits=-15)
        payload = b"\x02\0\0" + bomb
        assert decode("~" + base64.b64encode(payload).decode(), 0) == []


@pytest.mark.parametrize("body", [b"", b"\xff\xff\xff", zlib.compress(b"\0\x01\x01")[:3]])
def test_a_deflated_body_that_is_broken_is_ignored(body: bytes) -> None:
    assert decode("~" + base64.b64encode(b"\x02\0\0" + body).decode(), 0) == []
