"""Retries: how long is waited, and who comes up first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.engine.make import assignment_of, delivery

from hookline.engine.retries import RetryPolicy, RetryQueue


def test_the_longest_wait_doubles_with_each_attempt_up_to_its_maximum() -> None:
    policy = RetryPolicy(initial_delay=0.5, multiplier=2.0, max_delay=60.0)
    assert [policy.delay_after(attempt, 1.0) for attempt in range(1, 10)] == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]


@given(st.integers(1, 1_000_000), st.floats(0, 1))
def test_a_wait_is_never_longer_than_the_maximum(attempt: int, random: float) -> None:
    assert 0 <= RetryPolicy().delay_after(attempt, random) <= RetryPolicy().max_delay


@given(st.lists(st.integers(0, 5), max_size=30))
def test_the_earliest_comes_first_and_among_equals_who_came_first(dues: list[int]) -> None:
    queue = RetryQueue()
    for offset, due in enumerate(dues):
        queue.put(due, delivery(offset))
    taken = []
    while (following := queue.take()) is not None:
        taken.append(following.offset)
    assert taken == sorted(range(len(dues)), key=lambda offset: dues[offset])
    assert queue.next_due() is None


def test_what_was_taken_away_drops_out() -> None:
    queue, gone = RetryQueue(), assignment_of()
    queue.put(1.0, delivery(1, assignment=gone))
    queue.put(2.0, delivery(2))
    queue.put(3.0, delivery(3, assignment=gone))
    gone.fenced = True
    assert queue.next_due() == 2.0
    queue.drop_fenced()
    assert len(queue) == 1
