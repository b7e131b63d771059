"""The proxy of the chaos runs does to connections what it says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.chaos.proxy import Direction, Proxy

from hookline.demo.kafka_node import HOST, free_ports

LONG_SECONDS = 10.0
SHORT_SECONDS = 0.3
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def proxied() -> AsyncIterator[tuple[Proxy, int]]:
    """A proxy with the link `echo` before a server that answers each line with itself; and its port."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(line)
        except ConnectionResetError:
            pass
        writer.close()

    server = await asyncio.start_server(echo, HOST, 0)
    proxy, (port,) = Proxy(), free_ports(1)
    await proxy.do_open([("echo", port, server.sockets[0].getsockname()[1])])
    try:
        yield proxy, port
    finally:
        proxy.links["echo"].cut()
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Streams]:
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def answer(streams: Streams, line: bytes = b"a line\n", seconds: float = LONG_SECONDS) -> bytes:
    reader, writer = streams
    writer.write(line)
    async with asyncio.timeout(seconds):
        return await reader.readline()


async def test_bytes_pass():
    async with proxied() as (_, port), connected(port) as streams:
        assert await answer(streams) == b"a line\n"


async def test_the_end_of_a_connection_passes():
    async with proxied() as (_, port), connected(port) as (reader, writer):
        writer.write_eof()
        async with asyncio.timeout(LONG_SECONDS):
            assert await reader.read() == b""


@pytest.mark.parametrize("direction", ["to_server", "to_client"])
async def test_what_is_held_arrives_in_order_when_the_link_is_healed(direction: Direction):
    async with proxied() as (proxy, port), connected(port) as streams:
        assert await answer(streams) == b"a line\n"
        await proxy.do_set(["echo"], [direction], "hold")
        with pytest.raises(TimeoutError):
            await answer(streams, b"first\n", SHORT_SECONDS)
        streams[1].write(b"second\n")
        await proxy.do_heal()
        async with asyncio.timeout(LONG_SECONDS):
            assert [await streams[0].readline(), await streams[0].readline()] == [b"first\n", b"second\n"]


async def test_a_connection_that_is_made_while_bytes_are_held_gets_nothing_through_until_it_is_healed():
    async with proxied() as (proxy, port):
        await proxy.do_set(["echo"], ["to_server"], "hold")
        async with connected(port) as streams:
            with pytest.raises(TimeoutError):
                await answer(streams, b"first\n", SHORT_SECONDS)
            await proxy.do_heal()
            async with asyncio.timeout(LONG_SECONDS):
                assert await streams[0].readline() == b"first\n"


@pytest.mark.parametrize("direction", ["to_server", "to_client"])
async def test_a_connection_that_lost_bytes_is_reset_when_the_link_is_healed_and_a_new_one_works(direction: Direction):
    async with proxied() as (proxy, port):
        async with connected(port) as streams:
            await proxy.do_set(["echo"], [direction], "swallow")
            with pytest.raises(TimeoutError):
                await answer(streams, seconds=SHORT_SECONDS)
            await proxy.do_heal()
            with pytest.raises(ConnectionResetError):
                await streams[0].readline()
        async with connected(port) as streams:
            assert await answer(streams) == b"a line\n"


async def test_a_cut_link_resets_what_is_there_and_refuses_what_comes():
    async with proxied() as (proxy, port):
        async with connected(port) as streams:
            assert await answer(streams) == b"a line\n"
            await proxy.do_cut(["echo"])
            with pytest.raises(ConnectionResetError):
                await streams[0].readline()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(HOST, port)
        await proxy.do_heal()
        async with connected(port) as streams:
            assert await answer(streams) == b"a line\n"


async def test_delayed_bytes_come_later_and_in_order_also_when_the_delay_ends_meanwhile():
    async with proxied() as (proxy, port), connected(port) as streams:
        await proxy.do_set(["echo"], ["to_server"], "delay", SHORT_SECONDS)
        began = time.monotonic()
        assert await answer(streams) == b"a line\n"
        assert time.monotonic() - began >= SHORT_SECONDS
        await proxy.do_set(["echo"], ["to_server"], "delay", 60.0)
        streams[1].write(b"first\n")
        await asyncio.sleep(0.05)
        await proxy.do_heal()
        assert await answer(streams, b"second\n") == b"first\n"


async def test_an_unknown_condition_is_refused():
    async with proxied() as (proxy, _):
        with pytest.raises(ValueError, match="none of pass"):
            await proxy.do_set(["echo"], ["to_server"], "hodl")
