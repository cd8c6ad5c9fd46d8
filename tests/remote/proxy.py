"""An HTTP proxy between a client and one server that delays, limits and damages on purpose, and counts.

    proxy.py --upstream 127.0.0.1:8333 [--listen PORT] [--delay-ms 50] [--bytes-per-second 200e6]
             [--match REGEX] [--cut every=3] [--truncate p=0.1] [--flip first] [--stall times=1,after=1000]
             [--status code=503,for=2] [--whole always] [--refuse SECONDS] [--seed N]

The words of a fault are those of faults.py. `--match` limits faults to requests whose path and query match. The first
line printed is {"listen": "127.0.0.1:PORT"}. Each line of JSON on stdin is a command, answered with a line of counts:

    {"set": {"flip": "first", "cut": null, "delay_ms": 0}}    {"refuse": 2.0}    {"clear": true}    {}

It ends with stdin, after a last line of counts. Requests are forwarded unchanged, since SigV4 signs their headers. Only
`whole` must drop a signed header; it signs again with --keys. A thread serves each connection: the calls that move
bytes release the interpreter's lock, and a stall is simply a wait.
"""

import argparse
import contextlib
import hashlib
import json
import pathlib
import select
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import s3
from faults import BODY_FAULTS, FAULTS, Counts, Fault, Settings
from http1 import PIECE, Closed, Head, Stream

SETTINGS = ("delay_ms", "bytes_per_second", "match", "seed", *FAULTS)


class Proxy:
    """Listens on 127.0.0.1 and forwards to `upstream`, an address `HOST:PORT`."""

    def __init__(self, upstream: str, port: int = 0, keys: tuple[str, str] = (s3.ACCESS_KEY, s3.SECRET_KEY)):
        host, _, number = upstream.rpartition(":")
        self.upstream = (host, int(number))
        self.keys = keys
        self.settings = Settings()
        self.counts = Counts()
        self.is_open = True
        self.refuse_until = 0.0
        self.is_listening = threading.Event()
        self.is_listening.set()
        self.clients: set[socket.socket] = set()
        self.listener = self.listen(port)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    @staticmethod
    def listen(port: int) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", port), backlog=256)
        listener.settimeout(0.05)
        return listener

    def refuse(self, seconds: float) -> None:
        """Resets every connection and accepts none for a time. With 0 it ends such a time at once."""
        self.refuse_until = time.monotonic() + seconds
        if seconds <= 0:
            self.is_listening.wait()
            return
        self.is_listening.clear()
        for client in list(self.clients):
            # The thread that serves it is woken, and closes it.
            with contextlib.suppress(OSError):
                reset_when_closed(client)
                client.shutdown(socket.SHUT_RDWR)

    def accept(self) -> None:
        while self.is_open:
            if not self.is_listening.is_set():
                self.listener.close()
                while (left := self.refuse_until - time.monotonic()) > 0:
                    time.sleep(min(left, 0.05))
                self.listener = self.listen(self.port)
                self.is_listening.set()
            with contextlib.suppress(TimeoutError):
                client, _ = self.listener.accept()
                self.counts.add("connections")
                threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, connection: socket.socket) -> None:
        self.clients.add(connection)
        exchange = Exchange(self, Stream(connection))
        try:
            while exchange.next():
                pass
        except (OSError, Closed):
            # One side has gone: the other must learn it.
            self.counts.add("errors")
            with contextlib.suppress(OSError):
                reset_when_closed(connection)
        finally:
            self.clients.discard(connection)
            exchange.disconnect()
            connection.close()


