"""Debian's nginx with the configuration that we ship, filled in as the file's head says."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.waiting import free_port, listens, until

SHIPPED = Path(__file__).parent.parent.parent / "deploy" / "nginx.conf"
NGINX = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")

AROUND = """
{user}
daemon off;
worker_processes 2;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/shipped.conf;
}}
"""


def configuration(folder: Path, port: int, backend_ports: Sequence[int]) -> Path:
    """A line for each backend; the timeout for headers is shortened for the test's sake."""
    shipped = SHIPPED.read_text()
    (line,) = (line for line in shipped.splitlines() if line.startswith("    server 127.0.0.1:8081 "))
    for written, filled in {
        line: "\n".join(line.replace("8081", str(one)) for one in backend_ports),
        "listen 8080;": f"listen 127.0.0.1:{port};",
        "client_header_timeout 10s;": "client_header_timeout 1s;",
    }.items():
        assert shipped.count(written) == 1
        shipped = shipped.replace(written, filled)
    (folder / "shipped.conf").write_text(shipped)
    whole = folder / "nginx.conf"
    # Workers of another user could not enter pytest's folders.
    whole.write_text(AROUND.format(folder=folder, user="user root;" if os.geteuid() == 0 else ""))
    return whole


@contextmanager
def nginx_before(folder: Path, backend_ports: Sequence[int]) -> Iterator[int]:
    """nginx before servers on these ports; the port where it listens itself. Skips where there is no nginx."""
    if NGINX is None:
        reason = "nginx is not installed (tests/ensure_services.sh installs it as root, with apt-get)"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    port = free_port()
    nginx = subprocess.Popen(
        [NGINX, "-p", str(folder), "-c", str(configuration(folder, port, backend_ports))]
    )
    try:
        until(lambda: listens(port), "nginx does not listen")
        yield port
    finally:
        nginx.terminate()
        nginx.wait(timeout=10)
