"""What can go wrong in a benchmark."""

from __future__ import annotations


class BenchmarkError(Exception):
    """A benchmark or one run of it could not be done; the message says why and what to do."""