class Exchange:
    """One client's connection, and the one to the server that belongs to it."""

    def __init__(self, proxy: Proxy, client: Stream):
        self.proxy, self.settings, self.counts = proxy, proxy.settings, proxy.counts
        self.client = client
        self.server: Stream | None = None

    def connect(self) -> Stream:
        """The connection to the server, a new one if it has closed the old."""
        if self.server and select.select([self.server.socket], [], [], 0)[0]:
            self.disconnect()
        if not self.server:
            self.server = Stream(socket.create_connection(self.proxy.upstream))
        return self.server

    def disconnect(self) -> None:
        if self.server:
            self.server.socket.close()
            self.server = None

    def next(self) -> bool:
        """Serves one request. False if no other follows over this connection."""
        request = self.client.head()
        if request is None:
            return False
        method, target = request.first[:2]
        is_range = method == "GET" and "range" in request.headers
        self.counts.begin(method, is_range)
        try:
            time.sleep(self.settings.delay)
            if met := self.settings.pick({"status": ""}, target):
                return self.answer_with_error(request, met[1])
            if is_range and self.settings.pick({"whole": ""}, target):
                self.counts.tally("injected", "whole")
                request = self.without_range(request)
            response = self.ask(request)
            return self.give(request, response)
        finally:
            self.counts.end()

    def answer_with_error(self, request: Head, fault: Fault) -> bool:
        self.counts.tally("injected", "status")
        self.counts.tally("statuses", str(fault.code))
        if request.headers.get("expect"):
            # The client still waits for leave to send the body, and shall not send it.
            request.headers["connection"] = "close"
        else:
            self.move_body(request, self.client, None)
        code = "SlowDown" if fault.code == 503 else "InternalError"
        body = f"<Error><Code>{code}</Code><Message>injected by a test</Message></Error>".encode()
        if request.first[0] == "HEAD":
            body = b""
        option = "close" if request.closes else "keep-alive"
        head = (
            f"HTTP/1.1 {fault.code} Injected\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n"
            f"Connection: {option}\r\n\r\n"
        )
        self.client.socket.sendall(head.encode() + body)
        return not request.closes

    def without_range(self, request: Head) -> Head:
        target = request.first[1]
        kept = {name: request.headers[name] for name in ("host", "if-match") if name in request.headers}
        if "authorization" in request.headers:
            kept = s3.sign("GET", target, kept, hashlib.sha256(b"").hexdigest(), self.proxy.keys)
        lines = [" ".join(request.first), *(f"{name}: {value}" for name, value in kept.items()), "", ""]
        return Head.parse("\r\n".join(lines).encode())

    def ask(self, request: Head) -> Head:
        """Sends a request to the server and returns the head of its answer."""
        server = self.connect()
        server.socket.sendall(request.raw)
        has_body = request.is_chunked or bool(request.length)
        if has_body and request.headers.get("expect"):
            # The body follows when the server asks for it, or when the client is tired of waiting.
            ready, _, _ = select.select([server.socket, self.client.socket], [], [])
            if self.client.socket not in ready and self.client.start == self.client.end:
                answer = self.head_of_answer(server)
                if answer.status != 100:
                    # The body will not come.
                    answer.headers["connection"] = "close"
                    return answer
                self.client.socket.sendall(answer.raw)
        try:
            self.move_body(request, self.client, server)
        except BrokenPipeError:
            # A server may answer before it has read all, and then close.
            request.headers["connection"] = "close"
        answer = self.head_of_answer(server)
        while answer.status < 200:
            answer = self.head_of_answer(server)
        return answer

    @staticmethod
    def head_of_answer(server: Stream) -> Head:
        answer = server.head()
        if answer is None:
            raise Closed
        return answer

    def give(self, request: Head, response: Head) -> bool:
        """Passes an answer on to the client."""
        method, target = request.first[:2]
        self.counts.tally("statuses", str(response.status))
        server = self.server
        is_last = request.closes or response.closes
        if method == "HEAD" or response.status in (204, 304):
            self.client.socket.sendall(response.raw)
        elif response.length is None and not response.is_chunked:
            self.client.socket.sendall(response.raw)
            with contextlib.suppress(Closed):
                self.move(server, self.client, 1 << 62, None, 0)
            is_last = True
        else:
            fault = None
            if method == "GET" and response.status in (200, 206) and response.length:
                fault = self.settings.pick(BODY_FAULTS, target)
            self.client.socket.sendall(response.raw)
            if not self.move_body(response, server, self.client, fault):
                return False
        if response.closes:
            self.disconnect()
        return not is_last

    def move_body(self, head: Head, source: Stream, sink: Stream | None, fault=None) -> bool:
        """Moves a message's body. False if a fault has ended the connection."""
        if not head.is_chunked:
            length = head.length or 0
            if not fault:
                self.move(source, sink, length, None, 0)
                return True
            name, how = fault
            at = min(length // 2 if how.after is None else how.after, length - 1)
            return self.move(source, sink, length, name, at)
        while True:
            line = source.until(b"\r\n")
            if line is None:
                raise Closed
            self.send(sink, line)
            size = int(line.split(b";")[0], 16)
            if size == 0:
                while True:
                    line = source.until(b"\r\n")
                    self.send(sink, line)
                    if line == b"\r\n":
                        return True
            self.move(source, sink, size + 2, None, 0)

    @staticmethod
    def send(sink: Stream | None, data: bytes | memoryview) -> None:
        if sink:
            sink.socket.sendall(data)

    def move(self, source: Stream, sink: Stream | None, length: int, fault: str | None, at: int) -> bool:
        """Moves `length` bytes, and does what the fault says when `at` of them have been sent."""
        name = "bytes_down" if sink is self.client else "bytes_up"
        done = 0
        while done < length:
            most = self.settings.limiter.piece(PIECE)
            # A piece ends where the fault begins.
            until = at if fault and done < at else length
            piece = source.piece(min(most, until - done))
            if fault and done == at:
                self.counts.tally("injected", fault)
                if fault == "flip":
                    piece[0] ^= 1
                elif fault == "stall":
                    self.stall()
                else:
                    if fault == "cut":
                        reset_when_closed(self.client.socket)
                    else:
                        self.client.socket.shutdown(socket.SHUT_WR)
                    return False
                fault = None
            self.settings.limiter.wait(len(piece))
            self.send(sink, piece)
            done += len(piece)
            self.counts.add(name, len(piece))
        return True

    def stall(self) -> None:
        """Waits until the client goes or the settings change."""
        version = self.settings.version
        while self.settings.version == version:
            if select.select([self.client.socket], [], [], 0.05)[0]:
                if not self.client.socket.recv(1, socket.MSG_PEEK):
                    raise Closed
                time.sleep(0.05)


def reset_when_closed(connection: socket.socket) -> None:
    """Closing it will send a reset instead of an orderly end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Running:
    """A proxy in a process of its own, so that it does not share an interpreter with what it tests."""

    def __init__(self, process: subprocess.Popen):
        self.process = process
        self.endpoint = json.loads(process.stdout.readline())["listen"]

    def command(self, **command) -> dict:
        """Sends a command and returns the counts."""
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer

    def set(self, **values) -> dict:
        return self.command(set=values)


@contextlib.contextmanager
def running(upstream: str, keys: tuple[str, str] = (s3.ACCESS_KEY, s3.SECRET_KEY), **settings) -> Iterator[Running]:
    """Runs a proxy while the block runs. The settings are those of `Settings.change`."""
    script = pathlib.Path(__file__).resolve()
    arguments = [sys.executable, script, "--upstream", upstream, "--keys", ":".join(keys)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            handle = Running(process)
            handle.set(**settings)
            yield handle
        finally:
            process.stdin.close()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()


def main() -> None:
    parser = argparse.ArgumentParser(description="an HTTP proxy that injects faults")
    parser.add_argument("--upstream", required=True)
    parser.add_argument("--listen", type=int, default=0)
    parser.add_argument("--keys", default=f"{s3.ACCESS_KEY}:{s3.SECRET_KEY}")
    parser.add_argument("--refuse", type=float)
    for name in SETTINGS:
        parser.add_argument("--" + name.replace("_", "-"), help=FAULTS.get(name))
    options = parser.parse_args()
    access, _, secret = options.keys.partition(":")
    proxy = Proxy(options.upstream, options.listen, (access, secret))
    given = {name: getattr(options, name) for name in SETTINGS}
    proxy.settings.change({name: value for name, value in given.items() if value is not None})
    print(json.dumps({"listen": f"127.0.0.1:{proxy.port}"}), flush=True)
    if options.refuse:
        proxy.refuse(options.refuse)
    with contextlib.suppress(KeyboardInterrupt):
        for line in sys.stdin:
            try:
                command = json.loads(line)
                proxy.settings.change(command.get("set", {}))
                if "refuse" in command:
                    proxy.refuse(float(command["refuse"]))
                answer = proxy.counts.report()
                if command.get("clear"):
                    proxy.counts.clear()
            except (ValueError, TypeError, AttributeError) as error:
                answer = {"error": str(error)}
            print(json.dumps(answer), flush=True)
    proxy.is_open = False
    print(json.dumps(proxy.counts.report()), flush=True)


if __name__ == "__main__":
    main()
