"""What an answer means, as it is by default and as the settings change it."""

from __future__ import annotations

import pytest

from hookline.engine.verdicts import Answer, Failure, FailureKind, Verdict, VerdictPolicy


@pytest.mark.parametrize(
    ("statuses", "verdict"),
    [
        ((200, 201, 204, 299), Verdict.DELIVERED),
        ((301, 302, 304, 400, 404, 409, 422, 499, 501), Verdict.REJECT),
        ((408, 425, 429, 500, 502, 503, 504, 599), Verdict.RETRY),
        ((401, 403), Verdict.STOP_CREDENTIALS),
        ((410,), Verdict.STOP_GONE),
        ((0, 99, 100, 600, 999, 1000), Verdict.RETRY),
    ],
)
def test_each_status_has_a_verdict(statuses: tuple[int, ...], verdict: Verdict) -> None:
    assert {VerdictPolicy().judge(Answer(status)) for status in statuses} == {verdict}


@pytest.mark.parametrize("kind", FailureKind)
def test_an_attempt_without_an_answer_is_tried_again(kind: FailureKind) -> None:
    assert VerdictPolicy().judge(Failure(kind)) is Verdict.RETRY


def test_an_exact_status_goes_before_its_class() -> None:
    policy = VerdictPolicy({"4xx": Verdict.RETRY, "409": Verdict.DELIVERED})
    assert policy.judge(Answer(409)) is Verdict.DELIVERED
    assert policy.judge(Answer(404)) is Verdict.RETRY
    assert policy.judge(Answer(401)) is Verdict.STOP_CREDENTIALS


def test_a_kind_of_failure_can_be_given_another_verdict() -> None:
    policy = VerdictPolicy(failures={FailureKind.ANSWER_HEADERS_TOO_LARGE: Verdict.REJECT})
    assert policy.judge(Failure(FailureKind.ANSWER_HEADERS_TOO_LARGE)) is Verdict.REJECT
    assert policy.judge(Failure(FailureKind.TIMEOUT)) is Verdict.RETRY
