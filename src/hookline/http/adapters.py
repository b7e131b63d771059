"""Which sender the settings ask for."""

from __future__ import annotations

from hookline.errors import SettingsError
from hookline.http.aiohttp_sender import AiohttpSender
from hookline.http.ports import Sender
from hookline.http.trace_context import Traces
from hookline.http.wire_sender import WireSender
from hookline.settings.tree import Settings


def make_sender(settings: Settings, traces: Traces | None = None) -> Sender:
    """The sender of `deliver.sender`, with trace and span ids of its own unless `traces` gives them.

    Raises `SettingsError` when it can't do what the other settings ask for.
    """
    deliver = settings.deliver
    needs_aiohttp = [f"deliver.{name}" for name in ("proxy", "unix_socket") if getattr(deliver, name) is not None]
    if len(needs_aiohttp) > 1:
        raise SettingsError(
            "deliver.proxy and deliver.unix_socket are both set; a UNIX socket has no proxy, leave one out"
        )
    if deliver.sender == "wire" and needs_aiohttp:
        raise SettingsError(
            f"deliver.sender: wire does not know {needs_aiohttp[0]}; set deliver.sender to auto or aiohttp"
        )
    if deliver.sender == "aiohttp" or needs_aiohttp:
        return AiohttpSender(deliver, traces=traces)
    return WireSender(deliver, traces=traces)
