"""`hookline doctor`: whether everything is there that `hookline run` needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hookline.cli.settings_options import SettingsCommand, loaded_settings

if TYPE_CHECKING:
    from hookline.doctor.finding import Finding

_COLOURS = {"ok": "green", "warning": "yellow", "failure": "red"}


@click.command(
    cls=SettingsCommand,
    examples="""
    hookline doctor -c hookline.yaml
    hookline doctor -c hookline.yaml --json | jq 'select(.result != "ok")'
    """,
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each check.")
def doctor(config: Path | None, as_json: bool) -> int:
    """Look whether everything is there that delivering needs.

    Each line says what was looked at and what was found, and for what is not well, what to do. Settings, versions, file
    descriptors; Kafka: connection, credentials, topics, group, dead letters, retention; the service: name, connection,
    TLS with its certificate, an answer, the clock. Nothing is delivered, written or committed: the service gets a HEAD
    of its root without credentials.

    Ends with 0 when nothing failed, else with the code that `hookline run` would end with: 3 settings, 4 Kafka, 5 the
    destination.
    """
    import uvloop

    from hookline.cli.adapter_checks import check_adapters
    from hookline.cli.error_context import errors_located
    from hookline.doctor.finding import exit_code_of, ok
    from hookline.telemetry.logs import configure_logging
    from hookline.telemetry.own_secrets import OwnSecrets

    loaded = loaded_settings(config)
    settings = loaded.settings
    configure_logging(settings.log.model_copy(update={"level": "critical"}), OwnSecrets.of(settings))
    with errors_located(loaded):
        check_adapters(settings)
    _tell(ok("settings", "they are well-formed, and go together"), as_json=as_json)
    findings: list[Finding] = []

    async def look() -> None:
        from hookline.doctor.examination import examine

        async for finding in examine(settings):
            findings.append(finding)
            _tell(finding, as_json=as_json)

    uvloop.run(look())
    return exit_code_of(findings)


def _tell(finding: Finding, *, as_json: bool) -> None:
    from hookline.cli.error_context import redacted
    from hookline.telemetry.masking import printable

    text, remedy = printable(redacted(finding.text)), printable(redacted(finding.remedy))
    if as_json:
        document = {"check": finding.check, "result": finding.result.value, "text": text, "remedy": remedy}
        click.echo(json.dumps(document))
        return
    word = click.style(f"{finding.result.value:<8}", fg=_COLOURS[finding.result.value], bold=True)
    click.echo(f"{word} {finding.check}: {text}")
    if remedy:
        click.echo(f"{'':9}what to do: {remedy}")
