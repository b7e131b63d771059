"""The planted bugs as data, and how one is planted in a copy of the product."""

from __future__ import annotations

import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path

PRODUCT = Path(__file__).parents[2] / "src" / "hookline"
_CATALOGUE = Path(__file__).with_name("mutants.toml")


class MutantOutdated(Exception):
    """The product has changed where a bug is planted: the mutant has to be changed too."""


@dataclass(frozen=True, slots=True)
class Change:
    """In `file`, below the product's folder, `old` becomes `new`."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """A planted bug: what it does, and who shipped such a one."""

    name: str
    what: str
    shipped_by: str
    changes: tuple[Change, ...]

    def changed_sources(self) -> dict[str, str]:
        """The text of each file that it changes, by its path below the product's folder.

        Raises `MutantOutdated` when a text to be changed is not found exactly once.
        """
        sources: dict[str, str] = {}
        for change in self.changes:
            source = sources.get(change.file)
            if source is None:
                source = (PRODUCT / change.file).read_text(encoding="utf-8")
            found = source.count(change.old)
            if found != 1:
                raise MutantOutdated(
                    f'mutant "{self.name}": its text is there {found} times in {change.file}, and has to be there once:'
                    f" change it in {_CATALOGUE.name}\n{change.old}"
                )
            sources[change.file] = source.replace(change.old, change.new)
        return sources


def mutants() -> list[Mutant]:
    """All planted bugs, in the order of the catalogue."""
    with _CATALOGUE.open("rb") as file:
        entries = tomllib.load(file)["mutant"]
    return [
        Mutant(
            entry["name"],
            entry["what"],
            entry["shipped_by"],
            tuple(Change(change["file"], change["old"], change["new"]) for change in entry["change"]),
        )
        for entry in entries
    ]


def copy_product(folder: Path, mutant: Mutant | None) -> None:
    """Put the product, with a bug planted or without, into a folder to be named in PYTHONPATH."""
    shutil.copytree(PRODUCT, folder / PRODUCT.name, ignore=shutil.ignore_patterns("__pycache__"))
    for file, source in ({} if mutant is None else mutant.changed_sources()).items():
        (folder / PRODUCT.name / file).write_text(source, encoding="utf-8")
