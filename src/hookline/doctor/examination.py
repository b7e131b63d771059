"""All checks, one after the other."""

from __future__ import annotations

import platform
import resource
from collections.abc import AsyncIterator
from importlib.metadata import PackageNotFoundError, version

from hookline.doctor import judgement
from hookline.doctor.cluster import check_cluster
from hookline.doctor.endpoint import check_endpoint
from hookline.doctor.finding import Finding, ok
from hookline.settings.tree import Settings
from hookline.version import __version__, is_compiled

_PACKAGES = {"aiokafka": "aiokafka", "librdkafka": "confluent-kafka"}


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """Look at everything, and give each finding as it is there. Nothing is delivered, written or committed."""
    yield _versions(settings)
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = limit == resource.RLIM_INFINITY
    yield judgement.descriptors(1 << 30 if unlimited else limit, settings.deliver.most_in_flight)
    async for finding in check_cluster(settings):
        yield finding
    async for finding in check_endpoint(settings):
        yield finding


def _versions(settings: Settings) -> Finding:
    package = _PACKAGES[settings.kafka.client]
    try:
        client = f"{package} {version(package)}"
    except PackageNotFoundError:
        client = f"{package}, which is not installed"
    built = "compiled" if is_compiled() else "interpreted"
    return ok("versions", f"hookline {__version__} ({built}), Python {platform.python_version()}, {client}")
