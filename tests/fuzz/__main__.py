"""`python -m tests.fuzz --minutes 10`: all tests of properties, again and again with new seeds and many examples.

Each file has its turn; a round is all of them. Ends with what was tried, or with the first failure and its seed.
"""

from __future__ import annotations

import argparse
import random
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
LONGEST_TEST_SECONDS = 1800
_SELECTED = ("-m", "hypothesis and not kafka", "-p", "no:cacheprovider")
_PASSED = re.compile(r"(\d+) passing")


def main() -> int:
    """Run the command; 0 when nothing was found."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="how long; the file under way is finished")
    parser.add_argument("--only", default="", help="files whose path has this in it, such as http or offset_map")
    parser.add_argument("--seed", type=int, help="of the first file; each following one has the next")
    given = parser.parse_args()
    files = [path for path in _files() if given.only in path]
    if not files:
        parser.error(f"no file of tests with properties has {given.only!r} in its path")
    seed = random.randrange(2**32) if given.seed is None else given.seed
    end = time.monotonic() + given.minutes * 60
    examples = runs = 0
    while time.monotonic() < end:
        path = files[runs % len(files)]
        began = time.monotonic()
        done = _pytest(path, "--hypothesis-profile=long", f"--hypothesis-seed={seed}", "--hypothesis-show-statistics")
        tried = sum(map(int, _PASSED.findall(done.stdout)))
        examples += tried
        if done.returncode:
            sys.stdout.write(done.stdout + done.stderr)
            _say(f"found in {path}, seed {seed}: make fuzz ARGUMENTS='--only {path} --seed {seed}' repeats it")
            return 1
        _say(f"{time.monotonic() - began:6.0f} s  {tried:>7} examples  {path}  seed {seed}")
        runs, seed = runs + 1, (seed + 1) % 2**32
    _say(f"nothing found in {examples} examples of {min(runs, len(files))} files, {runs / len(files):.1f} rounds")
    return 0


def _files() -> list[str]:
    """The files that have tests with properties, as Hypothesis' own plugin marks them."""
    told = _pytest("tests", "--collect-only").stdout
    return sorted({line.partition("::")[0] for line in told.splitlines() if "::" in line})


def _pytest(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", *_SELECTED, f"--timeout={LONGEST_TEST_SECONDS}", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
