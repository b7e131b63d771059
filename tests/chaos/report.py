"""What a chaos run says at its end, and the comparison of two."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from tests.chaos.account import growth_bytes
from tests.chaos.run import Result


def figures(result: Result) -> dict[str, Any]:
    """A run as numbers, for a file and for comparing."""
    account, evidence = result.account, result.evidence
    recovery: dict[str, list[float]] = defaultdict(list)
    waits: dict[str, list[float]] = defaultdict(list)
    for window, wait in zip(evidence.windows, account.waits_seconds, strict=True):
        others = (it for it in evidence.windows if it is not window)
        # One of two at once would be given the time of the other.
        alone = not any(it.started < window.healed and window.started < it.healed for it in others)
        if window.recovered is not None and alone:
            recovery[str(window.fault.kind)].append(round(window.recovered - window.healed, 1))
            waits[str(window.fault.kind)].append(round(wait, 1))
    peaks = [size for life in evidence.lives for _, size in life.resident_bytes]
    growths = [growth for life in evidence.lives if (growth := growth_bytes(life)) is not None]
    return {
        "seed": result.options.seed,
        "client": result.options.client,
        "settings": result.options.settings,
        "shortfalls": account.shortfalls,
        "seconds": round(result.seconds, 1),
        "requests": account.requests,
        "accepted": account.accepted,
        "repeats": account.repeats,
        "repeats_by_kind": dict(account.repeats_by_kind),
        "overlaps": account.overlaps,
        "longest_wait_seconds": round(account.longest_wait_seconds, 1),
        "drain_seconds": round(result.drain_seconds, 1),
        "busiest_records_a_second": round(result.delivered_a_second),
        "cpu_microseconds_a_request": round(
            1e6 * sum(life.cpu_seconds for life in evidence.lives) / max(1, account.requests)
        ),
        "resident_mebibytes_max": round(max(peaks, default=0) / 1024 / 1024),
        "growth_mebibytes_max": round(max(growths, default=0) / 1024 / 1024),
        "dead_letters": len(evidence.dead_letters),
        "recovery_seconds": dict(recovery),
        "waits_seconds": dict(waits),
    }


def summary(found: dict[str, Any]) -> list[str]:
    """The figures of one run, in lines."""
    delivered = "{accepted} records settled in {seconds} s by {requests} requests; {repeats} repeats {repeats_by_kind}"
    waited = "{dead_letters} dead letters; {overlaps} overlaps; no record waited longer than {longest_wait_seconds} s"
    used = "{cpu_microseconds_a_request} us of CPU a request; {busiest_records_a_second} records a second at best"
    held = "{resident_mebibytes_max} MiB resident at most, grown by {growth_mebibytes_max} MiB at most"
    return [line.format(**found) for line in (delivered, waited, used, held)]


def comparison(runs: Sequence[dict[str, Any]]) -> list[str]:
    """Runs of several clients side by side, as a table in Markdown.

    For each kind of fault that came alone: the seconds from its end until all that was written by then was delivered,
    and the longest that a record waited from its beginning; medians, and the most in brackets.
    """
    clients = list(dict.fromkeys(run["client"] for run in runs))
    by_client = {client: [run for run in runs if run["client"] == client] for client in clients}
    lines = ["| | " + " | ".join(f"{client}: recovered, longest wait" for client in clients) + " |"]
    lines.append("|---" * (len(clients) + 1) + "|")
    for kind in sorted({kind for run in runs for kind in run["recovery_seconds"]}):
        cells = []
        for client in clients:
            times = [
                [time for run in by_client[client] for time in run[name].get(kind, [])]
                for name in ("recovery_seconds", "waits_seconds")
            ]
            cells.append(", ".join(f"{statistics.median(it):.1f} ({max(it):.1f})" for it in times) if times[0] else "-")
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    for name in (
        *("repeats", "overlaps", "longest_wait_seconds", "drain_seconds", "cpu_microseconds_a_request"),
        *("busiest_records_a_second", "resident_mebibytes_max", "growth_mebibytes_max"),
    ):
        cells = [", ".join(str(run[name]) for run in by_client[client]) for client in clients]
        lines.append(f"| {name.replace('_', ' ')} | " + " | ".join(cells) + " |")
    return lines
