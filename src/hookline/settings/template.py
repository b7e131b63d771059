"""The commented settings file that `hookline config init` writes, made from the tree."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from hookline.settings.leaves import leaves, section_at
from hookline.settings.section import Section
from hookline.settings.tree import Settings
from hookline.settings.written import plain_value, written_value

_WIDTH = 100
_SET = ("kafka.servers", "kafka.topics", "kafka.group_id", "deliver.url")
"""What everybody has to set, and therefore is not commented out."""

_HEAD = """\
# yaml-language-server: $schema=hookline.schema.json
# The line above is for editors; 'hookline config schema > hookline.schema.json' writes that file.
#
# Settings of Hookline. What is commented out shows its default; remove the '# ' before a line to change it.
# Durations: 250ms, 10s, 5m, 2h, 7d. Sizes: 4096, 512kB, 64MiB. Files are found from the working directory.
# Environment variables go over this file, and flags over both: kafka.group_id is HOOKLINE_KAFKA__GROUP_ID and
# --kafka.group_id. 'hookline config check' finds mistakes, 'hookline config show' tells where each value is from.
"""


def settings_template() -> str:
    """The text of the file: every setting with its description, kind and default."""
    return _HEAD + "\n".join(_lines(Settings, ())) + "\n"


def _lines(section: type[Section], path: tuple[str, ...]) -> Iterator[str]:
    indent = "  " * len(path)
    for name, field in section.model_fields.items():
        inner = section_at((*path, name))
        if inner is not None:
            yield ""
            yield from _comment(" ".join((inner.__doc__ or "").split()), indent)
            yield f"{indent}{name}:"
            yield from _lines(inner, (*path, name))
            continue
        leaf = leaves()[".".join((*path, name))]
        if field is not next(iter(section.model_fields.values())):
            yield ""
        yield from _comment(leaf.description, indent)
        mark = "" if leaf.key in _SET else "# "
        yield f"{indent}{mark}{name}: {written_value(plain_value(leaf, leaf.default))}  # {leaf.kind.name}"


def _comment(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")
