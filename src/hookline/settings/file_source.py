"""The layer of the settings file: YAML or TOML, by its name."""

from __future__ import annotations

import os
from pathlib import Path

from hookline.settings.assigned import LayerValues, assign_tree
from hookline.settings.parsed import MAX_FILE_BYTES, ParsedFile, ParseFailed
from hookline.settings.problems import Problem, printable_name
from hookline.settings.provenance import Layer, Origin


def read_file_layer(file: Path) -> LayerValues:
    """What the file assigns. All that can be wrong with it is in the problems: nothing is raised."""
    name = str(file)
    try:
        parsed = _parse(file)
    except ParseFailed as error:
        return LayerValues(problems=[Problem(Origin(Layer.FILE, name, error.line), "", f"the settings file {error}")])

    def origin_of(path: tuple[str, ...]) -> Origin:
        return Origin(Layer.FILE, name, parsed.line_of(path))

    layer = assign_tree(parsed.values, origin_of)
    layer.problems.extend(
        Problem(
            Origin(Layer.FILE, name, line),
            ".".join(printable_name(part) for part in path),
            f"given twice; it stands in line {first} already",
        )
        for path, line, first in parsed.repeated
    )
    return layer


def _parse(file: Path) -> ParsedFile:
    suffix = file.suffix.lower()
    # The parsers are imported when needed: a run without a file needs neither.
    if suffix == ".toml":
        from hookline.settings.toml_source import parse_toml

        return parse_toml(_text(file))
    if suffix in (".yaml", ".yml", ""):
        from hookline.settings.yaml_source import parse_yaml

        return parse_yaml(_text(file))
    raise ParseFailed("has to end in .yaml, .yml or .toml")


def _text(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise ParseFailed("does not exist; 'hookline config init' writes one") from None
    except IsADirectoryError:
        raise ParseFailed("is a directory; name a file in it") from None
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "its name is not possible"
        raise ParseFailed(f"cannot be read: {reason}") from None
    if len(content) > MAX_FILE_BYTES:
        raise ParseFailed(f"is larger than {MAX_FILE_BYTES // 1024} KiB, so it is not one of settings")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ParseFailed("is not UTF-8 text", line) from None
