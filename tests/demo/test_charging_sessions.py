"""The synthetic records are the same for the same seed, and what is wrong with some of them is known."""

import json
from collections import Counter
from itertools import islice

import pytest

from hookline.demo.charging_sessions import ChargingSession, Flaw, charging_sessions
from hookline.demo.driver_tokens import DriverTokens, TokenStatus


def sessions(count: int, seed: int = 7, malformed: bool = False) -> list[ChargingSession]:
    return list(islice(charging_sessions(seed, malformed), count))


@pytest.mark.parametrize("malformed", [False, True])
def test_the_same_seed_gives_the_same_bytes(malformed):
    assert sessions(3000, 7, malformed) == sessions(3000, 7, malformed)


def test_another_seed_gives_other_records():
    ours, others = sessions(200, 7), sessions(200, 8)
    assert not {session.value for session in ours} & {session.value for session in others}
    assert not {session.id for session in ours} & {session.id for session in others}


def test_a_session_is_json_of_about_190_bytes_that_repeats_its_id_key_and_sequence():
    made = sessions(2000)
    assert 170 <= sum(len(session.value) for session in made) / len(made) <= 210
    for session in made:
        value = json.loads(session.value)
        assert (value["session"], value["token"], value["sequence"]) == (
            session.id,
            session.key.decode(),
            session.sequence,
        )


@pytest.mark.parametrize("malformed", [False, True])
def test_sequence_numbers_count_the_records_of_each_key_from_one(malformed):
    seen: Counter[bytes] = Counter()
    for session in sessions(5000, malformed=malformed):
        seen[session.key] += 1
        assert session.sequence == seen[session.key]


def test_some_driver_tokens_come_far_more_often_than_others():
    counts = Counter(session.key for session in sessions(20_000))
    most = counts.most_common(1)[0][1] / 20_000
    assert 0.03 < most < 0.12
    assert len(counts) > 900


def test_without_faults_only_unknown_tokens_are_wrong():
    flaws = Counter(session.flaw for session in sessions(20_000))
    assert set(flaws) == {None, Flaw.UNKNOWN_TOKEN}
    assert 5 <= flaws[Flaw.UNKNOWN_TOKEN] <= 50


def test_with_faults_every_kind_of_malformed_record_appears():
    assert {session.flaw for session in sessions(20_000, malformed=True)} == {None, *Flaw}


def test_a_malformed_record_cannot_be_read_as_a_session():
    for session in sessions(20_000, malformed=True):
        if session.flaw in (None, Flaw.UNKNOWN_TOKEN):
            continue
        try:
            value = json.loads(session.value)
        except (ValueError, RecursionError):
            continue
        if session.flaw is Flaw.FIELDS_MISSING:
            assert "token" not in value
        else:
            assert session.flaw is Flaw.TOO_DEEP


def test_driver_tokens_have_every_status_and_the_unknown_ones_are_not_among_the_known():
    tokens = DriverTokens(7)
    assert set(tokens.known.values()) == {TokenStatus.ACCEPTED, TokenStatus.BLOCKED, TokenStatus.EXPIRED}
    assert not set(tokens.unknown) & set(tokens.known)
    assert tokens.known == DriverTokens(7).known
    assert tokens.known != DriverTokens(8).known
