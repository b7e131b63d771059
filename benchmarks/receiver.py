"""The HTTP service that records go to: nginx with a Lua handler, which keeps the account that rates are taken from."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Template

import trustme

from benchmarks.errors import BenchmarkError

_FOLDER = Path(__file__).parent / "nginx"
_START_TIMEOUT_SECONDS = 10.0
INSTALL = "nginx with Lua is missing: apt-get install nginx libnginx-mod-http-lua (Debian, Ubuntu), or OpenResty"


@dataclass(frozen=True)
class Account:
    """What the receiver saw since its last reset."""

    answered: int
    """Requests that were answered."""
    first_seconds: float
    """When the first request came, on the receiver's wall clock."""
    last_seconds: float
    """When the last answer was given."""
    in_flight: int
    """Requests that wait for their answer now."""
    peak_in_flight: int
    """The most that did at once."""
    under_way_seconds: float
    """How long requests waited for their answer, all together; only with a capacity."""


@dataclass(frozen=True)
class Installation:
    """An nginx that can run Lua."""

    program: str
    load_modules: str
    """The load_module lines that its configuration needs."""
    version: str


def find_nginx() -> Installation:
    """The machine's nginx, from PATH; raises BenchmarkError with what to install."""
    program = shutil.which("openresty") or shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if not program:
        raise BenchmarkError(INSTALL)
    about = subprocess.run([program, "-V"], capture_output=True, text=True, check=True).stderr
    version = about.splitlines()[0].partition(": ")[2]
    if "lua-nginx-module" in about or "ngx_lua-" in about:  # OpenResty has it compiled in
        return Installation(program, "", version)
    modules = next((Path(word.partition("=")[2]) for word in about.split() if word.startswith("--modules-path=")), None)
    # The Lua module uses symbols of the development kit, which must be loaded first.
    files = [modules / name for name in ("ndk_http_module.so", "ngx_http_lua_module.so")] if modules else []
    if not files or not all(file.exists() for file in files):
        raise BenchmarkError(INSTALL)
    return Installation(program, "".join(f"load_module {file};\n" for file in files), version)


def free_port() -> int:
    """A TCP port of the loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Receiver:
    """A running nginx; made by `receiver()`."""

    def __init__(self, pid: int, port: int, tls_port: int, authority: Path) -> None:
        self.pid = pid
        """The master process; the workers are its children."""
        self.url = f"http://127.0.0.1:{port}/check"
        """Where records go."""
        self.tls_url = f"https://127.0.0.1:{tls_port}/check"
        """Where records go with TLS."""
        self.authority = authority
        """The certificate that the one of `tls_url` is to be trusted by, PEM."""
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def _get(self, path: str) -> dict[str, float]:
        try:
            self._connection.request("GET", path)
            figures: dict[str, float] = json.loads(self._connection.getresponse().read())
        except (OSError, http.client.HTTPException):
            self._connection.close()  # so that the next try connects anew
            raise
        return figures

    def account(self) -> Account:
        """What came since the last reset; raises OSError when the receiver does not answer."""
        figures = self._get("/account")
        return Account(
            answered=int(figures["answered"]),
            first_seconds=figures["first_seconds"],
            last_seconds=figures["last_seconds"],
            in_flight=int(figures["in_flight"]),
            peak_in_flight=int(figures["peak_in_flight"]),
            under_way_seconds=figures["under_way_seconds"],
        )

    def latencies_ms(self) -> tuple[float, float]:
        """The median and the 99th percentile of what latencies it takes account of; 0 when of none."""
        figures = self._get("/latencies")
        return figures["p50"], figures["p99"]

    def set_capacity(self, places: int, seconds: float) -> None:
        """From now on work on so many requests at once, so long on each; others wait. For one with `has_capacity`."""
        self._get(f"/capacity?places={places}&seconds={seconds}")

    def forget_latencies(self) -> None:
        """Count latencies anew."""
        self._get("/forget_latencies")

    def reset(self) -> None:
        """Start a new account; only when nothing is in flight."""
        self._get("/reset")


@contextlib.contextmanager
def receiver(
    nginx: Installation,
    folder: Path,
    delay_ms: float,
    slow_seconds: float = 0.0,
    latencies_since: str = "",
    *,
    has_capacity: bool = False,
) -> Iterator[Receiver]:
    """Run a receiver that answers after `delay_ms`, in a folder of its own; ended when the context is left.

    One record in 100,000 takes `slow_seconds` in its place, unless that is 0. It takes account of latencies since
    records were "written", since they were "received", or of none. With `has_capacity` it works on no more requests
    at once than it was last told, and `delay_ms` is nothing.

    Raises BenchmarkError when it does not answer within ten seconds.
    """
    folder.mkdir(parents=True)
    port, tls_port = free_port(), free_port()
    authority, certificate = folder / "authority.pem", folder / "certificate.pem"
    issuer = trustme.CA()
    issuer.cert_pem.write_to_path(str(authority))
    issuer.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(certificate))
    workers = 1 if has_capacity else os.cpu_count() or 1  # what it works on is known to one worker alone
    configuration = Template((_FOLDER / "nginx.conf").read_text()).substitute(
        load_modules=nginx.load_modules,
        workers=workers,
        folder=folder,
        lua_folder=_FOLDER,
        port=port,
        tls_port=tls_port,
        certificate=certificate,
        delay_seconds=delay_ms / 1000,
        slow_seconds=slow_seconds,
        latencies_since=latencies_since,
    )
    (folder / "nginx.conf").write_text(configuration)
    with (folder / "output.log").open("wb") as output:
        command = [nginx.program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
    try:
        service = Receiver(process.pid, port, tls_port, authority)
        _wait_until_it_answers(service, process, folder)
        yield service
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_it_answers(service: Receiver, process: subprocess.Popen[bytes], folder: Path) -> None:
    give_up = time.monotonic() + _START_TIMEOUT_SECONDS
    while True:
        try:
            service.reset()
        except OSError as error:
            if process.poll() is not None or time.monotonic() > give_up:
                log = (folder / "output.log").read_text() + (folder / "error.log").read_text()
                raise BenchmarkError(f"nginx did not start:\n{log}") from error
            time.sleep(0.05)
        else:
            return
