"""What aiokafka's errors mean here, in one place."""

from __future__ import annotations

import ssl

from aiokafka import errors as client

from hookline import errors

_CREDENTIALS = "check kafka.security, kafka.sasl.mechanism and the credentials in kafka.sasl"
_CERTIFICATES = (
    "check kafka.security, that kafka.tls.ca_file holds the authority of the brokers' certificates, that these bear the"
    " names in kafka.servers, and, where brokers ask for a certificate of ours, kafka.tls.certificate_file and key_file"
)
_TO_DO_ABOUT: dict[type[BaseException], str] = {
    client.AuthenticationFailedError: _CREDENTIALS,
    client.SaslAuthenticationFailed: _CREDENTIALS,
    client.IllegalSaslStateError: _CREDENTIALS,
    client.UnsupportedSaslMechanismError: "set kafka.sasl.mechanism to one that the brokers offer",
    ssl.SSLError: _CERTIFICATES,
    client.GroupAuthorizationFailedError: "grant this user READ on the group, or set another kafka.group_id",
    client.TopicAuthorizationFailedError: "grant this user READ and DESCRIBE on the topics in kafka.topics",
    client.ClusterAuthorizationFailedError: "grant this user the missing permission on the cluster",
}
"""By type: an answer that refuses us, and what to do about it."""

_TO_DO_ABOUT_FATAL: dict[type[BaseException], str] = {
    client.InconsistentGroupProtocolError: (
        "the other members of the group share partitions out in another way: give all the same kafka.assignor"
    ),
    client.InvalidSessionTimeoutError: (
        "the brokers allow no such kafka.session_timeout: their bounds are group.min.session.timeout.ms and"
        " group.max.session.timeout.ms"
    ),
    client.InvalidGroupIdError: "set another kafka.group_id",
}
"""By type: the group does not take us as we are."""

_TOPIC_MISSING = (client.UnknownTopicOrPartitionError, client.InvalidTopicError)
_REJECTED = (client.OffsetMetadataTooLargeError, client.InvalidCommitOffsetSizeError)
_DEFERRED = (
    client.CommitFailedError,
    client.IllegalStateError,
    client.RebalanceInProgressError,
    client.IllegalGenerationError,
    client.UnknownMemberIdError,
)


def describe(error: BaseException) -> str:
    """One line: the kind of error and its text."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def refusal(error: BaseException) -> str | None:
    """What to do about an error that means that we are refused, None for any other error."""
    return _looked_up(_TO_DO_ABOUT, error)


def fatal_remedy(error: BaseException) -> str | None:
    """What to do about an error after which the group will not take us, None for any other error."""
    return _looked_up(_TO_DO_ABOUT_FATAL, error)


def root(error: BaseException) -> BaseException:
    """The error that explains this one: a refusal among its causes, such as a failed handshake, or itself."""
    cause: BaseException | None = error
    while cause is not None:
        if refusal(cause) is not None:
            return cause
        cause = cause.__cause__
    return error


def translated(error: BaseException, doing: str) -> errors.KafkaError:
    """The error to raise for a client's error while `doing` something, such as "reading the committed offsets"."""
    error = root(error)
    if (to_do := refusal(error)) is not None:
        return errors.KafkaRefused(f"Kafka refused {doing}: {describe(error)}; {to_do}")
    if (to_do := fatal_remedy(error)) is not None:
        return errors.SourceFatal(f"the group does not take us: {describe(error)}; {to_do}")
    if isinstance(error, _TOPIC_MISSING):
        text = f"a topic is not there for {doing}: {describe(error)}; create it, or change kafka.topics"
        return errors.TopicMissing(text)
    return errors.KafkaUnavailable(f"Kafka could not be reached for {doing}: {describe(error)}; check kafka.servers")


def translated_commit(error: BaseException) -> errors.KafkaError:
    """The error to raise for a commit that was not taken."""
    if isinstance(error, _DEFERRED):
        return errors.CommitDeferred(f"the commit waits for the group's rebalance: {describe(error)}")
    if isinstance(error, _REJECTED):
        return errors.CommitRejected(f"the broker does not take this commit: {describe(error)}")
    return translated(error, "the commit")


def _looked_up(table: dict[type[BaseException], str], error: BaseException) -> str | None:
    return next((to_do for kind, to_do in table.items() if isinstance(error, kind)), None)
