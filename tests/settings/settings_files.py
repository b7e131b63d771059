"""What the tests of settings have in common."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from hookline.errors import SettingsError
from hookline.settings.loading import LoadedSettings, load_settings


def written(folder: Path, text: str, name: str = "hookline.yaml") -> Path:
    """A settings file with this text, its indentation taken away."""
    file = folder / name
    file.write_text(textwrap.dedent(text), "utf-8")
    return file


def problems_of(
    file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, Sequence[str]] | None = None,
) -> list[str]:
    """What is reported for these layers, without the folder of the file."""
    with pytest.raises(SettingsError) as caught:
        load_settings(file, environment, flags)
    folder = f"{file.parent}/" if file else ""
    return [problem.replace(folder, "") if folder else problem for problem in caught.value.problems]


def loaded(text: str, folder: Path, name: str = "hookline.yaml") -> LoadedSettings:
    """The settings of a file with this text."""
    return load_settings(written(folder, text, name))
