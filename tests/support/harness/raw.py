"""One HTTP exchange, byte for byte as the caller wants it."""

import dataclasses
import http.client
import json
import xml.etree.ElementTree as ElementTree

TIMEOUT_S = 20


@dataclasses.dataclass
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict:
        """The body as JSON."""
        return json.loads(self.body)

    def xml(self) -> ElementTree.Element:
        """The body as XML."""
        return ElementTree.fromstring(self.body)


def exchange(
    port: int, method: str, target: str, headers: dict[str, str], body: bytes = b"", host: str | None = None
) -> Reply:
    """Sends one request to 127.0.0.1:port. `host` replaces the Host header."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", host if host is not None else f"127.0.0.1:{port}")
        for name, value in headers.items():
            if name.lower() not in ("host", "content-length"):
                connection.putheader(name, value)
        if body or method == "POST":
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body or None)
        answer = connection.getresponse()
        lowered = {name.lower(): value for name, value in answer.getheaders()}
        return Reply(answer.status, lowered, answer.read())
    finally:
        connection.close()
