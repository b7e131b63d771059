"""What the terminal page shows, as rows of text made of what a console answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hookline.console.page_filters import age, count, share, short, size

PARTITION_COLUMNS = (
    "Partition",
    "Committed",
    "Position",
    "End",
    "Lag",
    "Behind",
    "Held",
    "Map",
    "Oldest unsettled",
    "State",
)


def figures(status: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names and figures of a process."""
    destination, rates, totals = status["destination"], status["rates"] or {}, status["totals"]
    growth = status["lag_growth_per_second"]
    grows = "" if growth is None or abs(growth) < 0.5 else f", {growth:+,.0f} a second"
    letters = count(totals["dead_lettered"] + totals["expired"])
    attempts = f"p50 {short(rates.get('attempt_p50_seconds'))}, p99 {short(rates.get('attempt_p99_seconds'))}"
    return [
        ("Group", f"{status['group_id']}: {count(status['partitions'])} partitions of {', '.join(status['topics'])}"),
        ("Behind", f"{count(status['lag_records'])} records, {age(status['lag_seconds'])}{grows}"),
        ("Delivered", f"{count(rates.get('delivered_per_second'))} a second, {count(totals['delivered'])} in all"),
        ("Attempts", f"{share(rates.get('success_share'))} succeed, {attempts}"),
        ("In flight", f"{count(destination['in_flight'])} of {count(destination['limit'])}"),
        ("Retrying", f"{count(status['retrying'])} wait for their next attempt"),
        ("Held", f"{count(status['held_records'])} records, {size(status['held_bytes'])}"),
        ("Dead letters", f"{letters}, {count(status['dead_letters_pending'])} being written"),
        ("Destination", f"{destination['state']}  {destination['url']}  {destination['detail']}".rstrip()),
    ]


def changes(status: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What changed lately: when, in UTC, and what."""
    return [(datetime.fromtimestamp(each["at"], UTC).strftime("%H:%M:%SZ"), each["text"]) for each in status["changes"]]


def partition(found: Mapping[str, Any]) -> tuple[str, ...]:
    """A row of the partitions' table."""
    oldest = found["oldest"]
    held_up = "" if oldest is None else f"{oldest['offset']} for {age(oldest['held_seconds'])}"
    if oldest is not None and oldest["last_result"]:
        held_up += f" ({oldest['last_result']})"
    state = "paused by an operator" if found["paused_by_operator"] else found["paused"] or "flowing"
    return (
        f"{found['topic']}-{found['partition']}",
        *(count(found[name]) for name in ("committed", "position", "end", "lag_records")),
        age(found["lag_seconds"]),
        count(found["held_records"]),
        share(found["map_fill"]),
        held_up,
        state,
    )
