"""Asks each server what S3 clients depend on, for the table in README.md (`servers.py table`)."""

import json
import os
import pathlib
import subprocess
import sys

import proxy
import s3
import servers

COLUMNS = (
    "server",
    "start, s",
    "range",
    "last bytes",
    "`If-None-Match: *`",
    "wrong key",
    "connections stay open",
    "MB/s",
    "MB/s, proxy",
)
# Objects of the measurement, and the bytes of each.
OBJECTS, SIZE = 4, 64 << 20


def range_word(client: s3.Client, asked: str, expected: bytes) -> str:
    answer = client.request("GET", "traits/ten", headers={"range": asked})
    right = "" if answer.body == expected else ", other bytes"
    header = "" if answer.headers.get("content-range") else ", no Content-Range"
    return f"{answer.status}{header}{right}"


def creation_word(client: s3.Client) -> str:
    """What a second PUT of an object does that is to be made only if it is not there."""
    statuses = []
    for body in (b"first", b"second"):
        statuses.append(client.request("PUT", "traits/once", body=body, headers={"if-none-match": "*"}).status)
    kept = client.get("traits/once").body == b"first"
    if statuses[0] != 200:
        return f"refused: {statuses[0]}"
    return f"kept: {statuses[1]}" if kept else f"overwritten: {statuses[1]}"


def key_word(server: servers.Server) -> str:
    client = s3.Client(server.endpoint, (server.keys[0], "wrong"))
    status = client.request("GET", "traits/ten").status
    client.close()
    return "accepted" if status == 200 else f"refused: {status}"


def connection_word(client: s3.Client) -> str:
    client.get("traits/ten")
    return "yes" if client.connection.sock else "no"


def rate(server: servers.Server, endpoint: str) -> str:
    script = pathlib.Path(__file__).with_name("ranged.py")
    command = [sys.executable, script, endpoint, "speed", "--epochs", "6", "--timeout", "60"]
    settings = os.environ | servers.environment(endpoint, server.keys)
    output = subprocess.run(command, env=settings, capture_output=True, text=True, check=True, timeout=120).stdout
    return f"{json.loads(output)['mb_per_second']:.0f}"


def traits_of(kind: str) -> list[str]:
    with servers.running(kind) as server, proxy.running(server.endpoint, server.keys) as between:
        client = server.client()
        client.make_bucket("traits")
        client.put("traits/ten", b"0123456789")
        words = [
            range_word(client, "bytes=2-5", b"2345"),
            range_word(client, "bytes=-3", b"789"),
            creation_word(client),
            key_word(server),
            connection_word(client),
        ]
        client.make_bucket("speed")
        for number in range(OBJECTS):
            client.put(f"speed/{number}", os.urandom(1 << 20) * (SIZE >> 20))
        client.close()
        rates = [rate(server, endpoint) for endpoint in (server.endpoint, between.endpoint)]
        return [kind, f"{server.seconds:.1f}", *words, *rates]


def print_table(kinds) -> None:
    print("| " + " | ".join(COLUMNS) + " |")
    print("|" + " --- |" * len(COLUMNS), flush=True)
    for kind in kinds:
        print("| " + " | ".join(traits_of(kind)) + " |", flush=True)
