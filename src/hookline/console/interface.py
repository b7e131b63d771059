"""The console, put together: access, audit, the HTTP interface and the pages, of a service or of workers."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from hookline.console.access import Access
from hookline.console.api import Api
from hookline.console.audit import Audit
from hookline.console.backend import Backend, OwnBackend
from hookline.console.gateway import Gateway
from hookline.console.models import SettingItem, SettingsView
from hookline.console.openapi import openapi
from hookline.console.pages import Pages
from hookline.console.response_headers import DATA_HEADERS
from hookline.console.routing import Refused
from hookline.console.server import ConsoleServer
from hookline.console.workers_backend import WorkersBackend
from hookline.service.delivery_service import DeliveryService
from hookline.service.supervisor import Supervisor
from hookline.settings.leaves import leaves, value_at
from hookline.settings.loading import LoadedSettings
from hookline.settings.tree import Settings
from hookline.settings.written import plain_value, written_value
from hookline.telemetry.metrics import make_registry
from hookline.telemetry.worker_metrics import make_workers_registry

_TRIAL_SLACK_SECONDS = 2.0


class Interface:
    """Answers what is asked of the console besides health and metrics."""

    def __init__(self, backend: Backend, loaded: LoadedSettings, redrive_refusal: str = "") -> None:
        access, audit, settings = Access(loaded.settings.console), Audit(), settings_view(loaded)
        self._api = Api(backend, loaded.settings, access, audit, settings, redrive_refusal)
        self._pages = Pages(self._api, access, audit, settings, loaded.settings.kafka.group_id)
        self._gateway = Gateway(access, audit, [*self._api.routes, *self._pages.routes])

    @property
    def has_tokens(self) -> bool:
        """Whether anybody can be told apart from others."""
        return self._gateway.access.has_tokens

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """The answer to a request of a host that may ask; raises `Refused`."""
        try:
            response = await self._gateway.answer(request)
        except Refused as refused:
            if not _wants_page(request):
                raise
            if refused.status == 401:
                return web.Response(status=303, headers=DATA_HEADERS | {"Location": "/login"})
            return self._pages.refused(refused, self._gateway.identify(request).role)
        if not response.prepared:
            for name, value in DATA_HEADERS.items():
                response.headers.setdefault(name, value)
        return response

    async def stop(self) -> None:
        """End what goes on: the streams, and a redrive in order."""
        await self._api.stream.stop()
        await self._api.letters.redriving.stop()


def _wants_page(request: web.BaseRequest) -> bool:
    return "text/html" in request.headers.get("Accept", "") and not request.path.startswith("/api/")


def console_of(service: DeliveryService, loaded: LoadedSettings, redrive_refusal: str = "") -> ConsoleServer:
    """The whole console of a service, as the settings have it; `redrive_refusal` says why it redrives nothing."""
    interface = Interface(OwnBackend(service), loaded, redrive_refusal)
    return ConsoleServer(service, make_registry(service), loaded.settings.console, interface)


def workers_console(supervisor: Supervisor, loaded: LoadedSettings) -> ConsoleServer:
    """The whole console of a process that runs workers."""
    settings = loaded.settings
    interface = Interface(WorkersBackend(supervisor, settings.deliver.timeout + _TRIAL_SLACK_SECONDS), loaded)
    return ConsoleServer(supervisor, make_workers_registry(supervisor), settings.console, interface)


def interface_description() -> dict[str, Any]:
    """What the interface answers to, as OpenAPI 3.1, without any service that runs."""
    settings = Settings()
    backend = OwnBackend(DeliveryService(settings))
    return openapi(Api(backend, settings, Access(settings.console), Audit(), SettingsView(settings=[])).routes)


def settings_view(loaded: LoadedSettings) -> SettingsView:
    """All settings: effective values with secrets masked, defaults, and where each value came from."""
    defaults = Settings()
    items = []
    for key, leaf in leaves().items():
        value = written_value(plain_value(leaf, value_at(loaded.settings, leaf)))
        default = written_value(plain_value(leaf, value_at(defaults, leaf)))
        origin = str(loaded.origin(key))
        items.append(SettingItem(key=key, value=value, default=default, origin=origin, differs=value != default))
    return SettingsView(settings=items)
