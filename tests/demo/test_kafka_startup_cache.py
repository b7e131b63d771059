"""The cache that brokers start faster with: used when it is there, and never waited for."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from hookline.demo import kafka_startup_cache
from hookline.demo.kafka_distribution import KafkaDistribution
from hookline.demo.kafka_startup_cache import java_options


@pytest.fixture
def distribution(tmp_path: Path) -> KafkaDistribution:
    return KafkaDistribution(tmp_path / "java", tmp_path / "4.3.1")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The paths that were made, in place of starting a broker."""
    paths: list[Path] = []

    def make(_: KafkaDistribution, cache: Path) -> None:
        paths.append(cache)
        cache.write_bytes(b"cache")

    monkeypatch.setattr(kafka_startup_cache, "_make", make)
    return paths


def test_it_is_made_once_and_used_from_then_on(distribution: KafkaDistribution, made: list[Path]):
    first, second = java_options(distribution), java_options(distribution)

    assert first == second == (f"-XX:AOTCache={made[0]}",)
    assert len(made) == 1


def test_another_java_gets_one_of_its_own(
    distribution: KafkaDistribution, made: list[Path], monkeypatch: pytest.MonkeyPatch
):
    java_options(distribution)
    monkeypatch.setattr(kafka_startup_cache, "version", lambda _: "99")
    java_options(distribution)

    assert len(set(made)) == 2


def test_one_that_could_not_be_made_is_not_tried_again(
    distribution: KafkaDistribution, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(kafka_startup_cache, "_make", lambda _, cache: cache.write_bytes(b""))
    assert java_options(distribution) == ()
    monkeypatch.setattr(kafka_startup_cache, "_make", None)

    assert java_options(distribution) == ()


def test_nobody_waits_while_another_process_makes_it(distribution: KafkaDistribution, made: list[Path]):
    java_options(distribution)
    cache = made[0]
    cache.unlink()
    with cache.with_suffix(".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert java_options(distribution) == ()
    assert len(made) == 1
