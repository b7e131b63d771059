"""What figures mean: pure, so that every case can be tried."""

from __future__ import annotations

from hookline.doctor.finding import Finding, failure, ok, warning
from hookline.errors import DestinationError, OffsetLost

_DAY_SECONDS = 86_400.0
CERTIFICATE_WARNING_DAYS = 21
SKEW_WARNING_SECONDS = 5.0
_DESCRIPTORS_BESIDE = 64
"""Kafka's connections, the console's, the log, the interpreter's own."""
_RETENTION_WARNING_SHARE = 0.8


def certificate(expires_at: float, now: float) -> Finding:
    """The service's certificate, by when it ends to be valid; both in seconds since 1970."""
    days = (expires_at - now) / _DAY_SECONDS
    if days < CERTIFICATE_WARNING_DAYS:
        return warning("certificate", f"the service's certificate ends in {days:.0f} days", "have it renewed")
    return ok("certificate", f"the service's certificate is valid for another {days:.0f} days")


def clock(skew_seconds: float) -> Finding:
    """How far the service's clock is ahead of ours."""
    if abs(skew_seconds) > SKEW_WARNING_SECONDS:
        ahead = "ahead of" if skew_seconds > 0 else "behind"
        return warning(
            "clock",
            f"the service's clock is {abs(skew_seconds):.0f} s {ahead} this machine's",
            "let both keep time by NTP: ages of records and dates of Retry-After depend on it",
        )
    return ok("clock", f"the service's clock and this machine's differ by {abs(skew_seconds):.0f} s")


def descriptors(limit: int, in_flight: int) -> Finding:
    """File descriptors: a request under way has a connection of its own."""
    needed = in_flight + _DESCRIPTORS_BESIDE
    if limit < needed:
        return failure(
            "file descriptors",
            f"{limit} are allowed, and {in_flight} requests at once need some {needed}",
            f"raise the limit (ulimit -n {2 * needed}, LimitNOFILE= of systemd), or lower deliver.in_flight",
            DestinationError.exit_code,
        )
    return ok("file descriptors", f"{limit} are allowed, some {needed} are needed")


def retention(name: str, committed: int | None, first: int, end: int, ages: tuple[float, float] | None) -> Finding:
    """Whether records may be deleted before they are read.

    `committed` is the group's offset, `first` and `end` those of the log; `ages` are those of the record at `committed`
    and of the first record of the log, in seconds, when these were looked at.
    """
    check = f"retention of {name}"
    if committed is None:
        return ok(check, f"the group has no offset yet; the log has offsets {first} to {end}")
    if committed < first:
        return failure(
            check,
            f"the group is at offset {committed}, and the log begins at {first}: {first - committed} offsets are gone",
            "say with kafka.on_offset_lost where to go on, or set the group's offset by hand",
            OffsetLost.exit_code,
        )
    behind = end - committed
    if behind and ages is not None and first > 0 and ages[1] > 0 and ages[0] > _RETENTION_WARNING_SHARE * ages[1]:
        return warning(
            check,
            f"the group is {behind} offsets behind, at a record {ages[0] / 3600:.1f} h old; the log goes back"
            f" {ages[1] / 3600:.1f} h",
            "raise the topic's retention, or catch up faster: what is deleted first is lost",
        )
    return ok(check, f"the group is {behind} offsets behind, and all of them are there")
