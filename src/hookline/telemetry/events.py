"""Every event that Hookline logs: its name, how important it is, what it means and its fields.

`docs/logs.md` lists the same; names are for machines to search for, and do not change.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Event(StrEnum):
    """The names of events."""

    SERVICE_STARTED = "service_started"
    WAITING_FOR_DESTINATION = "waiting_for_destination"
    WAITING_FOR_PARTITIONS = "waiting_for_partitions"
    TLS_NOT_VERIFIED = "tls_not_verified"
    CREDENTIALS_IN_CLEAR = "credentials_in_clear"
    DEAD_LETTER_TOPIC_READY = "dead_letter_topic_ready"
    CONSOLE_STARTED = "console_started"
    PARTITIONS_ASSIGNED = "partitions_assigned"
    PARTITIONS_REVOKED = "partitions_revoked"
    PARTITIONS_LOST = "partitions_lost"
    RECORD_DELIVERED = "record_delivered"
    DELIVERY_FAILED = "delivery_failed"
    RECORD_DEAD_LETTERED = "record_dead_lettered"
    DEAD_LETTER_WRITE_FAILED = "dead_letter_write_failed"
    DESTINATION_STATE_CHANGED = "destination_state_changed"
    COMMIT_FAILED = "commit_failed"
    COMMIT_DEFERRED = "commit_deferred"
    MEMBERSHIP_DOUBTED = "membership_doubted"
    OFFSET_MAP_FORMAT_KNOWN = "offset_map_format_known"
    OFFSET_MAP_REFUSED = "offset_map_refused"
    OFFSET_MAP_NOT_KEPT = "offset_map_not_kept"
    OFFSET_MAP_FULL = "offset_map_full"
    PARTITION_STANDS_STILL = "partition_stands_still"
    SUMMARY = "summary"
    OLDEST_UNSETTLED = "oldest_unsettled"
    CREDENTIALS_CHANGED = "credentials_changed"
    CREDENTIALS_NOT_READ = "credentials_not_read"
    CONNECT_FAILED_IN_AN_UNFORESEEN_WAY = "connect_failed_in_an_unforeseen_way"
    CONSOLE_ACTION = "console_action"
    CONSOLE_REQUEST_FAILED = "console_request_failed"
    LOG_LINES_DROPPED = "log_lines_dropped"
    DRAINING = "draining"
    DRAIN_TIMED_OUT = "drain_timed_out"
    SUPERVISOR_STARTED = "supervisor_started"
    WORKER_STARTED = "worker_started"
    WORKER_ENDED = "worker_ended"
    WORKER_STALLED = "worker_stalled"
    SERVICE_FAILED = "service_failed"
    STOPPED = "stopped"


class Description(NamedTuple):
    """`level` is the setting `log.level` from which on it is logged, `fields` the names of its fields."""

    level: str
    sentence: str
    fields: tuple[str, ...]


DESCRIPTIONS: dict[Event, Description] = {
    Event.SERVICE_STARTED: Description(
        "info",
        "The settings are good and delivering begins.",
        ("version", "compiled", "topics", "group_id", "url", "order", "client", "sender"),
    ),
    Event.WAITING_FOR_DESTINATION: Description(
        "warning",
        "Attempts fail and none succeeds; nothing is lost meanwhile, and records are tried now and then.",
        ("reason", "waited_seconds"),
    ),
    Event.WAITING_FOR_PARTITIONS: Description(
        "info",
        "The group has given this process none for ten seconds: others have them all, or it waits for a member that "
        "died, for `kafka.session_timeout` at most.",
        ("waited_seconds",),
    ),
    Event.TLS_NOT_VERIFIED: Description(
        "warning",
        "`deliver.tls.verify` is false, so whoever sits on the way can read and change requests.",
        ("problem",),
    ),
    Event.CREDENTIALS_IN_CLEAR: Description(
        "warning", "`deliver.auth` goes to another machine over plain http.", ("problem",)
    ),
    Event.DEAD_LETTER_TOPIC_READY: Description(
        "info", "A dead-letter topic is there, found or created.", ("topic", "partitions")
    ),
    Event.CONSOLE_STARTED: Description("info", "The console, health and metrics are served.", ("url",)),
    Event.PARTITIONS_ASSIGNED: Description(
        "info", "The group gave this process partitions to read.", ("partitions", "assigned")
    ),
    Event.PARTITIONS_REVOKED: Description(
        "info",
        "Partitions went to another member, after what was under way had ended and been committed.",
        ("partitions", "unsettled_records", "seconds"),
    ),
    Event.PARTITIONS_LOST: Description(
        "warning",
        "Partitions already belong to another member, so nothing is committed; it delivers unsettled records again.",
        ("partitions", "unsettled_records"),
    ),
    Event.RECORD_DELIVERED: Description(
        "info",
        "A record was delivered; only with `log.each_record`.",
        ("topic", "partition", "offset", "trace_id", "key", "status", "attempt"),
    ),
    Event.DELIVERY_FAILED: Description(
        "warning",
        "An attempt failed and is repeated later; at most a few lines a second, `suppressed` counts those left out.",
        (
            "topic",
            "partition",
            "offset",
            "trace_id",
            "key",
            "attempt",
            "result",
            "detail",
            "next_attempt_in_seconds",
            "suppressed",
        ),
    ),
    Event.RECORD_DEAD_LETTERED: Description(
        "warning",
        "A record was written to the dead-letter topic and is settled.",
        (
            "topic",
            "partition",
            "offset",
            "trace_id",
            "key",
            "reason",
            "detail",
            "attempts",
            "dead_letter_topic",
            "suppressed",
        ),
    ),
    Event.DEAD_LETTER_WRITE_FAILED: Description(
        "error",
        "A dead letter was not acknowledged by Kafka; its record waits and nothing behind it is committed.",
        ("topic", "partition", "offset", "trace_id", "dead_letter_topic", "reason", "next_attempt_in_seconds"),
    ),
    Event.DESTINATION_STATE_CHANGED: Description(
        "warning",
        "The service came to count as down, asked us to wait, refused our credentials, or is back.",
        ("state", "previous", "detail"),
    ),
    Event.COMMIT_FAILED: Description(
        "error", "A commit was refused or not answered; it is due again.", ("partitions", "reason")
    ),
    Event.COMMIT_DEFERRED: Description(
        "info", "A rebalance is under way, so a commit was not taken yet; it is due again.", ("partitions", "reason")
    ),
    Event.MEMBERSHIP_DOUBTED: Description(
        "warning",
        "Kafka answered no commit for half a session: nothing is sent until it takes one, as others may be about to.",
        ("silent_seconds",),
    ),
    Event.OFFSET_MAP_FORMAT_KNOWN: Description(
        "info",
        "The brokers were found to keep offset maps of this length in this alphabet.",
        ("limit_characters", "alphabet", "capacity_bytes"),
    ),
    Event.OFFSET_MAP_REFUSED: Description(
        "warning",
        "The brokers found a commit's metadata too long; from now on maps are shorter, and the commit was made again.",
        ("limit_characters", "alphabet", "reason"),
    ),
    Event.OFFSET_MAP_NOT_KEPT: Description(
        "warning",
        "The brokers keep no metadata: after a restart, all that was settled behind a slow record is delivered again.",
        ("reason",),
    ),
    Event.OFFSET_MAP_FULL: Description(
        "warning",
        "A partition's offset map has no more room: records between unsettled ones wait until the oldest is settled.",
        ("topic", "partition", "offset", "waiting_records", "map_bytes"),
    ),
    Event.PARTITION_STANDS_STILL: Description(
        "error",
        "The group is stable and the log goes on, but nothing of a partition comes, and nothing says why.",
        ("topic", "partition", "offset", "lag_records", "waited_seconds"),
    ),
    Event.SUMMARY: Description(
        "info",
        "What happened since the last of these lines, every `log.summary_every`.",
        (
            "seconds",
            "delivered",
            "delivered_per_second",
            "failed_attempts",
            "dead_lettered",
            "expired",
            "filtered",
            "retrying",
            "in_flight",
            "held_records",
            "held_bytes",
            "partitions",
            "destination",
            "lag_records",
            "lag_seconds",
            "attempt_p50_seconds",
            "attempt_p99_seconds",
            "end_to_end_p50_seconds",
            "end_to_end_p99_seconds",
        ),
    ),
    Event.OLDEST_UNSETTLED: Description(
        "warning",
        "A record has held back its partition's commits for long.",
        ("topic", "partition", "offset", "held_seconds", "attempt", "last_result", "next_attempt_in_seconds"),
    ),
    Event.CREDENTIALS_CHANGED: Description(
        "info", "Secrets or certificates changed in their files and are in use.", ()
    ),
    Event.CREDENTIALS_NOT_READ: Description(
        "error", "Secrets or certificates could not be read again; the old ones stay in use.", ("problem",)
    ),
    Event.CONNECT_FAILED_IN_AN_UNFORESEEN_WAY: Description(
        "error", "Connecting to the service raised an error of no known kind; the attempt counts as failed.", ()
    ),
    Event.CONSOLE_ACTION: Description(
        "warning",
        "Somebody asked the console to change something.",
        ("who", "source", "action", "what", "result"),
    ),
    Event.CONSOLE_REQUEST_FAILED: Description(
        "error", "A request to the console failed; delivering is not touched.", ("path",)
    ),
    Event.LOG_LINES_DROPPED: Description(
        "warning",
        "The log's reader was too slow or its disk full; so many lines were lost since the start.",
        ("lines",),
    ),
    Event.DRAINING: Description(
        "info",
        "The service was told to stop: it finishes what is under way.",
        ("cause", "in_flight", "timeout_seconds"),
    ),
    Event.DRAIN_TIMED_OUT: Description(
        "warning",
        "What was under way did not end within `deliver.drain_timeout`; it is delivered again after the next start.",
        ("in_flight",),
    ),
    Event.SUPERVISOR_STARTED: Description(
        "info", "With `--workers`: the process that runs the workers begins.", ("version", "workers")
    ),
    Event.WORKER_STARTED: Description("info", "A worker process was started.", ("worker", "pid")),
    Event.WORKER_ENDED: Description(
        "error",
        "A worker process ended unasked, and is started again; a negative exit code is the signal that ended it.",
        ("worker", "pid", "exit_code", "restart_in_seconds"),
    ),
    Event.WORKER_STALLED: Description(
        "error", "A worker process stands still; it is killed and started again.", ("worker", "pid", "reason")
    ),
    Event.SERVICE_FAILED: Description("error", "Delivering cannot go on; the process ends.", ("reason", "exit_code")),
    Event.STOPPED: Description(
        "info", "Everything settled is committed, and the group was left.", ("delivered", "dead_lettered", "seconds")
    ),
}
