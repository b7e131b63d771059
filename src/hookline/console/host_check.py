"""Which names the console answers to.

A page that somebody has open in a browser can make its own name point to 127.0.0.1 and then read what is served there
(DNS rebinding). Its requests still carry the page's name as their host, so a foreign name is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_HOST_HEADER = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9_.-]{1,253}))(?::[0-9]{1,5})?")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class HostCheck:
    """Allows the names of loopback, and others: the host that is listened on, and those of `console.hosts`."""

    def __init__(self, hosts: Iterable[str]) -> None:
        self._names = {_normal(name) for name in (*_LOOPBACK, *hosts)}

    def allows(self, host_headers: list[str], local_address: str) -> bool:
        """Whether a request with these `Host` headers is to be answered.

        `local_address` is our own end of its connection. That is allowed too, because an address can't be rebound, and
        a pod does not know its own beforehand.
        """
        if len(host_headers) != 1:
            return False
        match = _HOST_HEADER.fullmatch(host_headers[0])
        if not match:
            return False
        name = _normal(match[1] or match[2])
        return name in self._names or name == _normal(local_address)


def _normal(name: str) -> str:
    return name.strip("[]").removesuffix(".").lower()
