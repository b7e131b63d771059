"""YAML with the line of each value.

Plain values are read by the core schema of YAML 1.2: only `true` and `false` are booleans, so that `group_id: no` is
text and not false, `22:30` is no number in base 60, and `010` is ten. Nothing but plain data is made of a file, and
aliases cannot make it large.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from hookline.settings.parsed import MAX_DEPTH, MAX_VALUES, ParsedFile, ParseFailed

_BOOLEAN, _NULL = "tag:yaml.org,2002:bool", "tag:yaml.org,2002:null"
_WHOLE, _FLOAT, _TEXT = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float", "tag:yaml.org,2002:str"


class _CoreSchemaLoader(yaml.SafeLoader):
    """PyYAML's own resolvers are those of YAML 1.1."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}


_PATTERNS = (
    (_BOOLEAN, "true|True|TRUE|false|False|FALSE", [*"tTfF"]),
    (_NULL, "~|null|Null|NULL|", ["", *"~nN"]),
    (_WHOLE, "[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", [*"-+0123456789"]),
    (_FLOAT, r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", [*"-+.0123456789"]),
    (_FLOAT, r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", [*"-+."]),
)
for _tag, _pattern, _first_characters in _PATTERNS:
    _CoreSchemaLoader.add_implicit_resolver(_tag, re.compile(rf"(?:{_pattern})\Z"), _first_characters)


def parse_yaml(text: str) -> ParsedFile:
    """The values of a YAML document, and their lines; raises ParseFailed."""
    try:
        _check_size(text)
        loader = _CoreSchemaLoader(text)
        try:
            root = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ParseFailed(f"is not valid YAML: {_without_content(error)}", mark.line + 1 if mark else None) from None
    except yaml.YAMLError:
        raise ParseFailed(
            "is not valid YAML: it has characters that YAML does not allow, such as control characters"
        ) from None
    parsed = ParsedFile()
    if root is None:
        return parsed
    values = _Construction(parsed).value(root, (), 0)
    if values is not None and not isinstance(values, dict):
        raise ParseFailed("expected sections such as 'kafka:' at the top level", root.start_mark.line + 1)
    parsed.values = values or {}
    return parsed


def _check_size(text: str) -> None:
    # Composing nodes is recursive in PyYAML, so the depth has to be known before.
    depth, count, line = 0, 0, 1
    for event in yaml.parse(text, Loader=_CoreSchemaLoader):
        if event.start_mark is not None:
            line = event.start_mark.line + 1
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        count += isinstance(event, yaml.NodeEvent)
        if depth > MAX_DEPTH or count > MAX_VALUES:
            raise _too_large(line)


def _too_large(line: int) -> ParseFailed:
    return ParseFailed(f"has more than {MAX_VALUES} values, or more than {MAX_DEPTH} levels of them", line)


def _without_content(error: yaml.MarkedYAMLError) -> str:
    # "found undefined alias 'hunter2'" is what a password that begins with * and is not quoted leads to.
    problem = re.sub(r"'(?!<[a-z ]+>')(?:[^'\\][^']+|\\[^']{2,})'", "…", error.problem or "")
    return f"{problem}; text that begins with a special character, or has ': ' or ' #' in it, needs quotes"


class _Construction:
    """Makes values of nodes, and counts them, since an alias stands for all that its anchor has."""

    def __init__(self, parsed: ParsedFile) -> None:
        self._parsed = parsed
        self._count = 0

    def value(self, node: yaml.Node, path: tuple[str, ...], depth: int) -> Any:
        line = node.start_mark.line + 1
        self._count += 1
        if depth > MAX_DEPTH or self._count > MAX_VALUES:
            raise _too_large(line)
        self._parsed.lines.setdefault(path, line)
        if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
            return self._mapping(node, path, depth)
        if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
            return [self.value(item, (*path, str(index)), depth + 1) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            try:
                return _scalar(node)
            except ValueError:
                pass
        raise ParseFailed("has a YAML tag (!) or a value that settings do not use; quote text that begins with !", line)

    def _mapping(self, node: yaml.MappingNode, path: tuple[str, ...], depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise ParseFailed("has a key that is not text", line)
            # The text as it stands: `404: reject` has the key "404", whatever YAML takes it for.
            name = key_node.value
            here = (*path, name)
            if name in values:
                self._parsed.repeated.append((here, line, self._parsed.lines[here]))
                continue
            self._parsed.lines[here] = line
            values[name] = self.value(value_node, here, depth + 1)
        return values


def _scalar(node: yaml.ScalarNode) -> Any:
    text: str = node.value
    if node.tag == _TEXT:
        return text
    if node.tag == _NULL:
        return None
    if node.tag == _BOOLEAN and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if node.tag == _WHOLE:
        base = {"0o": 8, "0x": 16}.get(text[:2], 10)
        return int(text, base)
    if node.tag == _FLOAT:
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    raise ValueError(node.tag)
