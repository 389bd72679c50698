"""A Kubernetes API on loopback, behind TLS, with a certificate authority of its own."""

from __future__ import annotations

import base64
import ipaddress
import json
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path


class Authority:
    """A certificate authority, and certificates for 127.0.0.1 that it signs."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cluster authority")])
        self._certificate = self._signed(self._name, self._key.public_key(), authority=True)

    @property
    def stated(self) -> str:
        """As `masterAuth.clusterCaCertificate` has it: PEM in base64."""
        return base64.b64encode(self._certificate.public_bytes(serialization.Encoding.PEM)).decode()

    def context(self, folder: Path) -> ssl.SSLContext:
        """For a server at 127.0.0.1."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kube-apiserver")])
        file = folder / "server.pem"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + self._signed(name, key.public_key()).public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _signed(self, name: x509.Name, key: Any, *, authority: bool = False) -> x509.Certificate:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )


class KubernetesServer:
    """Answers GET requests from `answers`: a path to (status, body), or to seconds of silence.

    `requests` are the paths that were asked for, `methods` their methods, `tokens` their authorization.
    """

    def __init__(self, folder: Path, authority: Authority) -> None:
        self.answers: dict[str, Any] = {}
        self.requests: list[str] = []
        self.methods: set[str] = set()
        self.tokens: set[str | None] = set()
        self.drip = 0.0
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                server.requests.append(self.path)
                server.methods.add(self.command)
                server.tokens.add(self.headers.get("Authorization"))
                status, body = server.answers.get(self.path, (404, status_of(404, "NotFound")))
                raw = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "https://example.com/")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                if server.drip:
                    for index in range(len(raw)):
                        time.sleep(server.drip)
                        self.wfile.write(raw[index : index + 1])
                        self.wfile.flush()
                else:
                    self.wfile.write(raw)

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                pass  # clients that hang up are part of the tests

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.socket = authority.context(folder).wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def status_of(code: int, reason: str) -> dict[str, Any]:
    """An error as the Kubernetes API answers it."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "reason": reason,
        "message": f"it is {reason}",
        "code": code,
    }
