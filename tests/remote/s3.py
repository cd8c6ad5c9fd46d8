"""A small S3 client on the standard library alone: enough to fill a bucket, list it and read ranges, with SigV4.

It is a test tool: one connection, no retries, whole bodies in memory. A client object belongs to one thread.
"""

import dataclasses
import datetime
import hashlib
import hmac
import http.client
import urllib.parse
import xml.etree.ElementTree

ACCESS_KEY = "shardmill-key"
SECRET_KEY = "shardmill-secret"  # of servers on 127.0.0.1 that live as long as a test
REGION = "us-east-1"


@dataclasses.dataclass
class Answer:
    """A response with its whole body. Header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Failed(Exception):
    """The server answered with a status that the caller did not expect."""


def sign(
    method: str, target: str, headers: dict[str, str], digest: str, keys: tuple[str, str], now: str | None = None
) -> dict[str, str]:
    """Adds the headers of a SigV4 signature to `headers`, which must hold `host`. `target` is the path with its
    query, escaped as it is sent; `digest` is the body's SHA-256 or UNSIGNED-PAYLOAD."""
    path, _, query = target.partition("?")
    now = now or datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    signed = {name.lower(): value.strip() for name, value in headers.items()}
    signed |= {"x-amz-date": now, "x-amz-content-sha256": digest}
    names = ";".join(sorted(signed))
    pairs = sorted(part if "=" in part else part + "=" for part in query.split("&") if part)
    lines = [method, path, "&".join(pairs), *(f"{name}:{signed[name]}" for name in sorted(signed)), "", names, digest]
    scope = f"{now[:8]}/{REGION}/s3/aws4_request"
    canonical = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{canonical}"
    key = b"AWS4" + keys[1].encode()
    for part in (now[:8], REGION, "s3", "aws4_request", text):
        key = hmac.digest(key, part.encode(), "sha256")
    credential = f"AWS4-HMAC-SHA256 Credential={keys[0]}/{scope}, SignedHeaders={names}, Signature={key.hex()}"
    return signed | {"authorization": credential}


class Client:
    """Talks to the endpoint `HOST:PORT`. Without keys the requests are anonymous."""

    def __init__(self, endpoint: str, keys: tuple[str, str] | None = (ACCESS_KEY, SECRET_KEY), timeout: float = 30):
        self.endpoint = endpoint
        self.keys = keys
        self.connection = http.client.HTTPConnection(endpoint, timeout=timeout)

    def close(self) -> None:
        self.connection.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Sends one request, over a new connection if the server has closed the old one."""
        target = "/" + urllib.parse.quote(path, safe="/-_.~")
        if query:
            target += "?" + urllib.parse.urlencode(query, quote_via=urllib.parse.quote, safe="-_.~")
        headers = {"host": self.endpoint} | (headers or {})
        if self.keys:
            headers = sign(method, target, headers, hashlib.sha256(body).hexdigest(), self.keys)
        if body or method in ("PUT", "POST"):
            headers["content-length"] = str(len(body))
        try:
            self.connection.request(method, target, body or None, headers)
            response = self.connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())
        except (OSError, http.client.HTTPException):
            # The next request must not meet what is left of this one.
            self.connection.close()
            raise

    def expect(self, statuses: tuple[int, ...], method: str, path: str, **rest) -> Answer:
        answer = self.request(method, path, **rest)
        if answer.status not in statuses:
            raise Failed(f"{method} {path}: status {answer.status}: {answer.body[:300]!r}")
        return answer

    def make_bucket(self, bucket: str) -> None:
        """Makes a bucket. One that is there already stays."""
        self.expect((200, 204, 409), "PUT", bucket)

    def put(self, path: str, body: bytes) -> None:
        self.expect((200, 201), "PUT", path, body=body)

    def get(self, path: str, start: int | None = None, end: int | None = None) -> Answer:
        """Reads an object, or its bytes from `start` to before `end`. Any status is returned."""
        headers = {} if start is None else {"range": f"bytes={start}-{end - 1}"}
        return self.request("GET", path, headers=headers)

    def list(self, bucket: str, prefix: str = "") -> dict[str, int]:
        """Sizes of all objects whose key begins with `prefix`."""
        found: dict[str, int] = {}
        query = {"list-type": "2", "prefix": prefix}
        while True:
            answer = self.expect((200,), "GET", bucket, query=query)
            root = xml.etree.ElementTree.fromstring(answer.body)
            # Some servers send no namespace.
            space = root.tag.partition("}")[0] + "}" if root.tag.startswith("{") else ""
            for entry in root.iter(f"{space}Contents"):
                found[entry.findtext(f"{space}Key")] = int(entry.findtext(f"{space}Size"))
            token = root.findtext(f"{space}NextContinuationToken")
            if not token:
                return found
            query["continuation-token"] = token


def upload(client: Client, folder, bucket: str, prefix: str = "") -> int:
    """Copies every file below `folder` (a `pathlib.Path`) into the bucket. Returns the number of bytes."""
    total = 0
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            name = f"{prefix.strip('/')}/{path.relative_to(folder).as_posix()}".lstrip("/")
            body = path.read_bytes()
            client.put(f"{bucket}/{name}", body)
            total += len(body)
    return total
