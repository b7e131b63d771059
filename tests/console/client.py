"""A client that sends exactly the bytes it is told to."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 10.0


class Response:
    """A parsed answer; `raw` is all that came."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        head, _, self.body = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split(" ")[1])
        self.headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}

    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.url = url
        self.host = parts.hostname or ""
        self.port = parts.port or 0

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.wait_for(asyncio.open_connection(self.host, self.port), TIMEOUT_SECONDS)

    async def get(self, path: str, method: str = "GET", host: str | None = None, **headers: str) -> Response:
        """Ask for a path, on a connection of its own. `Accept` and the like are given by keyword."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host or f'127.0.0.1:{self.port}'}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return await self.send("\r\n".join([*lines, "", ""]).encode("latin-1"))

    async def send(self, request: bytes) -> Response:
        """Send bytes and read until the server closes the connection."""
        reader, writer = await self.connect()
        try:
            writer.write(request)
            return Response(await asyncio.wait_for(reader.read(-1), TIMEOUT_SECONDS))
        finally:
            writer.close()
