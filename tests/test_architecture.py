"""Which folder may import which, and how large a file may be.

Imports are read from the source, so that those inside functions and those for types alone count as well.
"""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src"
# A suite is a list of cases, of which one is read at a time.
LONGEST_FILE_LINES = {"src": 400, "benchmarks": 400, "tools": 400, "tests": 500}

# What stands alone: everything but the engine and the settings may import the version.
GROUND = frozenset({"errors", "version"})
CONTRACTS = GROUND | {"engine", "settings"}
ADAPTERS = CONTRACTS | {"kafka", "http", "telemetry"}

MAY_IMPORT: Mapping[str, frozenset[str]] = {
    "version": frozenset(),
    "errors": frozenset(),
    "settings": frozenset({"errors"}),
    "engine": frozenset({"errors"}),
    "kafka": CONTRACTS,
    "http": CONTRACTS,
    "telemetry": CONTRACTS,
    "service": ADAPTERS | {"tracing"},
    "tracing": ADAPTERS,
    "consumer_service": ADAPTERS | {"service"},
    "dead_letters": ADAPTERS | {"service"},
    "load_test": CONTRACTS | {"http", "kafka", "service"},
    "trial": ADAPTERS | {"service"},
    "console": ADAPTERS | {"service", "dead_letters", "trial"},
    "doctor": ADAPTERS | {"service", "dead_letters"},
    "debugging": GROUND | {"telemetry", "console"},
    "terminal": GROUND | {"console"},
    "demo": ADAPTERS | {"service", "console"},
    "cli": ADAPTERS
    | {
        "service",
        "dead_letters",
        "load_test",
        "doctor",
        "debugging",
        "terminal",
        "trial",
        "console",
        "demo",
        "consumer_service",
    },
    "__init__": frozenset({"consumer_service", "errors", "settings", "version"}),
    "__main__": frozenset({"cli"}),
}

# Adapters speak of records and outcomes; how the engine decides is nothing to them.
ENGINE_TYPES = frozenset({"records", "delivery", "verdicts", "status"})
ONLY_TYPES_OF_THE_ENGINE = frozenset({"kafka", "http", "telemetry"})

# The engine is told the time and given its randomness. So nothing here does I/O, waits, or reads a clock.
PURE_MODULES = frozenset(
    {
        "__future__",
        "base64",
        "binascii",
        "bisect",
        "collections",
        "collections.abc",
        "dataclasses",
        "enum",
        "functools",
        "heapq",
        "itertools",
        "math",
        "operator",
        "struct",
        "types",
        "typing",
        "zlib",
    }
)


@dataclass(frozen=True)
class Import:
    """One import of a module, as it stands in a file."""

    path: Path
    line: int
    module: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line} imports {self.module}"

    @property
    def importer(self) -> str:
        """The folder of the package, or the module beside the folders, that imports."""
        return _place(self.path.with_suffix("").parts)

    @property
    def imported(self) -> str | None:
        """The folder or module of the package that is imported; None for anything else."""
        parts = self.module.split(".")
        if parts[0] != "hookline":
            return None
        return _place(parts) if len(parts) > 1 else "__init__"


def _place(parts: Iterable[str]) -> str:
    return tuple(parts)[1]


def imports_of(source: Path) -> Iterator[Import]:
    """All imports in the package below `source`, with paths relative to it."""
    modules = {_module_name(path.relative_to(source)) for path in source.rglob("*.py")}
    for path in sorted(source.rglob("*.py")):
        where = path.relative_to(source)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
            if isinstance(node, ast.Import):
                for name in node.names:
                    yield Import(where, node.lineno, name.name)
            elif isinstance(node, ast.ImportFrom):
                assert not node.level, f"{where}:{node.lineno} is a relative import; name the whole module"
                module = node.module or ""
                for name in node.names:
                    submodule = f"{module}.{name.name}"
                    yield Import(where, node.lineno, submodule if submodule in modules else module)


