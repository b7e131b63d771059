"""Secrets that stand in files of their own, as container platforms mount them."""

from __future__ import annotations

import os
from pathlib import Path

from hookline.settings.assigned import Assigned
from hookline.settings.leaves import leaves
from hookline.settings.problems import Problem

MAX_SECRET_BYTES = 64 * 1024

_READ_AT_EACH_CHANGE = "deliver.auth."
"""The sender reads these itself, again and again, so loading leaves them alone."""


def settle_twins(assigned: dict[str, Assigned]) -> list[Problem]:
    """Let the higher layer decide between a secret and its `…_file`; in the same layer, both are a problem."""
    problems = []
    for leaf in leaves().values():
        value, file = assigned.get(leaf.key), assigned.get(leaf.twin or "")
        if value is None or file is None or value.value is None or file.value is None:
            continue
        if value.origin.layer == file.origin.layer:
            problems.append(
                Problem(file.origin, leaf.twin or "", f"{leaf.key} is given too ({value.origin}); keep one")
            )
        else:
            del assigned[leaf.key if value.origin.layer < file.origin.layer else leaf.twin or ""]
    return problems


def read_secret_files(assigned: dict[str, Assigned]) -> list[Problem]:
    """Give each secret that is needed once the content of its file, in place."""
    problems = []
    for leaf in leaves().values():
        file = assigned.get(leaf.twin or "")
        if file is None or not isinstance(file.value, str) or leaf.key.startswith(_READ_AT_EACH_CHANGE):
            continue
        try:
            assigned[leaf.key] = Assigned(read_secret(Path(file.value)), file.origin)
        except ValueError as error:
            problems.append(Problem(file.origin, leaf.twin or "", str(error)))
    return problems


def read_secret(file: Path) -> str:
    """The text of a file without the line end that editors put behind it; raises ValueError without any of it."""
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_SECRET_BYTES + 1)
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"the file {file} is not UTF-8 text") from None
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else "unknown reason"
        raise ValueError(f"the file {file} cannot be read: {reason}") from None
    if len(content) > MAX_SECRET_BYTES:
        raise ValueError(f"the file {file} is larger than {MAX_SECRET_BYTES // 1024} KiB, so it is no secret")
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise ValueError(f"the file {file} is empty")
    return text
