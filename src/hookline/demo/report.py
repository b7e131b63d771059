"""The account in words, and as the object that `--json` prints."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from dataclasses import asdict

from hookline.demo import figures
from hookline.demo.demo import DemoResult
from hookline.demo.options import DemoOptions

_DECIMALS = 3
_COLUMNS = 80


def exit_code(result: DemoResult) -> int:
    """0 when every record ended as it should, 1 when not, 130 when a person ended it with nothing amiss."""
    if result.account.harmed:
        return 1
    if result.interrupted:
        return 130
    return 0 if result.settled and result.account.complete else 1


def json_line(options: DemoOptions, result: DemoResult) -> str:
    """One object in one line."""
    rounded = {
        name: round(value, _DECIMALS) if isinstance(value, float) else value
        for name, value in asdict(result.account).items()
    }
    run = {
        "broker": result.broker,
        "client": options.client,
        "seed": options.seed,
        "interrupted": result.interrupted,
        "settled": result.settled,
    }
    return json.dumps(rounded | run)


def report(result: DemoResult) -> str:
    """Lines for a person, ending with a verdict."""
    account = result.account
    rows = [
        ("produced", f"{account.produced:,}", "records that Kafka acknowledged"),
        ("delivered", f"{account.delivered:,}", "accepted by the service, by its own account"),
        ("dead letters", f"{account.dead_lettered:,}", _dead_letter_words(result)),
        ("lost", f"{account.lost:,}", ""),
        ("duplicated", f"{account.duplicated:,}", "accepted, and sent again as the answer was lost"),
        ("out of order", f"{account.out_of_order:,}", "by driver token"),
    ]
    if account.waiting:
        rows.append(("waiting", f"{account.waiting:,}", "not committed, so the next start would deliver them"))
    rows.append(("rate", figures.rate(account.records_per_second), "from the first produced to the last accepted"))
    latency = f"{figures.milliseconds(account.p50_ms)} / {figures.milliseconds(account.p99_ms)}"
    rows.append(("p50 / p99", latency, "from produced to accepted"))
    width = max(len(value) for _, value, _ in rows)
    lines = ["The account, taken from Kafka and from the service:"]
    for label, value, words in rows:
        lines += textwrap.wrap(
            f"{label:<13} {value:>{width}}  {words}",
            _COLUMNS,
            initial_indent="  ",
            subsequent_indent=" " * (width + 18),
            drop_whitespace=True,
        )
    return "\n".join([*lines, *_verdict(result)])


def _dead_letter_words(result: DemoResult) -> str:
    flaws = ", ".join(
        f"{count:,} {flaw.replace('_', ' ')}" for flaw, count in sorted(result.account.dead_letter_flaws.items())
    )
    return f"in the dead-letter topic: {flaws}" if flaws else ""


def _verdict(result: DemoResult) -> Iterator[str]:
    account = result.account
    if account.lost:
        yield f"LOST: {account.lost:,} records were committed and never delivered."
    if account.out_of_order:
        yield f"OUT OF ORDER: {account.out_of_order:,} records overtook an earlier one of their driver token."
    if account.dead_letters_altered:
        yield f"ALTERED: {account.dead_letters_altered:,} dead letters differ from what was produced."
    if not result.settled:
        yield f"STALLED: {account.waiting:,} records did not move any more."
    if result.interrupted:
        yield "Interrupted: this is the account so far."
    elif result.settled and account.complete:
        yield "Nothing was lost, and every driver token's records came in order."
