"""Redriving in tests: as the command does it, in this process or in one of its own."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.support.kafka_tools import KafkaTools

from hookline.dead_letters.filters import LetterFilter
from hookline.dead_letters.groups import Groups
from hookline.dead_letters.plan import RedrivePlan, Target
from hookline.dead_letters.reading import DeadLetterReader, opened_access, rules_of
from hookline.dead_letters.redrive import Redrive, RedriveResult
from hookline.settings.tree import Settings

WAIT_SECONDS = 60.0


def settings_for(client: str, tools: KafkaTools, source: str, **changes: Any) -> Settings:
    """Settings of a service that reads `source`; its dead letters are in `source.dead-letter`."""
    values: dict[str, Any] = {
        "kafka": {
            "client": client,
            "servers": [tools.bootstrap],
            "topics": [source],
            "group_id": f"{source}-group",
            "session_timeout": 6.0,
            "request_timeout": 20.0,
        },
        "deliver": {"in_flight": 16},
    }
    for name, value in changes.items():
        values[name] = values.get(name, {}) | value
    return Settings.model_validate(values)


async def make_topics(tools: KafkaTools, partitions: int = 1) -> tuple[str, str]:
    """A source topic and its dead-letter topic."""
    source = await tools.make_topic(partitions)
    return source, await tools.make_topic(partitions, f"{source}.dead-letter")


async def plan_of(
    settings: Settings, dead: str, chosen: LetterFilter | None = None, target: Target = Target.SOURCE, **options: Any
) -> RedrivePlan:
    """What a redrive would do."""
    async with opened_access(settings) as access:
        reader = DeadLetterReader(access, settings)
        rules = await rules_of(settings, access, target, chosen or LetterFilter(), **options)
        return await reader.plan(await reader.survey(dead), rules)


async def redriven(
    settings: Settings,
    dead: str,
    chosen: LetterFilter | None = None,
    target: Target = Target.SOURCE,
    *,
    rate: float | None = None,
    patience_seconds: float = 0.0,
    **options: Any,
) -> tuple[RedrivePlan, RedriveResult]:
    """Plan and redrive."""
    async with asyncio.timeout(WAIT_SECONDS), opened_access(settings) as access:
        reader = DeadLetterReader(access, settings)
        rules = await rules_of(settings, access, target, chosen or LetterFilter(), **options)
        plan = await reader.plan(await reader.survey(dead), rules)
        redrive = Redrive(settings, plan, access, rate=rate, patience_seconds=patience_seconds)
        return plan, await redrive.run()


async def groups_of(settings: Settings, dead: str, chosen: LetterFilter | None = None) -> Groups:
    """The dead letters by reason."""
    async with opened_access(settings) as access:
        reader = DeadLetterReader(access, settings)
        return await reader.group(await reader.survey(dead), chosen or LetterFilter())


@asynccontextmanager
async def hookline(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The command in a process of its own, killed at the end if it is still there."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HOOKLINE_")}
    pipe = asyncio.subprocess.PIPE
    command = Path(sys.executable).parent / "hookline"
    process = await asyncio.create_subprocess_exec(command, *arguments, stdout=pipe, stderr=pipe, env=environment)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def ended(process: asyncio.subprocess.Process) -> tuple[int, str, str]:
    """The exit code and what was written."""
    async with asyncio.timeout(WAIT_SECONDS):
        out, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), errors.decode()


def flags_of(settings: Settings) -> list[str]:
    """The same settings as flags."""
    kafka = settings.kafka
    flags = {
        "kafka.client": kafka.client,
        "kafka.servers": kafka.servers[0],
        "kafka.topics": kafka.topics[0],
        "kafka.group_id": kafka.group_id,
        "kafka.session_timeout": f"{kafka.session_timeout}s",
        "deliver.in_flight": str(settings.deliver.in_flight),
        "deliver.url": settings.deliver.url,
        "deliver.drain_timeout": "3s",
    }
    return [word for name, value in flags.items() for word in (f"--{name}", value)]
