"""What the documentation says is there: links, commands, settings and metrics."""

from __future__ import annotations

import ast
import importlib
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from hookline.cli.execution import INTERRUPTED
from hookline.cli.root import root as hookline_command
from hookline.demo.options import DEFAULT_FAULTS_SECONDS, DEFAULT_SECONDS
from hookline.engine.assignment import Assignment
from hookline.engine.delivery import Delivery, Trouble
from hookline.engine.lanes import NoLanes
from hookline.engine.ledger import Ledger
from hookline.engine.records import SourceRecord, TopicPartition
from hookline.engine.verdicts import Reason
from hookline.errors import HooklineError
from hookline.kafka import aiokafka_options, librdkafka_options
from hookline.service.dead_letter import dead_letter_of
from hookline.settings.leaves import leaves
from hookline.settings.loading import load_settings
from hookline.settings.policy import DeadLetter
from hookline.settings.units import written_duration

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").glob("*.md")])
SECTIONS = re.compile(r"^(kafka|deliver|verdicts|retry|breaker|bounds|commit|dead_letter|console|log):", re.MULTILINE)

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def tokens_of(document: Path) -> Iterator[Token]:
    """All tokens, those inside paragraphs and tables too."""
    for token in MarkdownIt("commonmark").enable("table").parse(document.read_text(encoding="utf-8")):
        yield token
        yield from token.children or ()


def links_of(document: Path) -> list[str]:
    """The targets of links and pictures."""
    found = []
    for token in tokens_of(document):
        target = token.attrGet("href") if token.type == "link_open" else token.attrGet("src")
        if target is not None:
            found.append(str(target))
    return found


def anchors_of(document: Path) -> set[str]:
    """The fragments that headings get on the usual forges."""
    tokens = list(tokens_of(document))
    headings = (tokens[at + 1].content for at, token in enumerate(tokens) if token.type == "heading_open")
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def code_of(document: Path) -> Iterator[str]:
    """Commands and names in the text: each piece of code in a line, each line of a block of code."""
    for token in tokens_of(document):
        if token.type == "code_inline":
            yield token.content
        elif token.type in ("fence", "code_block"):
            yield from token.content.splitlines()


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@each_document
def test_links_lead_somewhere(document: Path):
    lost = []
    for link in links_of(document):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, fragment = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        if not target.exists() or (fragment and fragment not in anchors_of(target)):
            lost.append(link)
    assert not lost


@each_document
def test_make_commands_exist(document: Path):
    named = [match[1] for code in code_of(document) if (match := re.match(r"\s*(?:[A-Z]+=\S+ )*make ([a-z]+)\b", code))]
    assert set(named) <= make_targets()


@each_document
def test_hookline_commands_and_their_options_exist(document: Path):
    for code in code_of(document):
        code = code.partition(" | ")[0]
        match = re.match(r"\s*(?:\.venv/bin/)?hookline((?: [a-z][a-z-]*)*)((?: .*)?)$", code)
        if match is None:
            continue
        command: click.Command = hookline_command
        for word in match[1].split():
            if isinstance(command, click.Group):
                found = command.get_command(click.Context(command), word)
                assert found is not None, f"{code.strip()}: there is no command {word}"
                command = found
        options = {name for it in command.params for name in (*it.opts, *it.secondary_opts)} | {"--help", "-h"}
        for option in re.findall(r"(?<=\s)--?[a-z][\w.-]*", match[2]):
            assert option in options, f"{code.strip()}: there is no option {option}"


@each_document
def test_examples_of_settings_are_accepted(document: Path, tmp_path: Path):
    for number, token in enumerate(tokens_of(document)):
        if token.type == "fence" and token.info == "yaml" and SECTIONS.search(token.content):
            file = tmp_path / f"{number}.yaml"
            file.write_text(token.content, encoding="utf-8")
            load_settings(file, read_secrets=False)


@each_document
def test_python_examples_import_what_there_is(document: Path):
    for token in tokens_of(document):
        if token.type == "fence" and token.info == "python":
            for node in ast.parse(token.content).body:
                if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("hookline"):
                    module = importlib.import_module(node.module)
                    assert all(hasattr(module, name.name) for name in node.names), ast.unparse(node)


def rows_of(document: Path, first_cell: str) -> list[list[str]]:
    """The cells below the head of the table that begins with a word, as they are written."""
    lines = document.read_text(encoding="utf-8").splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith(f"| {first_cell} |"))
    rows = itertools.takewhile(lambda line: line.startswith("|"), lines[start + 2 :])
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def test_the_headers_of_dead_letters_and_their_reasons_are_listed():
    record = SourceRecord("sessions", 0, 7, 0, b"key", b"value")
    partition = TopicPartition("sessions", 0)
    delivery = Delivery(record, Assignment(partition, 1, Ledger(0), NoLanes()), 0.0)
    delivery.trouble = trouble = Trouble(0.0)
    trouble.reason, trouble.status = Reason.REJECTED, 422

    rows = rows_of(ROOT / "docs" / "getting-started.md", "header")

    listed = {name for header, _ in rows for name in re.findall(r"`([^`]+)`", header)}
    assert listed == {name for name, _ in dead_letter_of(delivery, "group", 100, 0.0).headers}
    (reasons,) = (value for header, value in rows if "`hookline-reason`" in header)
    assert set(re.findall(r"`([^`]+)`", reasons)) == set(Reason)


def test_exit_codes_are_listed():
    listed = {int(code) for code, _ in rows_of(ROOT / "docs" / "getting-started.md", "exit code")}
    kinds: list[type[HooklineError]] = [HooklineError, *HooklineError.__subclasses__()]
    assert listed == {0, click.UsageError.exit_code, INTERRUPTED} | {kind.exit_code for kind in kinds}


def test_figures_in_the_text_are_those_of_the_program():
    readme, getting_started = (
        " ".join((ROOT / name).read_text(encoding="utf-8").split()) for name in ("README.md", "docs/getting-started.md")
    )
    usual, with_faults = (
        {20.0: "twenty", 30.0: "thirty"}[seconds] for seconds in (DEFAULT_SECONDS, DEFAULT_FAULTS_SECONDS)
    )
    assert f"for {usual} seconds, with `--faults` {with_faults}" in getting_started
    assert f"make demo # {usual} seconds" in readme
    assert f"`make demo ARGUMENTS=--faults` takes {with_faults} seconds" in readme
    assert f"after {DeadLetter().allowance} of them (`dead_letter.allowance`)" in getting_started
    for options in (aiokafka_options, librdkafka_options):
        noticed = f"noticed within {written_duration(options._METADATA_AGE_MS / 1000)}"
        assert noticed in leaves()["kafka.topics"].description


def test_every_make_command_is_explained_by_help():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    commands = re.search(r"^\.PHONY: (help .*)$", makefile, re.MULTILINE)
    assert commands is not None
    explained = set(re.findall(r"^([a-z]+):.*## \S", makefile, re.MULTILINE))
    assert set(commands[1].split()) == explained


def test_a_lost_link_is_found(tmp_path: Path):
    document = tmp_path / "page.md"
    document.write_text("# What is here\n\n| a |\n|---|\n| [x](gone.md) and ![y](pictures/gone.png) |\n")

    assert links_of(document) == ["gone.md", "pictures/gone.png"]
    assert anchors_of(document) == {"what-is-here"}
