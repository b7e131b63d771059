"""What librdkafka's errors mean here. Tables, because its own `retriable()` is wrong for commits.

A commit refused with ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID or a stale or fenced epoch is said to be neither retriable
nor fatal (seen with 2.16.1), although the member recovers by itself and the same commit is taken after the rebalance.
"""

# Codes that begin with an underscore are public: the errors that the client itself makes.
# ruff: noqa: SLF001

from __future__ import annotations

from hookline import errors
from hookline.kafka.librdkafka_client import ClientError, KafkaException

DEFERRED = frozenset(
    {
        ClientError.REBALANCE_IN_PROGRESS,
        ClientError.ILLEGAL_GENERATION,
        ClientError.UNKNOWN_MEMBER_ID,
        ClientError.STALE_MEMBER_EPOCH,
        ClientError.FENCED_MEMBER_EPOCH,
        ClientError.FENCED_INSTANCE_ID,
        ClientError._STATE,
        ClientError._ASSIGNMENT_LOST,
        ClientError._NO_OFFSET,
    }
)
"""The membership is changing: not yet."""

REJECTED = frozenset({ClientError.OFFSET_METADATA_TOO_LARGE, ClientError.INVALID_COMMIT_OFFSET_SIZE})
"""The broker will not take this content."""

_CREDENTIALS = "check kafka.security, kafka.sasl.mechanism and the credentials in kafka.sasl"
_STATIC_ID = "another process has the same kafka.group_instance_id: give each its own"
_TO_DO_ABOUT = {
    ClientError._AUTHENTICATION: _CREDENTIALS,
    ClientError.SASL_AUTHENTICATION_FAILED: _CREDENTIALS,
    ClientError.UNSUPPORTED_SASL_MECHANISM: "set kafka.sasl.mechanism to one that the brokers offer",
    ClientError._SSL: (
        "check that kafka.tls.ca_file holds the authority of the brokers' certificates, that these bear the names in"
        " kafka.servers, and, where brokers ask for a certificate of ours, kafka.tls.certificate_file and key_file"
    ),
    ClientError.GROUP_AUTHORIZATION_FAILED: "grant this user READ on the group, or set another kafka.group_id",
    ClientError.TOPIC_AUTHORIZATION_FAILED: "grant this user READ and DESCRIBE on the topics in kafka.topics",
    ClientError.CLUSTER_AUTHORIZATION_FAILED: "grant this user the missing permission on the cluster",
}
"""By code: an answer that refuses us, and what to do about it."""

REFUSED = frozenset(_TO_DO_ABOUT)

_TO_DO_ABOUT_FATAL = {
    ClientError.INCONSISTENT_GROUP_PROTOCOL: (
        "the other members of the group share partitions out in another way: give all the same kafka.assignor and"
        " kafka.group_protocol"
    ),
    ClientError.UNSUPPORTED_ASSIGNOR: "the brokers know no such assignor: remove group.remote.assignor",
    ClientError.INVALID_SESSION_TIMEOUT: (
        "the brokers allow no such kafka.session_timeout: their bounds are group.min.session.timeout.ms and"
        " group.max.session.timeout.ms"
    ),
    ClientError.INVALID_GROUP_ID: "set another kafka.group_id",
    ClientError.GROUP_MAX_SIZE_REACHED: "run fewer processes, or raise the brokers' group.max.size",
    ClientError.FENCED_INSTANCE_ID: _STATIC_ID,
    ClientError.UNRELEASED_INSTANCE_ID: _STATIC_ID,
}
"""By code: the group does not take us as we are."""

TOPIC_MISSING = frozenset(
    {ClientError.UNKNOWN_TOPIC_OR_PART, ClientError._UNKNOWN_TOPIC, ClientError._UNKNOWN_PARTITION}
)
"""Not there, or just made and not known everywhere yet."""

ALL_DOWN = ClientError._ALL_BROKERS_DOWN
CORRUPT = frozenset({ClientError._BAD_MSG, ClientError._BAD_COMPRESSION, ClientError._NOT_IMPLEMENTED})
"""A batch of records that cannot be read. The client skips it and goes on, which would lose it."""

UNREACHABLE = frozenset({ALL_DOWN, ClientError._RESOLVE})
"""No broker accepts a connection, or has an address."""

PARTITION_END = ClientError._PARTITION_EOF
"""No error, but the news that the end of a partition is reached."""

OFFSET_LOST = frozenset({ClientError._AUTO_OFFSET_RESET, ClientError._LOG_TRUNCATION, ClientError.OFFSET_OUT_OF_RANGE})
"""The position is not, or no longer, in the log."""


def cause(exception: KafkaException) -> ClientError:
    """The client's error inside its exception."""
    error: ClientError = exception.args[0]
    return error


def kind(error: ClientError) -> int:
    """The code; that of TLS for a refusal that the client takes for a lost connection.

    TLS 1.3 servers say that they want a certificate of ours only after the handshake.
    """
    if error.code() == ClientError._TRANSPORT and "SSL routines" in error.str():
        return ClientError._SSL
    return error.code()


def is_fatal(error: ClientError) -> bool:
    """Whether the client can't go on, or the group will never take us as we are."""
    return error.fatal() or error.code() == ClientError._FATAL or error.code() in _TO_DO_ABOUT_FATAL


def describe(error: ClientError) -> str:
    """One line: the code's name and its text."""
    return f"{error.name()}: {error.str()}"


def translated(error: ClientError, doing: str) -> errors.KafkaError:
    """The error to raise for a client's error while `doing` something, such as "reading the committed offsets"."""
    if is_fatal(error):
        to_do = _TO_DO_ABOUT_FATAL.get(error.code(), f"if it was this: {_STATIC_ID}; else start again")
        return errors.SourceFatal(f"the Kafka client cannot go on {doing}: {describe(error)}; {to_do}")
    if kind(error) in REFUSED:
        return errors.KafkaRefused(f"Kafka refused {doing}: {describe(error)}; {_TO_DO_ABOUT[kind(error)]}")
    if error.code() in TOPIC_MISSING:
        text = f"a topic is not there for {doing}: {describe(error)}; create it, or change kafka.topics"
        return errors.TopicMissing(text)
    return errors.KafkaUnavailable(f"Kafka could not be reached for {doing}: {describe(error)}; check kafka.servers")


def translated_commit(error: ClientError) -> errors.KafkaError:
    """The error to raise for a commit that was not taken."""
    if error.code() in DEFERRED:
        return errors.CommitDeferred(f"the commit waits for the group's rebalance: {describe(error)}")
    if error.code() in REJECTED:
        return errors.CommitRejected(f"the broker does not take this commit: {describe(error)}")
    if is_fatal(error):
        return errors.CommitDeferred(f"the Kafka client stopped before the commit was taken: {describe(error)}")
    return translated(error, "the commit")
