"""`hookline send`: one record to the service, to see what it says."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hookline.cli.confirmation import confirm
from hookline.cli.settings_options import SettingsCommand, loaded_settings
from hookline.engine.records import Record, SourceRecord, TopicPartition
from hookline.engine.verdicts import Answer, Verdict
from hookline.errors import DestinationError, OperationRefused, UnsendableRecord

if TYPE_CHECKING:
    from hookline.settings.tree import Settings
    from hookline.trial.attempt import RequestShown, Trial

_PLACE = re.compile(r"([A-Za-z0-9._-]{1,249})-(\d{1,9})-(\d{1,18})")
_ANSWER_BYTES = 2000
_TRIAL_TOPIC = "hookline-send"
"""What placeholders and `Idempotency-Key` say of a record that comes from a file."""


@click.command(
    cls=SettingsCommand,
    examples="""
    hookline send -c hookline.yaml session.json --dry-run
    hookline send -c hookline.yaml session.json --key driver-17 --yes
    hookline send -c hookline.yaml --record charging_sessions-3-1042
    echo '{"session_id": "s-1"}' | hookline send - --deliver.url https://staging.example.com/check --yes
    """,
)
@click.argument("file", required=False, type=click.Path(path_type=Path, allow_dash=True))
@click.option("--record", "place", metavar="TOPIC-PARTITION-OFFSET", help="A record of Kafka, which is only read.")
@click.option("--key", metavar="TEXT", help="The key, for a record from a file.")
@click.option("--dry-run", is_flag=True, help="Only show the request that would be made.")
@click.option("--yes", is_flag=True, help="Send it without asking.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def send(
    config: Path | None,
    file: Path | None,
    place: str | None,
    key: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Send one record to the service, to see what it says.

    The record is a file's content (- for stdin), or one of Kafka's that is named by its place. The service gets a real
    request, as from 'hookline run': it may act on it. Nothing is committed, and no dead letter is written, whatever it
    answers. Shows the request with secrets masked, the answer, how long it took, and what it would mean for the record.

    Ends with 0 when the record would count as delivered, with 5 when the service cannot be reached or refuses
    everything, else with 1.
    """
    import uvloop

    from hookline.cli.error_context import errors_located
    from hookline.settings.written import shown_url
    from hookline.telemetry.logs import configure_logging
    from hookline.telemetry.own_secrets import OwnSecrets
    from hookline.trial.attempt import attempt, shown_request

    if (file is None) == (place is None):
        raise click.UsageError("Give a file, or --record TOPIC-PARTITION-OFFSET.")
    if key is not None and file is None:
        raise click.UsageError("--key goes with a file.")
    loaded = loaded_settings(config)
    settings = loaded.settings
    configure_logging(settings.log.model_copy(update={"level": "error"}), OwnSecrets.of(settings))
    with errors_located(loaded):
        record = _of_file(file, key) if file is not None else uvloop.run(_of_kafka(settings, str(place)))
        try:
            request = shown_request(settings, record)
        except UnsendableRecord as error:
            raise OperationRefused(
                f"no request can be made of it, and 'hookline run' would dead-letter it: {error}"
            ) from error
        if not as_json:
            _show_request(settings, request)
        if dry_run:
            if as_json:
                click.echo(json.dumps({"request": _request_json(request), "answer": None}))
            return 0
        confirm(f"Send it to {shown_url(settings.deliver.url)}?", yes=yes)
        trial = uvloop.run(attempt(settings, record))
    if as_json:
        click.echo(json.dumps({"request": _request_json(request), "answer": _trial_json(trial)}))
    else:
        _show_trial(trial)
    return _exit_code(trial)


def _of_file(file: Path, key: str | None) -> Record:
    try:
        value = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise click.BadParameter(f"{file} cannot be read: {error.strerror}", param_hint="FILE") from None
    return SourceRecord(_TRIAL_TOPIC, 0, 0, -1, None if key is None else key.encode(), value, ())


async def _of_kafka(settings: Settings, place: str) -> Record:
    from hookline.dead_letters.reading import opened_access

    match = _PLACE.fullmatch(place)
    if match is None:
        raise click.BadParameter(f"{place!r} is not TOPIC-PARTITION-OFFSET, such as charging_sessions-3-1042")
    partition, offset = TopicPartition(match[1], int(match[2])), int(match[3])
    async with opened_access(settings) as access:
        first, end = (await access.bounds(partition.topic)).get(partition, (0, 0))
        if first <= offset < end:
            batch = await access.read(partition, offset, offset + 1, 1)
            for record in batch.records:
                if record.offset == offset:
                    return record
    raise OperationRefused(f"{place} is not there: the partition has offsets {first} to {end - 1}")


def _show_request(settings: Settings, request: RequestShown) -> None:
    from hookline.settings.written import shown_url
    from hookline.telemetry.masking import printable

    click.echo(click.style(f"to {shown_url(settings.deliver.url)}", bold=True))
    click.echo(printable(request.line.partition("?")[0]))
    for name, value in request.headers:
        click.echo(f"{name}: {printable(value)}")
    click.echo(f"({request.body_bytes:,} bytes of body)")


def _show_trial(trial: Trial) -> None:
    from hookline.telemetry.masking import printable
    from hookline.trial.attempt import MEANINGS

    good = trial.verdict is Verdict.DELIVERED
    document = _trial_json(trial)
    click.echo("")
    what = f"status {document['status']}" if document["status"] else f"{document['failure']}: {document['detail']}"
    click.echo(click.style(f"{printable(what)} after {trial.seconds:.3f} s", fg="green" if good else "red", bold=True))
    if document["body"]:
        click.echo(document["body"])
    click.echo(f"{trial.verdict.value}: {MEANINGS[trial.verdict]}")


def _request_json(request: RequestShown) -> dict[str, Any]:
    return {
        "line": request.line.partition("?")[0],
        "headers": dict(request.headers),
        "body_bytes": request.body_bytes,
    }


def _trial_json(trial: Trial) -> dict[str, Any]:
    from hookline.dead_letters.preview import preview

    outcome = trial.outcome
    answered = isinstance(outcome, Answer)
    return {
        "status": outcome.status if isinstance(outcome, Answer) else None,
        "failure": None if isinstance(outcome, Answer) else outcome.kind.value,
        "detail": "" if isinstance(outcome, Answer) else outcome.detail,
        "body": preview(outcome.body, _ANSWER_BYTES, masked=True).text if isinstance(outcome, Answer) else "",
        "seconds": round(trial.seconds, 4),
        "verdict": trial.verdict.value,
        "answered": answered,
    }


def _exit_code(trial: Trial) -> int:
    if trial.verdict is Verdict.DELIVERED:
        return 0
    stopped = trial.verdict in (Verdict.STOP_CREDENTIALS, Verdict.STOP_GONE)
    return DestinationError.exit_code if stopped or not isinstance(trial.outcome, Answer) else 1
