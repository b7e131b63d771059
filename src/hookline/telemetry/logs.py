"""The log: one event a line on the standard error output, for people on a terminal and as JSON elsewhere.

Everything goes one way, that of `logging`: our own events, those of libraries, and what a subclass of the documented
class logs. `configure_logging` installs one handler that masks and formats them all. Without it, in a program that uses
Hookline as a library, that program's own handlers decide.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any, TextIO, cast

import structlog
from structlog.tracebacks import ExceptionDictTransformer

from hookline.settings.operation import Log
from hookline.telemetry.line_writer import LineWriter
from hookline.telemetry.log_event import LogEvent, Sanitizer
from hookline.telemetry.own_secrets import OwnSecrets

_NOISY_LIBRARIES = ("aiokafka", "aiohttp", "asyncio")
_EXIT_FLUSH_SECONDS = 1.0

_encode = json.JSONEncoder(ensure_ascii=False).encode
_traceback = ExceptionDictTransformer(show_locals=False, max_frames=40)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger of events, used as `log.warning(Event.COMMIT_FAILED, partitions=3)`; `name` is as for `logging`."""
    logger = structlog.wrap_logger(
        logging.getLogger(name),
        processors=_processors(),
        wrapper_class=structlog.stdlib.BoundLogger,
        context_class=dict,
    )
    return cast("structlog.stdlib.BoundLogger", logger)


def adopt_structlog() -> None:
    """Send what is logged through structlog's own `get_logger` the same way, unless the program has configured it.

    structlog would print it on the standard output, with nothing masked.
    """
    if not structlog.is_configured():
        structlog.configure(
            processors=_processors(),
            wrapper_class=structlog.stdlib.BoundLogger,
            logger_factory=structlog.stdlib.LoggerFactory(),
            context_class=dict,
        )


def configure_logging(
    log: Log,
    own_secrets: OwnSecrets | None = None,
    stream: TextIO | None = None,
    fixed: Mapping[str, Any] | None = None,
) -> None:
    """Send all that is logged in this process to `stream` (standard error) as the settings say; twice replaces.

    `own_secrets` are masked whatever the settings say, and the fields `fixed` are on every line. The stream is never
    waited for, and nothing that happens to it is raised. Libraries are heard from warnings on, with `log.level: debug`
    from their information on: what the Kafka client logs below that has whole records in it.
    """
    stream = stream if stream is not None else sys.stderr
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, EventHandler)]:
        root.removeHandler(handler)
        handler.close()
    level = logging.getLevelNamesMapping()[log.level.upper()]
    render = _json_line if not _is_console(log, stream) else _console_renderer(stream)
    root.addHandler(
        EventHandler(stream, EventFormatter(Sanitizer(own_secrets, personal=log.mask), render, fixed or {}))
    )
    root.setLevel(level)
    quiet = logging.INFO if level == logging.DEBUG else max(level, logging.WARNING)
    for name in _NOISY_LIBRARIES:
        logging.getLogger(name).setLevel(quiet)
    logging.captureWarnings(capture=True)
    adopt_structlog()


class EventFormatter(logging.Formatter):
    """Makes one line of a record: fixed fields first, the event's after, an exception with its traceback last."""

    def __init__(self, sanitizer: Sanitizer, render: Callable[[dict[str, Any]], str], fixed: Mapping[str, Any]) -> None:
        super().__init__()
        self._sanitizer = sanitizer
        self._render = render
        self._fixed = fixed

    def format(self, record: logging.LogRecord) -> str:
        message = record.msg
        name, fields = (message.name, message.fields) if isinstance(message, LogEvent) else (_text_of(record), {})
        line: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="microseconds")
            .replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": self._sanitizer.text(name),
            "logger": self._sanitizer.text(record.name),
            **self._fixed,
        }
        for field, value in self._sanitizer.fields(fields).items():
            line[field if field not in line and field != "exception" else f"{field}_"] = value
        if record.exc_info and record.exc_info[1] is not None:
            stacks = _traceback(cast("Any", record.exc_info))
            line["exception"] = [self._sanitizer.fields(_without_empty(stack)) for stack in stacks]
        return self._render(line)


class EventHandler(logging.Handler):
    """Writes lines to a stream without waiting for it; see `LineWriter`."""

    def __init__(self, stream: TextIO | None, formatter: EventFormatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self._writer = LineWriter(stream, self._dropped_notice)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._writer.write(self.format(record))
        except Exception:  # noqa: BLE001 - logging is no reason to stop delivering
            self._writer.dropped += 1

    def flush(self) -> None:
        self._writer.flush()

    def close(self) -> None:
        self._writer.flush(_EXIT_FLUSH_SECONDS)
        super().close()

    def _dropped_notice(self, dropped: int) -> str:
        event = LogEvent("log_lines_dropped", {"lines": dropped})
        return self.format(logging.LogRecord(__name__, logging.WARNING, __file__, 0, event, None, None))


def _processors() -> list[Any]:
    return [structlog.stdlib.filter_by_level, _to_message]


def _to_message(_logger: Any, _method: str, fields: MutableMapping[str, Any]) -> tuple[tuple[LogEvent], dict[str, Any]]:
    """The last processor: arguments for `logging`, whose records take any object as their message."""
    exc_info = fields.pop("exc_info", None)
    fields.pop("positional_args", None)
    return (LogEvent(str(fields.pop("event", "")), fields),), {"exc_info": exc_info} if exc_info else {}


def _text_of(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - wrong arguments of a library's log call; its text alone says enough
        return str(record.msg)


def _is_console(log: Log, stream: TextIO | None) -> bool:
    return log.format == "console" or (log.format == "auto" and _is_terminal(stream))


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False


def _json_line(line: Mapping[str, Any]) -> str:
    return _encode(line)


def _console_renderer(stream: TextIO | None) -> Callable[[dict[str, Any]], str]:
    # https://no-color.org: any value but the empty one switches colours off.
    colors = _is_terminal(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    renderer = structlog.dev.ConsoleRenderer(colors=colors, sort_keys=False, pad_event_to=24)

    def render(line: dict[str, Any]) -> str:
        exception = line.pop("exception", None)
        # The renderer takes `stack` and `exc_info` for parts of an exception.
        text = renderer(None, "", {f"{name}_" if name in ("stack", "exc_info") else name: line[name] for name in line})
        return f"{text}\n{_traceback_lines(exception)}" if exception else text

    return render


def _without_empty(stack: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in stack.items() if value not in (None, False, [])}


def _traceback_lines(stacks: list[dict[str, Any]], indent: str = "") -> str:
    """The usual look of a traceback, out of sanitized pieces; the exceptions of a group are indented under it."""
    lines: list[str] = []
    for stack in reversed(stacks):
        frames = stack.get("frames", ())
        lines += [
            f'{indent}  File "{frame["filename"]}", line {frame["lineno"]}, in {frame["name"]}' for frame in frames
        ]
        lines.append(f"{indent}{stack['exc_type']}: {stack.get('exc_value', '')}")
        lines += [_traceback_lines(inner, indent + "  ") for inner in stack.get("exceptions", ())]
    return "\n".join(lines)
