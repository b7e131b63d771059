"""`hookline config`: write, check and show settings."""

from __future__ import annotations

import json
from pathlib import Path

import click

from hookline.cli.error_context import errors_located
from hookline.cli.examples import ExampleCommand, ExampleGroup
from hookline.cli.settings_options import SettingsCommand, loaded_settings
from hookline.settings.leaves import leaves, value_at
from hookline.settings.written import plain_value, written_value


@click.group(
    cls=ExampleGroup,
    examples="""
    hookline config init hookline.yaml
    hookline config check -c hookline.yaml
    hookline config show -c hookline.yaml
    """,
)
def config() -> None:
    """Write, check and show settings."""


@config.command(
    cls=ExampleCommand,
    examples="""
    hookline config init hookline.yaml
    hookline config init | less
    """,
)
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--force", is_flag=True, help="Overwrite the file if it exists.")
def init(file: Path | None, force: bool) -> None:
    """Write a settings file in YAML with every setting, explained; to stdout when no FILE is named."""
    from hookline.settings.template import settings_template

    text = settings_template()
    if file is None:
        click.echo(text, nl=False)
        return
    if file.suffix.lower() not in (".yaml", ".yml"):
        raise click.BadParameter("expected a name that ends in .yaml or .yml", param_hint="FILE")
    try:
        # Exclusively, so that a file which appears meanwhile is not lost either.
        with file.open("w" if force else "x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise click.ClickException(f"{file} exists and was left alone; --force overwrites it") from None
    click.echo(f"Wrote {file}. Next: hookline config check -c {file}", err=True)


@config.command(
    cls=SettingsCommand,
    examples="""
    hookline config check -c hookline.yaml
    HOOKLINE_KAFKA__GROUP_ID=test hookline config check
    """,
)
def check(config: Path | None) -> None:
    """Check settings without connecting to anything; prints ok, or all problems, and then the exit code is 3.

    Files that settings name, such as certificates and secrets, are read as well, and the Kafka client is asked about
    its raw options.
    """
    loaded = loaded_settings(config)
    from hookline.cli.adapter_checks import check_adapters

    with errors_located(loaded):
        check_adapters(loaded.settings)
    click.echo("ok")


@config.command(
    cls=SettingsCommand,
    examples="""
    hookline config show -c hookline.yaml
    hookline config show --json | jq '."kafka.group_id".value'
    """,
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show(config: Path | None, as_json: bool) -> None:
    """Show every setting, its value and where that came from. Secrets are masked, and files with secrets not read."""
    loaded = loaded_settings(config, read_secrets=False)
    rows = {
        key: (plain_value(leaf, value_at(loaded.settings, leaf)), loaded.origin(key)) for key, leaf in leaves().items()
    }
    if as_json:
        shown = {
            key: {
                "value": value,
                "origin": {"layer": origin.layer.name.lower(), "name": origin.name or None, "line": origin.line},
            }
            for key, (value, origin) in rows.items()
        }
        click.echo(json.dumps(shown, indent=2))
        return
    written = {key: (written_value(value), str(origin)) for key, (value, origin) in rows.items()}
    key_width = max(map(len, written))
    value_width = min(max(len(value) for value, _ in written.values()), 40)
    for key, (value, place) in written.items():
        click.echo(f"{key:<{key_width}}  {value:<{value_width}}  {place}")


@config.command(
    cls=ExampleCommand,
    examples="""
    hookline config schema > hookline.schema.json
    """,
)
def schema() -> None:
    """Print the JSON Schema of settings files, with which editors complete and check them."""
    from hookline.settings.reference import schema_text

    click.echo(schema_text(), nl=False)
