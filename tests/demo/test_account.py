"""The account catches each way in which a record can go wrong; every wrong is planted here."""

import dataclasses
import json

import pytest

from hookline.demo.acceptances import ServiceAccount
from hookline.demo.account import Account, quantile, take_account
from hookline.demo.charging_sessions import Flaw
from hookline.demo.cluster import DeadLetterFound
from hookline.demo.demo import DemoResult
from hookline.demo.options import DemoOptions
from hookline.demo.report import exit_code, json_line, report
from hookline.demo.session_producer import ProducedSession

COUNT = 10
FLAWED = "S1-9"


def produced() -> list[ProducedSession]:
    """Ten sessions on one partition, one of which has a token that nobody knows."""
    return [
        ProducedSession(f"S1-{number}", 100.0 + number, 0, number, Flaw.UNKNOWN_TOKEN if number == 9 else None)
        for number in range(COUNT)
    ]


def accepted(*left_out: str) -> dict[str, tuple[int, float]]:
    return {
        f"S1-{number}": (1, 100.0 + number + 0.002) for number in range(COUNT - 1) if f"S1-{number}" not in left_out
    }


def letter(session: str = FLAWED, value: bytes = b"nine") -> DeadLetterFound:
    return DeadLetterFound(session, value, {})


def account(
    accepted_sessions: dict[str, tuple[int, float]] | None = None,
    letters: list[DeadLetterFound] | None = None,
    committed: int = COUNT,
    out_of_order: int = 0,
) -> Account:
    service = ServiceAccount(accepted() if accepted_sessions is None else accepted_sessions, out_of_order, 0, {})
    found = [letter()] if letters is None else letters
    return take_account(produced(), service, found, {0: committed}, {FLAWED: b"nine", "S1-3": b"three"})


def test_a_run_without_fault_adds_up():
    taken = account()
    assert (taken.produced, taken.delivered, taken.dead_lettered, taken.lost, taken.waiting) == (10, 9, 1, 0, 0)
    assert taken.complete
    assert taken.dead_letter_flaws == {"unknown_token": 1}
    assert taken.p50_ms == pytest.approx(2.0, abs=0.01)
    assert taken.records_per_second == pytest.approx(10 / 8.002)


def test_a_committed_record_that_nobody_has_is_lost():
    taken = account(accepted("S1-4"))
    assert (taken.lost, taken.waiting) == (1, 0)
    assert taken.harmed
    assert not taken.complete


def test_a_dead_letter_that_is_not_in_the_topic_is_lost():
    assert account(letters=[]).lost == 1


def test_an_undelivered_record_that_is_not_committed_is_waiting_and_not_lost():
    taken = account(accepted("S1-8"), letters=[], committed=8)
    assert (taken.lost, taken.waiting) == (0, 2)
    assert not taken.harmed
    assert not taken.complete


def test_nothing_committed_at_all_means_that_nothing_is_lost():
    service = ServiceAccount({}, 0, 0, {})
    taken = take_account(produced(), service, [], {}, {})
    assert (taken.lost, taken.waiting) == (0, COUNT)
    assert (taken.p50_ms, taken.records_per_second) == (None, 0.0)


def test_a_record_accepted_twice_is_duplicated_and_delivered_once():
    taken = account(accepted() | {"S1-2": (3, 102.002)})
    assert (taken.duplicated, taken.delivered) == (1, 9)
    assert taken.complete


def test_what_the_service_saw_out_of_order_is_out_of_order():
    taken = account(out_of_order=2)
    assert taken.out_of_order == 2
    assert taken.harmed


def test_a_dead_letter_with_other_bytes_is_altered():
    taken = account(letters=[letter(value=b"nin")])
    assert taken.dead_letters_altered == 1
    assert taken.harmed


def test_a_good_record_among_the_dead_letters_is_unexpected():
    taken = account(accepted("S1-3"), [letter(), letter("S1-3", b"three")])
    assert (taken.dead_lettered, taken.dead_letters_unexpected, taken.lost) == (2, 1, 0)


def test_a_record_both_accepted_and_dead_lettered_is_told():
    assert account(letters=[letter(), letter("S1-3", b"three")]).delivered_and_dead_lettered == 1


def test_a_dead_letter_written_twice_counts_once():
    assert account(letters=[letter(), letter()]).dead_lettered == 1


def test_ids_that_were_never_produced_are_left_out():
    taken = account(accepted() | {"S9-1": (1, 100.0)}, [letter(), letter("S9-2")])
    assert (taken.delivered, taken.dead_lettered) == (9, 1)


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1.0), (0.5, 2.0), (0.75, 3.0), (0.99, 4.0), (1.0, 4.0)])
def test_a_quantile_is_the_value_that_so_many_do_not_exceed(share, expected):
    assert quantile([1.0, 2.0, 3.0, 4.0], share) == expected


def result(taken: Account, interrupted: bool = False, settled: bool = True) -> DemoResult:
    return DemoResult(taken, "a broker", interrupted, settled)


@pytest.mark.parametrize(
    ("taken", "changes", "expected"),
    [
        (account(), {}, 0),
        (account(), {"interrupted": True}, 130),
        (account(accepted("S1-8"), letters=[], committed=8), {"interrupted": True}, 130),
        (account(accepted("S1-8"), letters=[], committed=8), {"settled": False}, 1),
        (account(accepted("S1-4")), {}, 1),
        (account(accepted("S1-4")), {"interrupted": True}, 1),
        (account(out_of_order=1), {}, 1),
    ],
)
def test_the_exit_code_says_whether_all_went_well(taken, changes, expected):
    assert exit_code(result(taken, **changes)) == expected


def test_the_report_names_what_is_lost():
    assert "LOST: 1 record" in report(result(account(accepted("S1-4"))))
    assert "Nothing was lost" in report(result(account()))


def test_the_report_fits_80_columns_and_says_all_that_was_wrong_with_dead_letters():
    flaws = {flaw.value: 12_345 for flaw in Flaw}
    text = report(result(dataclasses.replace(account(), dead_letter_flaws=flaws, produced=10**9)))
    assert max(len(line) for line in text.splitlines()) <= 80
    for flaw in Flaw:
        assert f"12,345 {flaw.value.replace('_', ' ')}" in " ".join(text.split())


def test_the_json_line_is_one_line_with_the_promised_names():
    line = json_line(DemoOptions(), result(account()))
    assert "\n" not in line
    promised = {
        "produced", "delivered", "dead_lettered", "lost", "duplicated", "out_of_order", "records_per_second", "p50_ms",
        "p99_ms",
    }  # fmt: skip
    assert promised <= json.loads(line).keys()
