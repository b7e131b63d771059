"""The flags that commands with settings have in common: `--config`, and one for each setting."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from hookline.cli.examples import ExampleCommand
from hookline.settings.leaves import Leaf, leaves
from hookline.settings.loading import LoadedSettings, load_settings
from hookline.settings.written import plain_value, written_value


class SettingOption(click.Option):
    """The flag of a setting. There are too many for one list of options, so the help has them by section."""

    def get_help_record(self, ctx: click.Context) -> None:
        return None


def _option(leaf: Leaf) -> click.Option:
    spellings = dict.fromkeys((leaf.flag, leaf.flag.replace("_", "-")))
    # A flag for a boolean means true when it stands alone.
    alone: dict[str, Any] = {"is_flag": False, "flag_value": "true"} if leaf.is_boolean else {}
    return SettingOption(
        [*spellings, "__".join(leaf.path)],
        multiple=True,
        expose_value=False,
        metavar="VALUE",
        help=leaf.description,
        callback=_remember,
        **alone,
    )


def _remember(ctx: click.Context, option: click.Parameter, values: tuple[str, ...]) -> None:
    if values:
        _flags(ctx)[str(option.name).replace("__", ".")] = list(values)


def _flags(ctx: click.Context) -> dict[str, list[str]]:
    flags: dict[str, list[str]] = ctx.meta.setdefault("hookline.flags", {})
    return flags


class SettingsCommand(ExampleCommand):
    """A command that takes settings. With `lists_settings`, its help has all of them."""

    def __init__(self, *args: Any, lists_settings: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lists_settings = lists_settings
        config = click.Option(
            ["-c", "--config"],
            type=click.Path(path_type=Path),
            envvar="HOOKLINE_CONFIG",
            show_envvar=True,
            metavar="FILE",
            help="The settings file, YAML or TOML.",
        )
        self.params = [config, *self.params, *map(_option, leaves().values())]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_options(ctx, formatter)
        if not self._lists_settings:
            formatter.write_paragraph()
            formatter.write_text("Every setting can be given as a flag too: 'hookline run --help' lists them.")
            return
        by_section: dict[str, list[tuple[str, str]]] = {}
        for leaf in leaves().values():
            default = "" if leaf.default is None else f" [{written_value(plain_value(leaf, leaf.default))}]"
            line = (f"{leaf.flag} VALUE", f"{leaf.description} ({leaf.kind.name}){default}")
            by_section.setdefault(".".join(leaf.path[:-1]), []).append(line)
        for section, lines in by_section.items():
            with formatter.section(f"Settings: {section}"):
                formatter.write_dl(lines)


def given_flags() -> dict[str, list[str]]:
    """The settings that the command which runs now got as flags: for each, its values as they were written."""
    return dict(_flags(click.get_current_context()))


def loaded_settings(config: Path | None, *, read_secrets: bool = True) -> LoadedSettings:
    """What the four layers give for the command that runs now; raises `SettingsError`."""
    flags = _flags(click.get_current_context())
    return load_settings(config, os.environ, flags, read_secrets=read_secrets)
