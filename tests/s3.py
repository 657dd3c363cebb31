"""A real S3 server for tests: moto's, in a process of its own on loopback; it honours conditional puts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import Request, urlopen

BUCKET = "lake"

#: ends when its standard input does, so with the tests, however they end
_SERVER = """
import sys
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
server.stop()
"""


@contextmanager
def s3_server() -> Iterator[str]:
    """Its address. It has one bucket."""
    command = [sys.executable, "-c", _SERVER]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        address = f"http://127.0.0.1:{int(process.stdout.readline())}"
        with urlopen(Request(f"{address}/{BUCKET}", method="PUT"), timeout=30):
            pass
        yield address


def access(address: str) -> dict[str, str]:
    """The environment variables of who may use it."""
    return {
        "AWS_ENDPOINT_URL": address,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "simulated",
        "AWS_SECRET_ACCESS_KEY": "simulated-secret",
        "AWS_METADATA_ENDPOINT": "http://127.0.0.1:1",  # not a cloud's machine: nobody gives credentials
        "AWS_EC2_METADATA_DISABLED": "true",
    }
