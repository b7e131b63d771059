"""Files made to hurt: a sound file with a few things wrong, and ones that make parsers slow, deep or large."""

from __future__ import annotations

import time
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hookline.errors import SettingsError
from hookline.settings.loading import load_settings
from hookline.settings.parsed import MAX_FILE_BYTES
from hookline.settings.template import settings_template
from hookline.settings.tree import Settings

MOST_SECONDS = 20.0
"""For the slowest of them, on a machine that has other things to do; a hang would be minutes or for ever."""

SOUND_TOML = """\
[kafka]
servers = ["kafka-1:9092", 'kafka-2:9092']
topics = ["sessions"]
group_id = "auth-group"
[kafka.options]
max_partition_fetch_bytes = 1_048_576
[deliver]
url = "https://service.example.com/check/{key}"
timeout = "10s"
headers = {X-Team = "charging", "X-Other" = "a b"}
[retry]
multiplier = 2.5
"""
SOUND = {".yaml": settings_template().replace("\n# ", "\n"), ".toml": SOUND_TOML}
PIECES = [
    "\0", "\x1b[2J", "\u202e", "\ufeff", "\ud7ff", "\t", "\r", "'", '"', '"""', "&a ", "*a", "<<: *a", "!!binary ",
    "!!python/object:os.system ", "%YAML 1.1\n", "---\n", "...\n", "? ", "- ", ": ", "{", "}", "[", "]", "|", ">", "#",
    "null", ".nan", ".inf", "-.inf", "9" * 400, "0x" + "f" * 300, "1e999", "true", "2026-01-01", "kafka:", "[kafka]",
    "[[kafka]]", "a.b.c = 1", "~", "=",
]  # fmt: skip


def damaged(text: str, random: Random) -> bytes:
    """The same with one to four things wrong, in its lines, its characters or its bytes."""
    for _ in range(random.randint(1, 4)):
        lines = text.split("\n")
        at = random.randrange(len(lines))
        choice = random.randrange(6)
        if choice == 0:
            lines.insert(at, lines[random.randrange(len(lines))])
        elif choice == 1:
            del lines[at]
        elif choice == 2:
            place = random.randint(0, len(lines[at]))
            lines[at] = lines[at][:place] + random.choice(PIECES) + lines[at][place:]
        elif choice == 3:
            lines[at] = lines[at].lstrip() if random.random() < 0.5 else "  " * random.randint(1, 8) + lines[at]
        elif choice == 4:
            lines[at] = lines[at].partition(":" if random.random() < 0.5 else "=")[0] + ": " + random.choice(PIECES)
        else:
            lines = lines[:at]
        text = "\n".join(lines)
    content = text.encode("utf-8", "surrogatepass")
    if random.random() < 0.2 and content:
        at = random.randrange(len(content))
        content = content[:at] + random.randbytes(random.randint(1, 3)) + content[at + 1 :]
    return content


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**64), suffix=st.sampled_from(sorted(SOUND)))
def test_a_sound_file_with_something_wrong_gives_settings_or_an_error_that_names_it(
    seed: int, suffix: str, tmp_path: Path
):
    file = tmp_path / f"hookline{suffix}"
    file.write_bytes(damaged(SOUND[suffix], Random(seed)))
    try:
        loaded = load_settings(file, read_secrets=False)
    except SettingsError as error:
        assert all(problem.startswith(str(file)) for problem in error.problems)
        assert all(line.isprintable() for line in str(error).split("\n"))
    else:
        assert isinstance(loaded.settings, Settings)


