"""The sample service answers as it should, and misbehaves on command."""

import asyncio
import json
import time
from itertools import islice
from typing import Any

import aiohttp
import pytest

from hookline.demo.authorization_process import AuthorizationProcess
from hookline.demo.authorization_service import SLOW_SECONDS, AuthorizationService
from hookline.demo.behaviours import Behaviour
from hookline.demo.charging_sessions import Flaw, charging_sessions
from hookline.demo.driver_tokens import DriverTokens, TokenStatus

SEED = 7


@pytest.fixture
async def service():
    service = AuthorizationService(SEED)
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
async def client():
    # A connection for each request: whether a kept one survives is not what is asked here.
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=10)) as client:
        yield client


def body(number: int = 1, token: str | None = None) -> bytes:
    token = token or next(iter(DriverTokens(SEED).known))
    return json.dumps({"session": f"S-{number}", "token": token, "sequence": number}).encode()


async def post(client: aiohttp.ClientSession, service: AuthorizationService, data: bytes) -> tuple[int, Any]:
    async with client.post(f"http://127.0.0.1:{service.port}/check", data=data) as response:
        return response.status, await response.json()


async def nothing_under_way(service: AuthorizationService) -> None:
    while service._acceptances._under_way:  # noqa: ASYNC110 - the client's end of it is no event here
        await asyncio.sleep(0.01)


async def account(client: aiohttp.ClientSession, service: AuthorizationService) -> Any:
    async with client.get(f"http://127.0.0.1:{service.control_port}/control/account") as response:
        return await response.json()


@pytest.mark.parametrize("status", [TokenStatus.ACCEPTED, TokenStatus.BLOCKED, TokenStatus.EXPIRED])
async def test_a_known_token_is_answered_with_200_and_its_status(service, client, status):
    token = next(token for token, known in DriverTokens(SEED).known.items() if known is status)
    assert await post(client, service, body(token=token)) == (200, {"status": status.value})


async def test_an_unknown_token_is_answered_with_404_and_not_accepted(service, client):
    status, _ = await post(client, service, body(token=DriverTokens(SEED).unknown[0]))
    assert status == 404
    assert (await account(client, service))["accepted"] == {}


async def test_every_flawed_record_is_refused_for_good_and_every_other_one_accepted(service, client):
    by_flaw = {session.flaw: session for session in islice(charging_sessions(SEED, malformed=True), 20_000)}
    assert set(by_flaw) == {None, *Flaw}
    for flaw, session in by_flaw.items():
        status, _ = await post(client, service, session.value)
        assert status == (200 if flaw is None else 404 if flaw is Flaw.UNKNOWN_TOKEN else status)
        assert flaw is None or 400 <= status < 500
    assert list((await account(client, service))["accepted"]) == [by_flaw[None].id]


async def test_the_account_counts_repeats_and_order(service, client):
    for number in (1, 3, 2, 3):
        await post(client, service, body(number))
    told = await account(client, service)
    assert {session: times for session, (times, _) in told["accepted"].items()} == {"S-1": 1, "S-3": 2, "S-2": 1}
    assert told["out_of_order"] == 1
    assert told["answers"] == {"200": 4}


async def test_slow_answers_take_their_time(service, client):
    await service.behave(Behaviour.SLOW)
    started_at = time.monotonic()
    assert (await post(client, service, body()))[0] == 200
    assert time.monotonic() - started_at >= SLOW_SECONDS


async def test_two_requests_at_once_for_one_token_are_noticed(service, client):
    await service.behave(Behaviour.SLOW)
    await asyncio.gather(post(client, service, body(1)), post(client, service, body(2)))
    assert (await account(client, service))["overlapping"] == 1


async def test_refusing_is_503_and_accepts_nothing(service, client):
    await service.behave(Behaviour.REFUSE)
    assert (await post(client, service, body()))[0] == 503
    assert (await account(client, service))["accepted"] == {}


async def test_a_stalled_request_is_answered_when_the_stall_ends(service, client):
    await service.behave(Behaviour.STALL)
    waiting = asyncio.create_task(post(client, service, body()))
    done, _ = await asyncio.wait({waiting}, timeout=0.2)
    assert not done
    await service.behave(Behaviour.NORMAL)
    assert (await waiting)[0] == 200


async def test_a_stalled_request_that_its_client_gave_up_is_never_accepted_and_does_not_overlap(service, client):
    await service.behave(Behaviour.STALL)
    with pytest.raises(TimeoutError):
        await client.post(
            f"http://127.0.0.1:{service.port}/check", data=body(), timeout=aiohttp.ClientTimeout(total=0.2)
        )
    await asyncio.wait_for(nothing_under_way(service), 10)
    await service.behave(Behaviour.NORMAL)
    assert (await post(client, service, body()))[0] == 200
    told = await account(client, service)
    assert told["accepted"]["S-1"][0] == 1
    assert told["overlapping"] == 0


async def test_each_third_connection_is_reset_and_one_of_ten_of_those_was_accepted(service, client):
    await service.behave(Behaviour.RESET)
    answered = []
    for number in range(1, 31):
        try:
            await post(client, service, body(number))
        except aiohttp.ClientError:
            continue
        answered.append(number)
    assert answered == [number for number in range(1, 31) if number % 3]
    assert len((await account(client, service))["accepted"]) == 20 + 1


async def test_a_dead_service_refuses_connections_keeps_its_account_and_comes_back_on_its_port(service, client):
    await post(client, service, body(1))
    port = service.port
    await service.behave(Behaviour.DEAD)
    with pytest.raises(aiohttp.ClientConnectorError):
        await post(client, service, body(2))
    assert list((await account(client, service))["accepted"]) == ["S-1"]
    await service.behave(Behaviour.NORMAL)
    assert service.port == port
    assert (await post(client, service, body(2)))[0] == 200


async def test_dying_drops_the_connections_that_are_open(service, client):
    await service.behave(Behaviour.STALL)
    waiting = asyncio.create_task(post(client, service, body()))
    done, _ = await asyncio.wait({waiting}, timeout=0.2)
    assert not done
    await service.behave(Behaviour.DEAD)
    with pytest.raises(aiohttp.ClientError):
        await asyncio.wait_for(waiting, 10)


async def test_an_unknown_command_is_refused_with_the_words_there_are(service, client):
    url = f"http://127.0.0.1:{service.control_port}/control/behaviour"
    async with client.put(url, json={"behaviour": "explode"}) as response:
        assert response.status == 400
        assert "normal, slow, refuse, stall, reset, dead" in await response.text()


async def test_commands_are_not_taken_where_records_go(service, client):
    url = f"http://127.0.0.1:{service.port}/control/behaviour"
    async with client.put(url, json={"behaviour": "dead"}) as response:
        assert response.status == 404
    assert (await post(client, service, body()))[0] == 200


async def test_in_a_process_of_its_own_it_takes_commands_and_gives_its_account(client):
    async with AuthorizationProcess(SEED) as process:
        async with client.post(process.url, data=body()) as response:
            assert response.status == 200
        await process.behave(Behaviour.REFUSE)
        async with client.post(process.url, data=body()) as response:
            assert response.status == 503
        told = await process.account()
    assert told.accepted["S-1"][0] == 1
    assert told.answers == {"200": 1, "503": 1}
    with pytest.raises(aiohttp.ClientConnectorError):
        await client.post(process.url, data=body())
