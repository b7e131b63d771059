"""The command answers quickly, since it imports only what it needs."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.cli.command import hookline

from hookline.version import __version__

HEAVY = ["aiokafka", "aiohttp", "confluent_kafka", "pydantic", "structlog", "uvloop", "yaml", "asyncio"]


def modules_after(*arguments: str) -> set[str]:
    """What was imported when the command has run, apart from what Python itself begins with."""
    code = (
        "import sys; before = set(sys.modules)\n"
        "from hookline.cli.main import main\n"
        f"main({list(arguments)!r})\n"
        "print('\\nMODULES', *(set(sys.modules) - before))"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True).stdout
    return {name.partition(".")[0] for name in output.rpartition("MODULES")[2].split()}


def test_the_version_is_told_without_importing_any_library():
    modules = modules_after("--version")
    assert modules <= set(sys.stdlib_module_names) | {"hookline"}
    assert modules.isdisjoint({"asyncio", "logging", "ssl", "importlib"})


@pytest.mark.parametrize("arguments", [("--help",), ("--debug", "--version"), ("completion", "--help")])
def test_help_imports_no_client_and_no_settings(arguments: tuple[str, ...]):
    modules = modules_after(*arguments)
    assert "click" in modules
    assert modules.isdisjoint({name for name in HEAVY if name != "asyncio"})


@pytest.mark.parametrize("arguments", [("config", "show"), ("run", "--help"), ("config", "init")])
def test_commands_for_settings_import_no_client(arguments: tuple[str, ...]):
    assert modules_after(*arguments).isdisjoint({"aiokafka", "aiohttp", "confluent_kafka", "uvloop"})


def test_the_version_is_that_of_the_package():
    for arguments in (("--version",), ("--debug", "--version")):
        result = hookline(*arguments)
        assert (result.returncode, result.stdout, result.stderr) == (0, f"hookline {__version__}\n", "")
