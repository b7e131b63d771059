"""What a check found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Result(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, what was found, and what to do about it, which is empty when it is well.

    `exit_code` is that of the kind of error that it would be for `hookline run`.
    """

    check: str
    result: Result
    text: str
    remedy: str = ""
    exit_code: int = 1


def ok(check: str, text: str) -> Finding:
    """It is as it should be."""
    return Finding(check, Result.OK, text)


def warning(check: str, text: str, remedy: str) -> Finding:
    """It works, and will not for long, or not as one would expect."""
    return Finding(check, Result.WARNING, text, remedy)


def failure(check: str, text: str, remedy: str, exit_code: int) -> Finding:
    """`hookline run` would not work."""
    return Finding(check, Result.FAILURE, text, remedy, exit_code)


def exit_code_of(findings: Iterable[Finding]) -> int:
    """0 when nothing failed, else the code of the first failure."""
    return next((finding.exit_code for finding in findings if finding.result is Result.FAILURE), 0)
