"""What a worker answers to the process above it: the questions of the console's backend, as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, validate_call
from pydantic_core import to_jsonable_python

from hookline.console.backend import Backend, OwnBackend
from hookline.console.routing import Refused
from hookline.errors import HooklineError, OperationRefused
from hookline.service.delivery_service import DeliveryService
from hookline.telemetry.events import Event
from hookline.telemetry.logs import get_logger
from hookline.telemetry.masking import printable

QUESTIONS = frozenset(name for name in vars(Backend) if not name.startswith("_"))
"""What can be asked: the methods of `Backend`, with their own arguments."""

_log = get_logger(__name__)


class WorkerAnswers:
    """Answers about one service. `result` has the answer, or `refused` a status and a reason."""

    def __init__(self, service: DeliveryService) -> None:
        backend = OwnBackend(service)
        self._methods = {name: validate_call(getattr(backend, name)) for name in QUESTIONS}

    async def answer(self, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """See `hookline.service.worker_channel.Answering`."""
        try:
            found = await self._methods[name](**arguments)
        except Refused as refused:
            return {"refused": [refused.status, refused.reason]}
        except OperationRefused as error:
            return {"refused": [409, printable(str(error))]}
        except HooklineError as error:
            return {"refused": [503, printable(str(error))]}
        except Exception:  # noqa: BLE001 - whatever goes wrong in here, delivering goes on
            _log.exception(Event.CONSOLE_REQUEST_FAILED, path=name)
            return {"refused": [500, "This could not be told; the log says why."]}
        return {"result": found.model_dump(mode="json") if isinstance(found, BaseModel) else to_jsonable_python(found)}
