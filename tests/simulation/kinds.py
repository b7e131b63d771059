"""The kinds of events that a run of many seeds must have met with."""

from __future__ import annotations

from collections import Counter

from tests.simulation.drawing import HOSTILE, KAFKA_FAULTS, MEMBER_FAULTS, SERVICE_FAULTS

KAFKA_EVENTS = {
    "commits_refused": "commit_refused",
    "commits_slow": "commit_slow",
    "commits_doubled": "commit_doubled",
    "commit_replies_lost": "commit_reply_lost",
    "commit_requests_lost": "commit_request_lost",
    "fetches_stall": "fetch_stalled",
    "dead_letters_fail": "dead_letter_failed",
    "dead_letters_late": "dead_letter_late",
    "dead_letter_replies_lost": "dead_letter_reply_lost",
    "dead_letter_topic_unavailable": "dead_letter_topic_unavailable",
}
"""What is counted each time when one of these faults concerns something."""

CONSEQUENCES = (
    "answer_found_nobody",
    "attempt_cancelled",
    "dead_letter_attempts_exhausted",
    "dead_letter_expired",
    "dead_letter_not_json",
    "dead_letter_rejected",
    "dead_letter_tombstone",
    "dead_letter_too_deep",
    "dead_letter_too_large",
    "dead_letter_unsafe_key",
    "ended_at_once",
    "ended_with_an_error",
    "foreign_metadata",
    "held_by_a_rate",
    "late_dead_letter_acknowledgement",
    "limit_raised",
    "map_full",
    "bytes_bound_reached",
    "commit_metadata_too_large",
    "records_bound_reached",
    "partition_added",
    "partition_paused",
    "partitions_lost",
    "put_out",
    "rebalance",
    "repeats_checked",
    "restart",
    "secret_renewed",
    "sent_by_one_who_was_put_out",
    "skipped_by_the_map",
    "stale_answer",
)

EXPECTED = tuple(
    sorted(
        {
            *SERVICE_FAULTS,
            *MEMBER_FAULTS,
            *(KAFKA_EVENTS[kind] for kind in KAFKA_FAULTS),
            *HOSTILE,
            *CONSEQUENCES,
            "marker",
            "aborted",
        }
    )
)


def missing(counts: Counter[str]) -> list[str]:
    """The kinds that never happened."""
    return [kind for kind in EXPECTED if not counts[kind]]
