"""Dead letters by reason: how many, since when, and what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from hookline.dead_letters.filters import State
from hookline.dead_letters.letters import UNKNOWN, Letter
from hookline.engine.verdicts import Reason

ADVICE: Mapping[str, str] = {
    Reason.NOT_JSON: (
        "The value is not JSON. Mend the producer, or set deliver.body to bytes; a redrive alone fails in the same way."
    ),
    Reason.TOO_DEEP: "The JSON is nested too deep. Raise deliver.max_depth if the service can take it, then redrive.",
    Reason.TOO_LARGE: "The value is too large. Raise deliver.max_bytes if the service can take it, then redrive.",
    Reason.TOMBSTONE: (
        "The record has no value. Set deliver.tombstones to send and redrive if the service wants such, else purge."
    ),
    Reason.UNSAFE_HEADER: (
        "A header made of the record has characters that no header may have. Look at deliver.headers, then redrive."
    ),
    Reason.UNSAFE_KEY: (
        "The key cannot stand where deliver.url or deliver.headers put it. Change these, then redrive."
    ),
    Reason.REJECTED: (
        "The service refused the record; 'hookline dead-letters show' has its answer. Mend the service, then redrive."
    ),
    Reason.ATTEMPTS_EXHAUSTED: "The service failed again and again. When it is well, redrive.",
    Reason.EXPIRED: "It got too old (retry.max_age). Redrive it if it is still of use, else purge.",
    Reason.PROCESSING_FAILED: "The program's own process_message raised. Mend it, then redrive.",
    Reason.SKIPPED: "An operator skipped it. Redrive it when the reason for that is gone.",
    UNKNOWN: (
        "It has no reason that Hookline wrote: something else wrote it, or its headers are broken. Look at it with"
        " 'hookline dead-letters show'."
    ),
}
"""What to do, by reason."""

_OTHER_ADVICE = "Another version of Hookline wrote it. Look at it with 'hookline dead-letters show'."
_EXAMPLES = 3
_REASONS_MAX = 100
_TOPICS_MAX = 100


class Group:
    """All dead letters of one reason. `examples` are the latest few."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        self.count = 0
        self.states: Counter[State] = Counter()
        self.statuses: Counter[int] = Counter()
        self.source_topics: Counter[str] = Counter()
        self.first_failed_at: datetime | None = None
        self.last_failed_at: datetime | None = None
        self.examples: list[Letter] = []

    @property
    def advice(self) -> str:
        """What to do about these."""
        return ADVICE.get(self.reason, _OTHER_ADVICE)

    def add(self, letter: Letter, state: State) -> None:
        """Count one."""
        self.count += 1
        self.states[state] += 1
        if letter.status is not None:
            self.statuses[letter.status] += 1
        topics = self.source_topics
        if letter.source is not None and (letter.source.topic in topics or len(topics) < _TOPICS_MAX):
            topics[letter.source.topic] += 1
        at = letter.failed_at
        if at is not None:
            self.first_failed_at = min(at, self.first_failed_at or at)
            self.last_failed_at = max(at, self.last_failed_at or at)
        self.examples = [*self.examples, letter][-_EXAMPLES:]


class Groups:
    """Groups by reason, for one topic."""

    def __init__(self) -> None:
        self._by_reason: dict[str, Group] = {}

    def add(self, letter: Letter, state: State) -> None:
        """Count one."""
        # Anybody can make words up, and memory has an end.
        known = letter.reason in self._by_reason or len(self._by_reason) < _REASONS_MAX
        reason = letter.reason if known else UNKNOWN
        self._by_reason.setdefault(reason, Group(reason)).add(letter, state)

    def largest_first(self) -> list[Group]:
        """The groups, the largest first."""
        return sorted(self._by_reason.values(), key=lambda group: (-group.count, group.reason))

    @property
    def count(self) -> int:
        """How many dead letters there are in all."""
        return sum(group.count for group in self._by_reason.values())