def _module_name(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def wrong_directions(source: Path) -> list[str]:
    """Each import between folders that the table does not allow."""
    found = []
    for each in imports_of(source):
        imported = each.imported
        if imported is None or imported == each.importer:
            continue
        if imported not in MAY_IMPORT.get(each.importer, frozenset()):
            found.append(f"{each}: {each.importer} may import {_listed(MAY_IMPORT.get(each.importer, frozenset()))}")
    return found


def inner_workings_used(source: Path) -> list[str]:
    """Each import by an adapter of something of the engine that is not one of its types."""
    allowed = {f"hookline.engine.{module}" for module in ENGINE_TYPES}
    return [
        f"{each}: {each.importer} may use {_listed(allowed)}"
        for each in imports_of(source)
        if each.importer in ONLY_TYPES_OF_THE_ENGINE and each.imported == "engine" and each.module not in allowed
    ]


def impure_imports(source: Path) -> list[str]:
    """Each import of the engine from outside that is not known to be pure."""
    return [
        f"{each}: the engine does no I/O, does not wait and reads no clock"
        for each in imports_of(source)
        if each.importer == "engine" and each.imported is None and each.module not in PURE_MODULES
    ]


def folder_cycle(source: Path) -> list[str]:
    """The folders of an import cycle in order, the first one again at the end; empty when there is none."""
    graph: dict[str, set[str]] = {}
    for each in imports_of(source):
        if each.imported is not None and each.imported != each.importer:
            graph.setdefault(each.importer, set()).add(each.imported)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "nothing of the package"


def _report(found: list[str]) -> str:
    return "\n".join(["", *found])


def test_imports_between_folders_point_inwards():
    found = wrong_directions(SOURCE)
    assert not found, _report(found)


def test_every_folder_has_its_place_in_the_table():
    places = {path.relative_to(SOURCE / "hookline").with_suffix("").parts[0] for path in SOURCE.rglob("*.py")}
    assert places <= MAY_IMPORT.keys(), f"not in MAY_IMPORT: {_listed(places - MAY_IMPORT.keys())}"


def test_folders_import_each_other_in_no_circle():
    cycle = folder_cycle(SOURCE)
    assert not cycle, " imports ".join(reversed(cycle))


def test_the_engine_imports_nothing_that_does_io_waits_or_reads_a_clock():
    found = impure_imports(SOURCE)
    assert not found, _report(found)


def test_adapters_and_telemetry_use_only_the_types_of_the_engine():
    found = inner_workings_used(SOURCE)
    assert not found, _report(found)


@pytest.mark.parametrize(("folder", "lines_max"), LONGEST_FILE_LINES.items())
def test_files_can_be_read_in_one_sitting(folder: str, lines_max: int):
    long = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        where = path.relative_to(ROOT)
        if not any(part.startswith(".") for part in where.parts):
            lines = len(path.read_text(encoding="utf-8").splitlines())
            if lines > lines_max:
                long.append(f"{where} has {lines} lines; {lines_max} are the most")
    assert not long, _report(long)


@pytest.mark.parametrize(
    ("path", "line", "told"),
    [
        ("engine/engine.py", "import hookline.service.shell", "engine may import errors"),
        ("engine/engine.py", "from hookline import settings", "engine may import errors"),
        ("engine/engine.py", "import asyncio", "reads no clock"),
        ("engine/engine.py", "def now():\n    from time import monotonic", "reads no clock"),
        ("http/sender.py", "from hookline.kafka.ports import Source", "http may import"),
        ("http/sender.py", "from hookline.engine.engine import Engine", "http may use"),
        ("service/shell.py", "from hookline.console import server", "service may import"),
    ],
)
def test_an_import_that_breaks_a_rule_is_named_with_its_file_and_line(tmp_path: Path, path: str, line: str, told: str):
    package = tmp_path / "hookline"
    for module in ("__init__", "service/shell", "settings/__init__", "console/server", "engine/engine", "http/sender"):
        file = package / f"{module}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")
    (package / path).write_text(f"{line}\n")

    found = wrong_directions(tmp_path) + impure_imports(tmp_path) + inner_workings_used(tmp_path)

    assert len(found) == 1
    assert found[0].startswith(f"hookline/{path}:{1 + line.count(chr(10))} imports ")
    assert told in found[0]


def test_a_circle_of_folders_is_found(tmp_path: Path):
    for folder, other in (("kafka", "http"), ("http", "telemetry"), ("telemetry", "kafka")):
        (tmp_path / "hookline" / folder).mkdir(parents=True)
        (tmp_path / "hookline" / folder / "file.py").write_text(f"import hookline.{other}.file\n")

    assert set(folder_cycle(tmp_path)) == {"kafka", "http", "telemetry"}
