"""The supervisor with workers that are small scripts: starting again, stopping, giving up, adding up."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hookline.errors import WorkersFailed
from hookline.service.supervisor import Supervisor
from hookline.service.worker import WorkerSilent
from hookline.telemetry.merging import Family

pytestmark = pytest.mark.timeout(60)

STARTED = Family(name="things", meaning="Things.", type="counter", samples=[("things_total", {}, 3.0)])
REPORT = json.dumps({"live": [True, ""], "ready": [True, ""], "families": [STARTED]})
TELL = f"import os,sys,time,signal,pathlib; n,fd,folder=int(sys.argv[1]),int(sys.argv[2]),pathlib.Path(sys.argv[3])\n\
def report(): os.write(fd, {REPORT!r}.encode() + b'\\n')\n\
def lives(): (folder/f'{{n}}').open('a').write('x'); return (folder/f'{{n}}').stat().st_size\n"
# Waiting for a blocked signal has no moment in which it could come too early.
WAIT_FOR = "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.%s}); report(); signal.sigwait({signal.%s})\n"
ORDERLY = TELL + WAIT_FOR.replace("%s", "SIGTERM")


def supervised(script: str, folder: Path, workers: int = 2, stall_seconds: float = 30.0) -> Supervisor:
    def command(number: int, descriptor: int) -> list[str]:
        return [sys.executable, "-S", "-c", script, str(number), str(descriptor), str(folder)]

    return Supervisor(command, workers, stall_seconds=stall_seconds, drain_seconds=10.0)


@asynccontextmanager
async def running(supervisor: Supervisor) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(supervisor.run())
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, WorkersFailed):
            await task
    assert supervisor.running == 0


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110 - what is awaited happens in other processes
            await asyncio.sleep(0.01)


def things(supervisor: Supervisor) -> float:
    return sum(sample[2] for part in supervisor.families() for family in part for sample in family["samples"])


async def test_all_workers_are_ready_before_it_is_and_end_when_asked_to(tmp_path: Path):
    supervisor = supervised(ORDERLY, tmp_path)
    async with running(supervisor) as task:
        assert not supervisor.readiness()[0]
        await until(lambda: supervisor.readiness()[0])
        assert supervisor.running == 2
        supervisor.request_stop()
        async with asyncio.timeout(20):
            await task
    assert supervisor.readiness() == (False, "it is stopping")


async def test_a_worker_that_is_killed_is_started_again_and_what_it_counted_is_kept(tmp_path: Path):
    kill_first = TELL + "lives(); report()\nif n == 0 and lives() == 2: os.kill(os.getpid(), signal.SIGKILL)\n"
    supervisor = supervised(kill_first + "while 1: time.sleep(60)", tmp_path)
    async with running(supervisor):
        await until(lambda: supervisor.restarts == 1 and supervisor.readiness()[0])
        assert things(supervisor) == 9.0


async def test_a_worker_that_keeps_ending_is_started_less_and_less_often(tmp_path: Path):
    supervisor = supervised(TELL + "lives(); sys.exit(1 if n else time.sleep(60))", tmp_path)
    async with running(supervisor) as task:
        await until(lambda: supervisor.restarts == 2)
        begun = asyncio.get_running_loop().time()
        await until(lambda: supervisor.restarts == 3)
        assert asyncio.get_running_loop().time() - begun >= 1.9
        assert not task.done()


@pytest.mark.parametrize("code", [3, 4, 5])
async def test_when_no_worker_can_start_it_ends_with_their_code(tmp_path: Path, code: int):
    supervisor = supervised(TELL + f"lives(); sys.exit({code})", tmp_path)
    async with running(supervisor) as task:
        with pytest.raises(WorkersFailed, match="all workers") as caught:
            async with asyncio.timeout(30):
                await task
    assert caught.value.exit_code == code


async def test_one_worker_with_an_error_of_settings_does_not_end_the_others(tmp_path: Path):
    script = TELL + "report(); lives()\nif n: sys.exit(3)\nwhile 1: time.sleep(60)"
    supervisor = supervised(script, tmp_path)
    async with running(supervisor) as task:
        await until(lambda: supervisor.restarts == 1)
        assert not task.done()


async def test_a_worker_that_stands_still_is_killed_and_started_again(tmp_path: Path):
    stuck = TELL + "report()\nwhile n or lives() > 1: time.sleep(0.2); report()\nsignal.pause()"
    supervisor = supervised(stuck, tmp_path, stall_seconds=2.0)
    async with running(supervisor):
        await until(lambda: supervisor.restarts == 1 and supervisor.readiness()[0])
        assert supervisor.liveness() == (True, "2 of 2 workers run")


async def test_a_worker_that_says_it_is_stuck_is_killed_too(tmp_path: Path):
    stuck = (
        TELL
        + "report()\nif not n and lives() == 1: os.write(fd, b'"
        + json.dumps({"live": [False, "Kafka has not been polled for 61 s"], "ready": [True, ""], "families": []})
        + "\\n')\nsignal.pause()"
    )
    supervisor = supervised(stuck, tmp_path)
    async with running(supervisor):
        await until(lambda: supervisor.restarts == 1 and supervisor.readiness()[0])


async def test_a_worker_that_does_not_drain_is_killed_at_a_second_request(tmp_path: Path):
    deaf = TELL + "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nreport()\nwhile 1: time.sleep(60)"
    supervisor = supervised(deaf, tmp_path)
    async with running(supervisor) as task:
        await until(lambda: supervisor.readiness()[0])
        supervisor.request_stop()
        await asyncio.sleep(0)
        task.cancel()
        async with asyncio.timeout(20):
            await asyncio.gather(task, return_exceptions=True)
        assert supervisor.running == 0


async def test_a_reload_reaches_the_workers(tmp_path: Path):
    script = TELL + WAIT_FOR.replace("%s", "SIGHUP") + "lives()\nsignal.pause()"
    supervisor = supervised(script, tmp_path)
    async with running(supervisor):
        await until(lambda: supervisor.readiness()[0])
        await supervisor.reload()
        await until(lambda: {path.name for path in tmp_path.iterdir()} == {"0", "1"})


async def test_ctrl_c_reaches_the_workers_only_through_it(tmp_path: Path):
    supervisor = supervised(
        TELL + "(folder/f'session-{n}').write_text(str(os.getsid(0))); report(); signal.pause()", tmp_path
    )
    async with running(supervisor):
        await until(lambda: supervisor.readiness()[0])
        sessions = {(tmp_path / f"session-{number}").read_text() for number in range(2)}
        assert len(sessions | {str(os.getsid(0))}) == 3


async def test_no_descriptor_is_left_when_workers_come_and_go(tmp_path: Path):
    def open_descriptors() -> int:
        return len(list(Path("/proc/self/fd" if sys.platform == "linux" else "/dev/fd").iterdir()))

    supervisor = supervised(TELL + "report(); lives(); sys.exit(1)", tmp_path)
    async with running(supervisor):
        await until(lambda: supervisor.restarts == 2)
        before = open_descriptors()
        await until(lambda: supervisor.restarts == 4)
        assert open_descriptors() <= before + 4


ANSWERING = TELL + (
    "report()\n"
    "for line in os.fdopen(fd, 'rb'):\n"
    "    q = __import__('json').loads(line)\n"
    "    if q['name'] == 'end': sys.exit(1)\n"
    "    if q['name'] == 'echo': os.write(fd, ('{\"answers\": %d, \"result\": %d}\\n'"
    " % (q['number'], q['arguments']['n'])).encode())\n"
)


async def test_a_worker_answers_what_it_is_asked_each_question_its_own_answer(tmp_path: Path):
    supervisor = supervised(ANSWERING, tmp_path)
    async with running(supervisor):
        await until(lambda: supervisor.readiness()[0])
        asked = [worker.ask("echo", {"n": n}, 10.0) for worker in supervisor.members for n in range(20)]
        answers = await asyncio.gather(*asked)
    assert [answer["result"] for answer in answers] == [*range(20), *range(20)]


async def test_a_worker_that_is_silent_or_ends_or_is_not_there_yet_is_said_to_be(tmp_path: Path):
    supervisor = supervised(ANSWERING, tmp_path, workers=1)
    (worker,) = supervisor.members
    with pytest.raises(WorkerSilent, match="worker 0 is being started"):
        await worker.ask("echo", {}, 1.0)
    async with running(supervisor):
        await until(lambda: supervisor.readiness()[0])
        with pytest.raises(WorkerSilent, match=r"worker 0 did not answer within 0\.05 s"):
            await worker.ask("nothing", {}, 0.05)
        with pytest.raises(WorkerSilent, match="worker 0 ended"):
            await worker.ask("end", {}, 20.0)
        await until(lambda: supervisor.restarts == 1 and supervisor.readiness()[0])
        assert (await worker.ask("echo", {"n": 7}, 10.0))["result"] == 7
