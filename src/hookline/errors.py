"""Every error that Hookline raises, and whose fault each is.

    HooklineError
    ├── SettingsError          the operator's settings; exit code 3
    ├── KafkaError             the cluster, or our rights on it; exit code 4
    │   ├── KafkaUnavailable       not reachable now, may come back
    │   ├── KafkaRefused           authentication or authorization
    │   ├── TopicMissing           a topic that is to be read or written is not there
    │   ├── OffsetLost             the committed offset is outside the log
    │   ├── CommitDeferred         a rebalance is under way: not yet, which is no failure
    │   ├── CommitRejected         the broker will not take this commit, for example its metadata
    │   ├── SourceFatal            the client says that it cannot go on
    │   └── WriteFailed            a dead letter was not acknowledged
    ├── DestinationError       the HTTP service, as a whole; exit code 5
    ├── OperationRefused       what somebody asked for cannot be done as things stand
    ├── WorkersFailed          worker processes ended badly; the exit code is theirs
    └── UnsendableRecord       one record that no request can be made of; it is dead-lettered

The text of each says what happened, which setting or record it concerns, what was expected and what to do.
"""

from __future__ import annotations


class HooklineError(Exception):
    """Base of all errors raised here; `exit_code` is what the command ends with."""

    exit_code = 1


class SettingsError(HooklineError):
    """A setting is unknown, of a wrong type, out of bounds, or at odds with another one.

    `problems` has each as a line of its own when several were found at once; the message has all of them.
    """

    exit_code = 3

    def __init__(self, message: str, problems: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems or (message,)


class KafkaError(HooklineError):
    """The Kafka cluster, or what we may do there, is not as needed."""

    exit_code = 4


class KafkaUnavailable(KafkaError):
    """No broker can be reached at the moment; trying again later can help."""


class KafkaRefused(KafkaError):
    """The cluster answered, and refused us: credentials or permissions are wrong."""


class TopicMissing(KafkaError):
    """A topic that is to be read or written does not exist."""


class OffsetLost(KafkaError):
    """The offset to go on from is outside the log, so records are missing or the topic was made anew."""


class CommitDeferred(KafkaError):
    """A rebalance is under way, so the commit was not taken; it is due again afterwards."""


class CommitRejected(KafkaError):
    """The broker will never take this commit as it is, for example because its metadata is too long."""


class SourceFatal(KafkaError):
    """The Kafka client cannot go on, for example because another member has the same static id."""


class WriteFailed(KafkaError):
    """A record that was to be written, such as a dead letter, was not acknowledged."""


class DestinationError(HooklineError):
    """The HTTP service as a whole cannot be used as configured."""

    exit_code = 5


class OperationRefused(HooklineError):
    """What an operator asked for cannot be done as things stand; nothing was changed."""


class WorkersFailed(HooklineError):
    """Worker processes ended in a way that starting them again does not help; `exit_code` is what they ended with."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class UnsendableRecord(HooklineError):
    """No request can be made of a record; nothing of it was sent.

    `reason` is a word of `hookline.engine.verdicts.Reason`, `detail` a sentence without any payload in it.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
