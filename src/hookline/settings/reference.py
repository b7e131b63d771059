"""Writes what the documentation says of each setting: `python -m hookline.settings.reference [FOLDER]`.

The part of `configuration.md` between two marks is made from the tree, and so is all of `settings.schema.json`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from hookline.settings.leaves import Leaf, leaves, section_at
from hookline.settings.schema import settings_schema
from hookline.settings.section import Section
from hookline.settings.tree import Settings
from hookline.settings.written import plain_value, written_value

BEGIN = "<!-- made by `python -m hookline.settings.reference`; change the tree in src/hookline/settings instead -->"
END = "<!-- end of what is made -->"


def configuration_page(page: str) -> str:
    """The page with its list of settings renewed; raises ValueError when it has not both marks."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"expected the marks {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{settings_list()}\n{END}{after}"


def settings_list() -> str:
    """Every setting in Markdown, by section."""
    return "\n".join(_section(Settings, ()))


def schema_text() -> str:
    """The JSON Schema as it is published."""
    return json.dumps(settings_schema(), indent=2, ensure_ascii=False) + "\n"


def _section(section: type[Section], path: tuple[str, ...]) -> Iterator[str]:
    # Settings of a section come before the sections in it, else they would seem to belong to the last of those.
    names = list(section.model_fields)
    for name in names:
        leaf = leaves().get(".".join((*path, name)))
        if leaf is not None:
            yield from _setting(leaf)
    for name in names:
        inner = section_at((*path, name))
        if inner is not None:
            yield f"## {'.'.join((*path, name))}\n"
            yield " ".join((inner.__doc__ or "").split()) + "\n"
            yield from _section(inner, (*path, name))


def _setting(leaf: Leaf) -> Iterator[str]:
    default = "not set" if leaf.default is None else f"`{written_value(plain_value(leaf, leaf.default))}`"
    yield f"### `{leaf.key}`\n"
    yield f"{leaf.description}\n"
    yield f"- {leaf.kind.name}; default: {default}"
    yield f"- `{leaf.environment_name}` · `{leaf.flag}`\n"


def main(arguments: list[str]) -> int:
    """Renew both files in a folder, `docs` when none is named; the exit code."""
    folder = Path(arguments[0]) if arguments else Path("docs")
    page = folder / "configuration.md"
    page.write_text(configuration_page(page.read_text("utf-8")), "utf-8")
    (folder / "settings.schema.json").write_text(schema_text(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
