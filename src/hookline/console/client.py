"""A client of the console's HTTP interface, for the command line. It blocks."""

from __future__ import annotations

import http.client
import json
import secrets
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from hookline.errors import HooklineError, OperationRefused

PREFIX = "/api/v1"
_TIMEOUT_SECONDS = 10.0
_STREAM_TIMEOUT_SECONDS = 15.0
_MAX_ANSWER_BYTES = 32 * 1024 * 1024


class ConsoleUnreachable(HooklineError):
    """No console answers at the address."""


class ConsoleClient:
    """Asks the console at `url`, such as `http://127.0.0.1:8080`, with a token if there is one.

    Raises `ConsoleUnreachable` when it does not answer, and `OperationRefused` with its reason when it refuses.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConsoleUnreachable(f"{url} is no address such as http://127.0.0.1:8080")
        self._url = url.rstrip("/")
        self._parts = parts
        self._token = token

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What is at a path below `/api/v1`."""
        return self._document("GET", path, query, None)

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask for a change; a key of its own goes with it."""
        return self._document("POST", path, None, {} if body is None else body)

    def metrics(self) -> str:
        """All metrics, as Prometheus reads them."""
        connection = self._connection(_TIMEOUT_SECONDS)
        try:
            response = self._answer(connection, "GET", "/metrics", None)
            return response.read(_MAX_ANSWER_BYTES).decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error
        finally:
            connection.close()

    def events(self) -> Iterator[dict[str, Any]]:
        """The status once a second, until the process ends or `ConsoleUnreachable` is raised."""
        connection = self._connection(_STREAM_TIMEOUT_SECONDS)
        try:
            response = self._answer(connection, "GET", f"{PREFIX}/events", None)
            while line := response.readline():
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])
        except OSError as error:
            raise self._unreachable(error) from error
        finally:
            connection.close()

    def _document(
        self, method: str, path: str, query: Mapping[str, Any] | None, body: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        given = {name: value for name, value in (query or {}).items() if value not in (None, "")}
        target = f"{PREFIX}{path}{'?' + urlencode(given) if given else ''}"
        connection = self._connection(_TIMEOUT_SECONDS)
        try:
            response = self._answer(connection, method, target, body)
            document = json.loads(response.read(_MAX_ANSWER_BYTES))
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error
        except ValueError as error:
            raise ConsoleUnreachable(f"what answers at {self._url} is no console of Hookline") from error
        finally:
            connection.close()
        if not isinstance(document, dict):
            raise ConsoleUnreachable(f"what answers at {self._url} is no console of Hookline")
        return document

    def _connection(self, timeout_seconds: float) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        return kind(self._parts.hostname or "", self._parts.port, timeout=timeout_seconds)

    def _answer(
        self, connection: http.client.HTTPConnection, method: str, target: str, body: Mapping[str, Any] | None
    ) -> http.client.HTTPResponse:
        headers = {"Accept": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        if body is not None:
            headers |= {"Content-Type": "application/json", "Idempotency-Key": secrets.token_hex(16)}
            # Says that this is no page of another site, when there is no token to say it.
            headers["Sec-Fetch-Site"] = "none"
        connection.request(method, target, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        if response.status >= 400:
            raise OperationRefused(self._reason(response))
        return response

    def _reason(self, response: http.client.HTTPResponse) -> str:
        try:
            reason = str(json.loads(response.read(65536))["reason"])
        except (ValueError, KeyError, TypeError):
            return f"what answers at {self._url} is no console of Hookline: status {response.status}"
        if response.status == 401:
            return f"{reason} The command line takes it from console.token, or HOOKLINE_CONSOLE__TOKEN."
        return reason

    def _unreachable(self, error: Exception) -> ConsoleUnreachable:
        return ConsoleUnreachable(
            f"no console answers at {self._url} ({str(error) or type(error).__name__}). Is 'hookline run' up, with "
            "console.listen set to this address? --url names another one."
        )


def partition_path(topic: str, partition: int) -> str:
    """The path of a partition below `/api/v1`."""
    return f"/partitions/{quote(topic, safe='')}/{partition}"
