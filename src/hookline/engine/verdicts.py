"""What came back for one attempt, and what it means.

An `Answer` is a whole HTTP answer; a `Failure` is an attempt without one. A `VerdictPolicy` turns either into a
`Verdict`: delivered, retry, reject (this record is bad) or stop (the destination refuses everything).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple


class Verdict(StrEnum):
    """What an answer means for its record, or for the destination."""

    DELIVERED = "delivered"
    RETRY = "retry"
    REJECT = "reject"
    STOP_CREDENTIALS = "stop_credentials"
    STOP_GONE = "stop_gone"


class Reason(StrEnum):
    """Why a record was dead-lettered: the fixed list of words in the dead letter's `reason` header."""

    NOT_JSON = "not_json"
    TOO_DEEP = "too_deep"
    TOO_LARGE = "too_large"
    TOMBSTONE = "tombstone"
    UNSAFE_HEADER = "unsafe_header"
    UNSAFE_KEY = "unsafe_key"
    REJECTED = "rejected"
    ATTEMPTS_EXHAUSTED = "attempts_exhausted"
    EXPIRED = "expired"
    PROCESSING_FAILED = "processing_failed"
    SKIPPED = "skipped"


class FailureKind(StrEnum):
    """How an attempt failed without a usable answer; each is a key of the setting `verdicts.failures`."""

    NAME_NOT_RESOLVED = "name_not_resolved"
    CONNECTION_REFUSED = "connection_refused"
    CONNECT_FAILED = "connect_failed"
    CONNECT_TIMEOUT = "connect_timeout"
    TLS_CERTIFICATE_EXPIRED = "tls_certificate_expired"
    TLS_CERTIFICATE_UNKNOWN = "tls_certificate_unknown"
    TLS_WRONG_NAME = "tls_wrong_name"
    TLS_FAILED = "tls_failed"
    CONNECTION_RESET = "connection_reset"
    CLOSED_WITHOUT_ANSWER = "closed_without_answer"
    CLOSED_IN_ANSWER = "closed_in_answer"
    TIMEOUT = "timeout"
    ANSWER_MALFORMED = "answer_malformed"
    ANSWER_AMBIGUOUS_LENGTH = "answer_ambiguous_length"
    ANSWER_HEADERS_TOO_LARGE = "answer_headers_too_large"
    ANSWER_INFORMATIONAL_FLOOD = "answer_informational_flood"
    ANSWER_SWITCHED_PROTOCOLS = "answer_switched_protocols"
    PROCESSING_RAISED = "processing_raised"


class Answer(NamedTuple):
    """An HTTP answer: `retry_after` is the header's text, `body` its first bytes (capped), never compressed."""

    status: int
    body: bytes = b""
    retry_after: str | None = None


class Failure(NamedTuple):
    """An attempt without a usable answer: `detail` says more, with no payload or secret in it."""

    kind: FailureKind
    detail: str = ""


Outcome = Answer | Failure

STATUS_WORDS = ("1xx", "2xx", "3xx", "4xx", "5xx")

DEFAULT_STATUSES: Mapping[str, Verdict] = {
    "2xx": Verdict.DELIVERED,
    "3xx": Verdict.REJECT,
    "4xx": Verdict.REJECT,
    "5xx": Verdict.RETRY,
    "401": Verdict.STOP_CREDENTIALS,
    "403": Verdict.STOP_CREDENTIALS,
    "408": Verdict.RETRY,
    "410": Verdict.STOP_GONE,
    "425": Verdict.RETRY,
    "429": Verdict.RETRY,
    "501": Verdict.REJECT,
}


class VerdictPolicy:
    """Turns an outcome into a verdict by two tables, both complete.

    `statuses` maps `"404"` or `"4xx"` to a verdict, the exact one first, over `DEFAULT_STATUSES`;
    `failures` maps a failure's kind, and what it leaves out is tried again.
    """

    __slots__ = ("_failures", "_statuses")

    def __init__(
        self,
        statuses: Mapping[str, Verdict] | None = None,
        failures: Mapping[FailureKind, Verdict] | None = None,
    ) -> None:
        words = {**DEFAULT_STATUSES, **(statuses or {})}
        self._statuses = {
            status: words.get(str(status), words.get(f"{status // 100}xx", Verdict.RETRY))
            for status in range(100, 1000)
        }
        self._failures = {kind: (failures or {}).get(kind, Verdict.RETRY) for kind in FailureKind}

    def judge(self, outcome: Outcome) -> Verdict:
        """The verdict for an answer or a failure; a status outside 100 to 999 is tried again."""
        if type(outcome) is Answer:
            return self._statuses.get(outcome.status, Verdict.RETRY)
        return self._failures[outcome.kind]  # type: ignore[union-attr]
