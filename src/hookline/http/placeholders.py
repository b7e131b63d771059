"""Texts with values of the record in them: `{key}`, `{topic}`, `{partition}` and `{offset}`.

They may stand in the path and query of `deliver.url` and in the values of `deliver.headers`; `{{` and `}}` stand for
the braces themselves. A text is taken apart once, when settings are read; per record its pieces are joined.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote_from_bytes

from hookline.engine.records import Record
from hookline.engine.verdicts import Reason
from hookline.errors import SettingsError, UnsendableRecord

NAMES = ("key", "topic", "partition", "offset")
KEY_BYTES_MAX = 2048
"""Longer keys are not put into a request: nginx refuses heads above 8 KiB (large_client_header_buffers)."""

Piece = str | Callable[[Record], str]

_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+")
_PRINTABLE = re.compile(rb"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_DOT_SEGMENT = re.compile(r"(?:\.|%2e){1,2}", re.IGNORECASE)


def checked_topic(record: Record) -> str:
    """The topic's name, which is sent in headers; raises `UnsendableRecord` unless it has Kafka's own alphabet."""
    topic = record.topic
    if not _TOPIC.fullmatch(topic):
        raise UnsendableRecord(Reason.UNSAFE_HEADER, "the topic's name has characters that no header may have")
    return topic


def _partition(record: Record) -> str:
    return str(record.partition)


def _offset(record: Record) -> str:
    return str(record.offset)


def _key(record: Record, where: str) -> bytes:
    key = record.key
    if key is None:
        raise UnsendableRecord(Reason.UNSAFE_KEY, f"the record has no key, and {where} asks for one")
    if len(key) > KEY_BYTES_MAX:
        raise UnsendableRecord(Reason.UNSAFE_KEY, f"the key has more than {KEY_BYTES_MAX} bytes, too many for {where}")
    return key


def _key_in_header(record: Record) -> str:
    key = _key(record, "a header")
    if not _PRINTABLE.fullmatch(key):
        raise UnsendableRecord(Reason.UNSAFE_KEY, "a header takes a key of printable ASCII, with no space at its ends")
    return key.decode("ascii")


def _key_in_path(record: Record) -> str:
    key = _key(record, "the path")
    if not key:
        raise UnsendableRecord(Reason.UNSAFE_KEY, "the key is empty, and the path asks for one")
    return quote_from_bytes(key, safe="")


_HEADER_VALUES: dict[str, Callable[[Record], str]] = {
    "key": _key_in_header,
    "topic": checked_topic,
    "partition": _partition,
    "offset": _offset,
}
_PATH_VALUES: dict[str, Callable[[Record], str]] = {**_HEADER_VALUES, "key": _key_in_path}


def _pieces(text: str, setting: str, values: dict[str, Callable[[Record], str]]) -> list[Piece]:
    pieces: list[Piece] = []
    for match in _TOKEN.finditer(text):
        token, name = match[0], match[1]
        if name is not None and name in values:
            pieces.append(values[name])
        elif token in ("{{", "}}"):
            pieces.append(token[0])
        elif token[0] in "{}":
            raise SettingsError(
                f"{setting}: {token!r} is no placeholder; expected one of "
                + ", ".join(f"{{{known}}}" for known in NAMES)
                + ", or {{ and }} for braces"
            )
        else:
            pieces.append(token)
    return pieces


class TextTemplate:
    """A text whose placeholders are filled from a record. `literal` is the whole text when it has none, else None."""

    __slots__ = ("_pieces", "literal")

    def __init__(self, pieces: list[Piece]) -> None:
        self._pieces = pieces
        self.literal = None if any(callable(piece) for piece in pieces) else "".join(map(str, pieces))

    def fill(self, record: Record) -> str:
        """The text for a record; raises `UnsendableRecord` when a value of it can't be put there."""
        return "".join(piece if isinstance(piece, str) else piece(record) for piece in self._pieces)


class PathTemplate(TextTemplate):
    """Path and query of a request, with each value percent-encoded so that it stays within its own segment."""

    __slots__ = ()

    def fill(self, record: Record) -> str:
        """Path and query for a record; raises `UnsendableRecord` also when a segment would be `.` or `..`.

        Percent-encoding does not defend against those: the URL standard (url.spec.whatwg.org, "double-dot path
        segment") and nginx take `%2e%2e` for `..` too, so a key could climb out of the path that the settings name.
        """
        target = super().fill(record)
        path = target.partition("?")[0]
        if any(_DOT_SEGMENT.fullmatch(segment) for segment in path.split("/")):
            raise UnsendableRecord(Reason.UNSAFE_KEY, "the key would make a path segment of dots alone")
        return target


def header_template(value: str, setting: str) -> TextTemplate:
    """The template of a header's value; raises `SettingsError` naming `setting` for an unknown placeholder."""
    return TextTemplate(_pieces(value, setting, _HEADER_VALUES))


def path_template(target: str, setting: str) -> PathTemplate:
    """The template of a path with query; raises `SettingsError` naming `setting` for an unknown placeholder."""
    return PathTemplate(_pieces(target, setting, _PATH_VALUES))
