"""Names and texts with a grammar of their own: topics, header fields, statuses."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import StringConstraints

from hookline.settings.kinds import Kind

TOPIC = Kind("topic", "a topic's name: up to 249 of the characters a-z A-Z 0-9 . _ -, other than . and ..")
MEMBER_NAME = Kind("member name", "a member's name: up to 249 of the characters a-z A-Z 0-9 . _ -, other than . and ..")
HEADER_NAME = Kind("header name", "a header's name: letters, digits and the characters ! # $ % & ' * + - . ^ _ ` | ~")
HEADER_VALUE = Kind("header value", "a header's value: printable ASCII, with no space at its ends")
STATUS = Kind("status", "a status such as 404, or a class of them such as 4xx")

# The rule of Kafka's own org.apache.kafka.common.internals.Topic, which brokers apply to group.instance.id as well.
_topic_rule = StringConstraints(max_length=249, pattern=r"^(?:[a-zA-Z0-9._-]*[a-zA-Z0-9_-][a-zA-Z0-9._-]*|\.{3,})$")
TopicName = Annotated[str, _topic_rule, TOPIC]
MemberName = Annotated[str, _topic_rule, MEMBER_NAME]
# RFC 9110, section 5.6.2 (token) and 5.5 (field-value), without its obsolete parts.
HeaderName = Annotated[str, StringConstraints(pattern=r"^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}$"), HEADER_NAME]
HeaderValue = Annotated[
    str, StringConstraints(pattern=r"^(?:[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?)?$"), HEADER_VALUE
]
StatusWord = Annotated[str, StringConstraints(pattern=r"^(?:[1-9][0-9]{2}|[1-5]xx)$"), STATUS]

_FailureWords = Literal[
    "name_not_resolved",
    "connection_refused",
    "connect_failed",
    "connect_timeout",
    "tls_certificate_expired",
    "tls_certificate_unknown",
    "tls_wrong_name",
    "tls_failed",
    "connection_reset",
    "closed_without_answer",
    "closed_in_answer",
    "timeout",
    "answer_malformed",
    "answer_ambiguous_length",
    "answer_headers_too_large",
    "answer_informational_flood",
    "answer_switched_protocols",
    "processing_raised",
]

FailureWord = Annotated[_FailureWords, Kind("kind of failure", f"one of {', '.join(get_args(_FailureWords))}")]
"""The kinds of failure that the engine knows. Settings import nothing of it, so a test holds the two lists together."""