def filled(unit: str, start: str = "", end: str = "") -> str:
    """As much of a unit as fits into the largest file that is read."""
    room = MAX_FILE_BYTES - len(start.encode()) - len(end.encode())
    return start + unit * (room // len(unit.encode())) + end


LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefghijklmnop", "bcdefghijklmnopq", strict=True)
)
SLOW_YAML = {
    "laughs": LAUGHS,
    "itself": "a: &a [*a]\nkafka: *a\n",
    "itself as a mapping": "kafka: &a\n  options: *a\n",
    "merged": "a: &a {x: 1}\n" + "".join(f"b{n}: &b{n}\n  <<: [*a, *a]\n" for n in range(2000)),
    "open lists": filled("["),
    "open mappings": filled("{a: "),
    "deep by indentation": "".join(" " * depth + "a:\n" for depth in range(700)),
    "sequences of sequences": filled("- "),
    "complex keys": filled("? "),
    "anchors": filled("&a "),
    "tags": filled("!a "),
    "quotes": filled("'"),
    "one long quote": filled("x", '"'),
    "escapes": filled("\\", '"', '"'),
    "a long key": filled("k", "", ": 1\n"),
    "colons": filled(":"),
    "keys": filled("k: v\n"),
    "spaces": filled(" "),
    "tabs": filled("\t"),
    "comments": filled("#\n"),
    "documents": filled("---\n"),
    "digits": filled("9", "bounds:\n  records: "),
    "hexadecimal digits": filled("f", "bounds:\n  records: 0x"),
    "a long float": filled("1", "retry:\n  multiplier: 1."),
    "exponents": filled("9", "retry:\n  multiplier: 1e"),
    "a long duration": filled("9", "deliver:\n  timeout: ", "s"),
    "a long size": filled("9", "deliver:\n  max_bytes: ", "MiB"),
    "a long url": filled("a", "deliver:\n  url: http://h/"),
    "a url of dots": filled("a.", "deliver:\n  url: http://"),
    "a url of placeholders": filled("{", "deliver:\n  url: 'http://h/", "'"),
    "a long topic": filled("t", "kafka:\n  topics: [", "]"),
    "many topics": filled("t,", "kafka:\n  topics: [", "t]"),
    "a long server": filled("h:", "kafka:\n  servers: ['", "1']"),
    "a long unknown key": filled("group_idd", "kafka:\n  ", ": 1"),
    "many unknown keys": "kafka:\n" + "".join(f"  group_id{n}: 1\n" for n in range(8000)),
}
SLOW_TOML = {
    "open arrays": filled("[", "a = "),
    "inline tables": filled("{a=", "a = "),
    "dotted keys": filled("a.", "", "a = 1"),
    "tables": filled("a.", "[", "a]"),
    "quoted keys": filled('"a" . ', "", "a = 1"),
    "dotted keys of many parts": filled("a." * 99 + "a = 1\n"),
    "quotes with dots": filled('".'),
    "many tables": "".join(f"[a.b{n}.c]\n" for n in range(10_000)),
    "arrays of tables": filled("[[a]]\n"),
    "quotes": filled('"'),
    "one long text": filled("x", 'a = "'),
    "escapes": filled("\\u0041", 'a = "', '"'),
    "many lines of text": filled("\n", 'a = """', '"""'),
    "digits": filled("9", "a = "),
    "underscores": filled("9_", "a = ", "9"),
    "hexadecimal digits": filled("f", "a = 0x"),
    "a long float": filled("9", "a = 1."),
    "spaces": filled(" "),
    "a long bare key": filled("k", "", "= 1"),
}


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        *(pytest.param(".yaml", text, id=f"yaml {name}") for name, text in SLOW_YAML.items()),
        *(pytest.param(".toml", text, id=f"toml {name}") for name, text in SLOW_TOML.items()),
    ],
)
def test_a_file_made_to_be_slow_deep_or_large_is_over_soon(suffix: str, text: str, tmp_path: Path):
    file = tmp_path / f"hookline{suffix}"
    file.write_text(text, "utf-8")
    began = time.monotonic()
    try:
        load_settings(file, read_secrets=False)
    except SettingsError as error:
        assert error.problems
        assert len(str(error)) < 2_000_000
    assert time.monotonic() - began < MOST_SECONDS


@pytest.mark.parametrize(
    "content", [b"\xff\xfe", b"\xff", b"kafka:\n  group_id: \xc3\n", b"a = '\xed\xa0\x80'\n", b"\0" * 100]
)
@pytest.mark.parametrize("suffix", [".yaml", ".toml"])
def test_a_file_that_is_no_text_is_named_as_such(content: bytes, suffix: str, tmp_path: Path):
    file = tmp_path / f"hookline{suffix}"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=str(file)):
        load_settings(file, read_secrets=False)


def test_a_key_of_too_many_parts_is_named_with_its_line(tmp_path: Path):
    file = tmp_path / "hookline.toml"
    file.write_text("[kafka]\n" + "a." * 200 + "a = 1\n")
    with pytest.raises(SettingsError, match=rf"{file}:2: the settings file has a key of more than 100 parts"):
        load_settings(file)
