"""One trial: the simulation against a copy of the product, and what it said."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.catalogue import Mutant, copy_product

_ROOT = Path(__file__).parents[2]
_BROKEN = re.compile(r"^seed (\d+): (property \d+) broken \((.+?)\):", re.MULTILINE)
_LAST_WORDS = 300


@dataclass(frozen=True, slots=True)
class Verdict:
    """`seed` is the one that did not hold, None when all did; `finding` is the property, or why there is none."""

    seed: int | None
    finding: str
    held: bool
    seconds: float


def try_out(mutant: Mutant | None, first_seed: int, seeds: int, limit_seconds: float) -> Verdict:
    """Run so many seeds against the product with a bug planted, or as it is, until one does not hold.

    Only a broken property counts: a copy that does not even run has shown nothing. Raises `MutantOutdated`.
    """
    with tempfile.TemporaryDirectory(prefix="hookline-mutant-") as folder:
        copy_product(Path(folder), mutant)
        command = [sys.executable, "-m", "tests.simulation", "--quiet"]
        command += ["--seeds", str(seeds), "--first-seed", str(first_seed)]
        environment = {**os.environ, "PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"}
        began = time.monotonic()
        try:
            ended = subprocess.run(
                command,
                cwd=_ROOT,
                env=environment,
                timeout=limit_seconds,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Verdict(None, f"not one in {limit_seconds:.0f} s", held=False, seconds=limit_seconds)
    seconds = time.monotonic() - began
    broken = _BROKEN.search(ended.stdout)
    if broken is not None:
        return Verdict(int(broken[1]), f"{broken[2]}: {broken[3]}", held=False, seconds=seconds)
    if ended.returncode == 0:
        return Verdict(None, f"not in {seeds} seeds", held=True, seconds=seconds)
    return Verdict(None, f"does not run: {ended.stdout[-_LAST_WORDS:].strip()}", held=False, seconds=seconds)
