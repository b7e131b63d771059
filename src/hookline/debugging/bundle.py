"""One archive for a report: how a process is and what it runs with, and no secret, key or payload.

What the console tells is taken as it tells it to somebody who may only look; keys are left out of it, since a console
may show them to whoever has its token. All text has our own secrets and what looks like one taken out once more.
"""

from __future__ import annotations

import io
import json
import os
import platform
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from hookline.console.client import ConsoleClient, partition_path
from hookline.errors import HooklineError
from hookline.telemetry.masking import mask_text
from hookline.telemetry.own_secrets import OwnSecrets
from hookline.version import __version__, is_compiled

_PACKAGES = (
    "aiokafka",
    "confluent-kafka",
    "aiohttp",
    "uvloop",
    "pydantic",
    "msgspec",
    "prometheus-client",
    "structlog",
)
_OF_PAYLOADS = frozenset({"key", "value", "headers", "answer", "curl"})
_LOG_BYTES = 4 << 20
_EXPLAINED = 200

README = """\
Made by `hookline debug bundle` for a report.

In it, as far as it could be had (problems.txt says what could not):
  versions.json       of hookline, Python, the system and the libraries
  settings.json       all settings in effect, where each came from, secrets masked
  doctor.jsonl        what `hookline doctor` found
  status.json         how the process is; partitions.json, members.json, explanations.json: of partitions and the group
  deliveries.json     recent deliveries without keys or payloads; history.json: an hour of figures; audit.json: changes
  metrics.txt         all metrics
  log.txt             the end of the log, if one was named with --log

Not in it: payloads, keys, headers and answers of records; passwords, tokens and certificates. Names of hosts, topics
and groups are in it: look through it before you give it away.
"""


@dataclass(frozen=True, slots=True)
class Part:
    """One file of the archive."""

    name: str
    text: str


def versions() -> Part:
    """What runs here."""
    document = {
        "hookline": __version__,
        "compiled": is_compiled(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "processors": os.cpu_count(),
        "packages": {name: _version_of(name) for name in _PACKAGES},
    }
    return _json("versions.json", document)


def told_by_console(client: ConsoleClient, problem: Callable[[str], None]) -> Iterator[Part]:
    """What a running process tells; `problem` gets what could not be had."""
    asked = {
        "status": "/status",
        "partitions": "/partitions",
        "members": "/members",
        "deliveries": "/deliveries",
        "history": "/history",
        "audit": "/audit",
    }
    for name, path in asked.items():
        try:
            document = without_payloads(client.get(path))
        except HooklineError as error:
            problem(f"{name}.json: {error}")
            continue
        yield _json(f"{name}.json", document)
        if name == "partitions":
            yield _json("explanations.json", _explanations(client, document["partitions"], problem))
    try:
        yield Part("metrics.txt", client.metrics())
    except HooklineError as error:
        problem(f"metrics.txt: {error}")


def _explanations(
    client: ConsoleClient, partitions: Iterable[Mapping[str, Any]], problem: Callable[[str], None]
) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    # Those that stand first: of very many the others say the same.
    for each in sorted(partitions, key=lambda each: each["oldest"] is None)[:_EXPLAINED]:
        name = f"{each['topic']}-{each['partition']}"
        try:
            found[name] = client.get(f"{partition_path(each['topic'], each['partition'])}/explain")["sentences"]
        except HooklineError as error:
            problem(f"explanations.json: {name}: {error}")
    return found


def end_of_log(file: Path) -> Part:
    """The last 4 MB of a log, from the beginning of a line on; raises OSError."""
    with file.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - _LOG_BYTES))
        text = stream.read().decode(errors="replace")
    return Part("log.txt", text if size <= _LOG_BYTES else text.partition("\n")[2])


def without_payloads(document: Any) -> Any:
    """A copy without what is of records."""
    if isinstance(document, Mapping):
        return {name: without_payloads(value) for name, value in document.items() if name not in _OF_PAYLOADS}
    if isinstance(document, list):
        return [without_payloads(value) for value in document]
    return document


def write_bundle(file: Path, parts: Iterable[Part], secrets: OwnSecrets, now: datetime) -> list[str]:
    """Write the archive, which is for its owner alone, and return the names in it; raises OSError.

    A file of that name that is there already is left as it is, and `FileExistsError` raised.
    """
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream, tarfile.open(fileobj=stream, mode="w:gz") as archive:
            return [_add(archive, file.name.removesuffix(".tar.gz"), part, secrets, now) for part in parts]
    except BaseException:
        # Half an archive would be taken for a whole one.
        file.unlink(missing_ok=True)
        raise


def _add(archive: tarfile.TarFile, folder: str, part: Part, secrets: OwnSecrets, now: datetime) -> str:
    content = _cleaned(part.text, secrets).encode(errors="replace")
    entry = tarfile.TarInfo(f"{folder}/{part.name}")
    entry.size, entry.mtime, entry.mode = len(content), int(now.timestamp()), 0o600
    archive.addfile(entry, io.BytesIO(content))
    return part.name


def default_name(now: datetime) -> str:
    """What an archive is called when nobody says."""
    return f"hookline-debug-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}.tar.gz"


def settings_part(items: Iterable[Mapping[str, Any]]) -> Part:
    """All settings."""
    return _json("settings.json", list(items))


def _cleaned(text: str, secrets: OwnSecrets) -> str:
    return "\n".join(secrets.redact(mask_text(line)) for line in text.split("\n"))


def _json(name: str, document: Any) -> Part:
    return Part(name, json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def _version_of(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
