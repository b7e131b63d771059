"""What wheels have compiled: which modules, and what they must not do for that."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
WHEEL = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
HOOK = WHEEL["hooks"]["custom"]
COMPILED, INTERPRETED = (
    {path for pattern in HOOK[name] for path in (ROOT / "src").glob(pattern)} for name in ("compiled", "interpreted")
)
NAMES = [str(path.relative_to(ROOT / "src")) for path in sorted(COMPILED - INTERPRETED)]


def test_every_pattern_names_a_module_that_is_there() -> None:
    for name in ("compiled", "interpreted"):
        for pattern in HOOK[name]:
            assert list((ROOT / "src").glob(pattern)), pattern
    assert INTERPRETED <= COMPILED


@pytest.mark.parametrize("name", NAMES)
def test_a_compiled_module_awaits_nothing(name: str) -> None:
    """A compiled coroutine keeps an exception that it handled before it waited, and each later one is chained to it."""
    for node in ast.walk(ast.parse((ROOT / "src" / name).read_text("utf-8"))):
        assert not isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncWith | ast.AsyncFor), node.lineno
