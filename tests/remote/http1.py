"""The little of HTTP/1.1 that a proxy needs: heads, lengths of bodies, and moving bytes in large pieces."""

import dataclasses
import socket

# Large pieces keep the number of calls, and with it Python's share of the time, low.
PIECE = 256 << 10
LONGEST_HEAD = 64 << 10


class Closed(Exception):
    """The other side closed the connection within a message."""


@dataclasses.dataclass
class Head:
    """The first line and the headers of a message, as they were received. Names in `headers` are in lower case."""

    raw: bytes
    first: list[str]
    headers: dict[str, str]

    @classmethod
    def parse(cls, raw: bytes) -> "Head":
        lines = raw.decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines[1:] if line)
        return cls(raw, lines[0].split(" ", 2), {name.strip().lower(): value.strip() for name, _, value in pairs})

    @property
    def status(self) -> int:
        return int(self.first[1])

    @property
    def length(self) -> int | None:
        """Bytes of the body, if the head says so."""
        text = self.headers.get("content-length")
        return None if text is None or self.is_chunked else int(text)

    @property
    def is_chunked(self) -> bool:
        return "chunked" in self.headers.get("transfer-encoding", "").lower()

    @property
    def closes(self) -> bool:
        option = self.headers.get("connection", "").lower()
        version = self.first[0] if self.first[0].startswith("HTTP/") else self.first[2]
        return "close" in option or (version == "HTTP/1.0" and "keep-alive" not in option)


class Stream:
    """A socket with what was received and not yet taken. Pieces are views of one buffer: use each before the next."""

    def __init__(self, connection: socket.socket):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = connection
        self.buffer = memoryview(bytearray(PIECE))
        self.start = self.end = 0

    def fill(self) -> bool:
        """Receives more if everything has been taken. False at the end of the connection."""
        if self.start == self.end:
            self.start, self.end = 0, self.socket.recv_into(self.buffer)
        return self.end > self.start

    def piece(self, most: int) -> memoryview:
        if not self.fill():
            raise Closed
        end = min(self.end, self.start + most)
        found, self.start = self.buffer[self.start : end], end
        return found

    def until(self, mark: bytes) -> bytes | None:
        """Takes all up to and with the mark. None if the connection ends before anything came."""
        taken = bytearray()
        while mark not in taken:
            if not self.fill():
                if taken:
                    raise Closed
                return None
            if len(taken) > LONGEST_HEAD:
                raise ValueError("a head is too long")
            # What is behind the mark goes back. The mark may have begun in the piece before.
            old = len(taken)
            taken += self.buffer[self.start : self.end]
            at = taken.find(mark, max(0, old - len(mark) + 1))
            used = self.end - self.start if at < 0 else at + len(mark) - old
            del taken[old + used :]
            self.start += used
        return bytes(taken)

    def head(self) -> Head | None:
        raw = self.until(b"\r\n\r\n")
        return None if raw is None else Head.parse(raw)
