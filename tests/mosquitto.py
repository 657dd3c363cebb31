"""A real MQTT broker for tests: this machine's, or the one that `make test` unpacks into .tools."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from paho.mqtt.enums import CallbackAPIVersion

_UNPACKED = Path(__file__).parent.parent / ".tools" / "mosquitto"
PATIENCE = 90.0  # seconds after which a test gives up; none of them measures time

_CONFIGURATION = """\
listener {port} 127.0.0.1
allow_anonymous {anonymous}
user {user}
persistence true
persistence_location {folder}/
max_queued_messages 0
"""


def _command() -> tuple[list[str], dict[str, str]]:
    """The broker's program and its environment; skips the test, with the reason, where there is none."""
    for installed in (shutil.which("mosquitto"), "/usr/sbin/mosquitto"):
        if installed and Path(installed).exists():
            return [installed], dict(os.environ)
    unpacked = _UNPACKED / "usr" / "sbin" / "mosquitto"
    if not unpacked.exists():
        pytest.skip(
            "no MQTT broker: install mosquitto, or on a Debian run `sh tests/get-mosquitto.sh .tools/mosquitto`"
        )
    libraries = ":".join(str(folder) for folder in sorted(_UNPACKED.glob("**/*-linux-gnu")))
    return [str(unpacked)], {**os.environ, "LD_LIBRARY_PATH": libraries}


@dataclass
class Mosquitto:
    """A broker on the loopback."""

    port: int
    folder: Path
    anonymous: bool = True
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self, more: str = "") -> None:
        command, environment = _command()
        configuration = self.folder / "mosquitto.conf"
        user = (
            "root" if os.geteuid() == 0 else "nobody"
        )  # it gives up root's rights for those of a user that must exist
        told = {"port": self.port, "folder": self.folder, "user": user, "anonymous": str(self.anonymous).lower()}
        configuration.write_text(_CONFIGURATION.format(**told) + more)
        with (self.folder / "broker.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "-c", str(configuration)], env=environment, stderr=log, stdout=log
            )
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.01)
            else:
                return
        pytest.fail(f"the broker did not start: {(self.folder / 'broker.log').read_text()}")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(PATIENCE)

    @contextmanager
    def client(self, name: str = "", will: tuple[str, bytes] | None = None) -> Iterator[paho.Client]:
        """A connected client of its own thread."""
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name)
        if will is not None:
            client.will_set(*will, qos=1)
        client.max_inflight_messages_set(65_535)
        client.connect("127.0.0.1", self.port)
        client.loop_start()
        try:
            yield client
        finally:
            client.disconnect()
            client.loop_stop()


@contextmanager
def running_mosquitto(folder: Path, more: str = "", *, anonymous: bool = True) -> Iterator[Mosquitto]:
    """A broker for as long as the block runs; `more` is added to its configuration."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    broker = Mosquitto(port, folder, anonymous)
    broker.start(more)
    try:
        yield broker
    finally:
        broker.stop()


def password_file(folder: Path, user: str, password: str) -> Path:
    """A file that lets one user in."""
    (program, *_), environment = _command()
    tool = Path(program).parent.parent / "bin" / "mosquitto_passwd"
    file = folder / "passwords"
    subprocess.run([tool, "-c", "-b", file, user, password], env=environment, check=True, capture_output=True)
    file.chmod(0o644)
    return file


def publish(client: paho.Client, topic: str, *payloads: str | bytes, qos: int = 1) -> None:
    """Publish, and wait until the broker has it."""
    publish_all(client, [(topic, payload, qos) for payload in payloads])


def publish_all(client: paho.Client, messages: Iterable[tuple[str, str | bytes, int]]) -> None:
    """Publish many (topic, payload, QoS), and wait until the broker has them."""
    told = [client.publish(topic, payload, qos=qos) for topic, payload, qos in messages]
    for one in told:
        one.wait_for_publish(PATIENCE)
        assert one.is_published()


def self_signed(folder: Path) -> tuple[Path, Path]:
    """A certificate for `localhost` that is its own authority, and its private key, as PEM files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    today = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - dt.timedelta(days=1))
        .not_valid_after(today + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    written = folder / "certificate.pem", folder / "key.pem"
    written[0].write_bytes(certificate.public_bytes(pem))
    plain = serialization.NoEncryption()
    written[1].write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return written
