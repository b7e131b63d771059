"""What figures mean to the doctor."""

from __future__ import annotations

import pytest

from hookline.doctor import judgement
from hookline.doctor.finding import Result, exit_code_of, failure, ok, warning

DAY = 86_400.0


@pytest.mark.parametrize(
    ("days", "result"), [(400, Result.OK), (22, Result.OK), (20, Result.WARNING), (-1, Result.WARNING)]
)
def test_a_certificate_that_ends_soon_is_a_warning(days: int, result: Result) -> None:
    found = judgement.certificate(1000 + days * DAY, 1000)
    assert (found.result, f"{days} days" in found.text) == (result, True)


@pytest.mark.parametrize(
    ("skew", "result", "word"),
    [(0.4, Result.OK, ""), (90, Result.WARNING, "ahead of"), (-90, Result.WARNING, "behind")],
)
def test_clocks_that_differ_are_a_warning_that_says_which_way(skew: float, result: Result, word: str) -> None:
    found = judgement.clock(skew)
    assert (found.result, word in found.text) == (result, True)


def test_fewer_file_descriptors_than_requests_at_once_is_a_failure_with_what_to_set() -> None:
    assert judgement.descriptors(1024, 64).result is Result.OK
    found = judgement.descriptors(1024, 4000)
    assert found.result is Result.FAILURE
    assert "deliver.in_flight" in found.remedy


@pytest.mark.parametrize(
    ("committed", "first", "end", "ages", "result"),
    [
        (None, 0, 100, None, Result.OK),
        (100, 0, 100, None, Result.OK),
        (50, 0, 100, (90_000.0, 100_000.0), Result.OK),  # nothing was ever deleted
        (50, 10, 100, (50_000.0, 100_000.0), Result.OK),
        (50, 10, 100, (90_000.0, 100_000.0), Result.WARNING),
        (100, 10, 100, (90_000.0, 100_000.0), Result.OK),
        (5, 10, 100, None, Result.FAILURE),
    ],
)
def test_records_that_are_gone_or_soon_will_be_are_told(
    committed: int | None, first: int, end: int, ages: tuple[float, float] | None, result: Result
) -> None:
    found = judgement.retention("orders-0", committed, first, end, ages)
    assert found.result is result
    assert bool(found.remedy) == (result is not Result.OK)


def test_the_exit_code_is_that_of_the_first_failure() -> None:
    assert exit_code_of([ok("a", ""), warning("b", "", "")]) == 0
    assert exit_code_of([ok("a", ""), failure("b", "", "", 4), failure("c", "", "", 5)]) == 4
