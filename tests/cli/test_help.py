"""The help of every command: examples first, and what it says is true."""

from __future__ import annotations

import re
import shlex
import subprocess

import click
import pytest
from click.testing import CliRunner
from tests.cli.command import hookline

from hookline.cli.examples import ExampleCommand, ExampleGroup
from hookline.cli.root import COMMANDS, root
from hookline.settings.leaves import leaves


def all_commands() -> dict[str, click.Command]:
    context = click.Context(root)
    commands: dict[str, click.Command] = {"": root}
    for name in root.list_commands(context):
        command = root.get_command(context, name)
        assert command is not None
        commands[name] = command
        if isinstance(command, click.Group):
            commands |= {f"{name} {inner}": each for inner, each in command.commands.items()}
    return commands


EXAMPLED = [name for name, each in all_commands().items() if isinstance(each, ExampleCommand | ExampleGroup)]


@pytest.mark.parametrize("name", EXAMPLED)
def test_help_begins_with_examples_of_commands_that_exist(name: str):
    result = CliRunner().invoke(root, [*name.split(), "--help"], prog_name="hookline")
    assert result.exit_code == 0
    usage, examples, *_ = result.output.split("\n\n")
    assert usage.startswith(f"Usage: hookline {name}".rstrip())
    assert examples.startswith("Examples:\n")
    known = all_commands()
    for line in examples.splitlines()[1:]:
        words = shlex.split(re.sub(r"[<>|()']", " ", line[line.index("hookline") :]))
        assert " ".join(words[1:3]) in known or words[1] in known, line


def test_the_list_of_commands_says_what_each_says_of_itself():
    for name, (_, line) in COMMANDS.items():
        assert all_commands()[name].get_short_help_str(200) == line


def test_the_help_of_run_has_every_setting_and_both_spellings_work():
    text = CliRunner().invoke(root, ["run", "--help"]).output
    options = {spelling for option in all_commands()["run"].params for spelling in option.opts}
    for leaf in leaves().values():
        assert f"{leaf.flag} VALUE" in text
        assert {leaf.flag, leaf.flag.replace("_", "-")} <= options


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_the_shell(shell: str):
    result = hookline("completion", shell)
    assert result.returncode == 0
    assert "_HOOKLINE_COMPLETE" in result.stdout


def test_the_script_for_bash_completes_commands_and_flags():
    for words, expected in (("hookline conf", "plain,config"), ("hookline run --kafka.grou", "--kafka.group_id")):
        environment = {
            "_HOOKLINE_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
        }
        assert expected in hookline(environment=environment).stdout


def test_the_script_for_bash_is_one():
    script = hookline("completion", "bash").stdout
    assert subprocess.run(["bash", "-n"], input=script, text=True, timeout=60, check=False).returncode == 0
