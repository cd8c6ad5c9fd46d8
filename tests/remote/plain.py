"""An S3 server on the standard library alone, so that CI can test without installing one. It checks no signatures.

    plain.py FOLDER [PORT]

`FOLDER/BUCKET/KEY` holds an object. It knows GET and HEAD with ranges and conditions, PUT with `If-None-Match: *`,
DELETE, ListObjectsV2 and uploads in parts. Without a signature the same paths serve as a plain web server's.
"""

import hashlib
import http.server
import os
import pathlib
import re
import shutil
import socket
import sys
import threading
import urllib.parse
import uuid
from xml.sax.saxutils import escape

# Keys of a list's page, as Amazon's.
PAGE = 1000
# Names begin so while an object is written. They are not listed.
HIDDEN = ".writing-"


def etag_of(facts: os.stat_result) -> str:
    """An object is replaced, never written in place, so its inode, time and size name its bytes."""
    return f'"{facts.st_ino:x}-{facts.st_mtime_ns:x}-{facts.st_size:x}"'


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection. The folder is the server's attribute `folder`."""

    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16

    def log_message(self, *_):
        pass

    def answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def refuse(self, status: int, code: str):
        self.answer(status, f"<Error><Code>{code}</Code></Error>".encode(), {"Content-Type": "application/xml"})

    def locate(self):
        """The file of the request's path, or None after a refusal, and the query."""
        path, _, query = self.path.partition("?")
        name = urllib.parse.unquote(path).strip("/")
        if ".." in name.split("/") or "\0" in name:
            self.refuse(400, "InvalidURI")
            return None, {}
        self.name = name
        return self.server.folder / name, dict(urllib.parse.parse_qsl(query, keep_blank_values=True))

    def body(self) -> bytes | None:
        """The request's body without a chunked encoding's framing."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            self.refuse(411, "MissingContentLength")
            self.close_connection = True
            return None
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "aws-chunked" not in self.headers.get("Content-Encoding", ""):
            return data
        whole, at = bytearray(), 0
        while True:
            end = data.index(b"\r\n", at)
            length = int(data[at:end].split(b";")[0], 16)
            if length == 0:
                return bytes(whole)
            whole += data[end + 2 : end + 2 + length]
            at = end + 2 + length + 2

    def do_GET(self):
        path, query = self.locate()
        if path is None:
            return
        if path.is_dir() and ("list-type" in query or "/" not in self.name):
            if "location" in query:
                self.answer(200, b"<LocationConstraint/>", {"Content-Type": "application/xml"})
            else:
                self.list(path, query)
            return
        try:
            file = path.open("rb")
        except OSError:
            self.refuse(404, "NoSuchKey" if "/" in self.name else "NoSuchBucket")
            return
        with file:
            self.send_object(file)

    do_HEAD = do_GET

    def send_object(self, file):
        facts = os.fstat(file.fileno())
        etag = etag_of(facts)
        wanted, seen = self.headers.get("If-Match"), self.headers.get("If-None-Match")
        if wanted not in (None, "*", etag):
            self.refuse(412, "PreconditionFailed")
            return
        if seen in ("*", etag):
            self.answer(304, headers={"ETag": etag})
            return
        start, end, status = 0, facts.st_size, 200
        found = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if found and found.group(0) != "bytes=-":
            status = 206
            if found.group(1):
                start, end = int(found.group(1)), min(int(found.group(2) or end) + 1, end)
            else:
                start = max(0, end - int(found.group(2)))
            if start >= end:
                self.answer(416, headers={"Content-Range": f"bytes */{facts.st_size}"})
                return
        self.send_response(status)
        self.send_header("ETag", etag)
        self.send_header("Last-Modified", self.date_time_string(facts.st_mtime))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(end - start))
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{facts.st_size}")
        self.end_headers()
        self.wfile.flush()
        if self.command == "GET" and start < end:
            # The system's call, or for a connection with TLS pieces that are encrypted.
            sent = self.connection.sendfile(file, start, end - start)
            if sent < end - start:
                self.close_connection = True

    def list(self, bucket: pathlib.Path, query: dict[str, str]):
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        after = query.get("continuation-token", query.get("start-after", ""))
        limit = min(int(query.get("max-keys", PAGE)), PAGE)
        entries: dict[str, str] = {}
        for path in sorted(path for path in bucket.rglob("*") if path.is_file()):
            key = path.relative_to(bucket).as_posix()
            if not key.startswith(prefix) or path.name.startswith(HIDDEN):
                continue
            folder, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
            if found:
                name = prefix + folder + delimiter
                entries[name] = f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>"
            else:
                facts = path.stat()
                entries[key] = (
                    f"<Contents><Key>{escape(key)}</Key><Size>{facts.st_size}</Size>"
                    f"<LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>{escape(etag_of(facts))}</ETag>"
                    "<StorageClass>STANDARD</StorageClass></Contents>"
                )
        names = sorted(name for name in entries if name > after)
        page = names[:limit]
        more = len(names) > limit
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more and page else ""
        text = (
            '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>{escape(bucket.name)}</Name><Prefix>{escape(prefix)}</Prefix><KeyCount>{len(page)}</KeyCount>"
            f"<MaxKeys>{limit}</MaxKeys><IsTruncated>{str(more).lower()}</IsTruncated>{token}"
            + "".join(entries[name] for name in page)
            + "</ListBucketResult>"
        )
        self.answer(200, text.encode(), {"Content-Type": "application/xml"})

    def do_PUT(self):
        path, query = self.locate()
        body = self.body() if path is not None else None
        if path is None or body is None:
            return
        if "/" not in self.name:
            path.mkdir(parents=True, exist_ok=True)
            self.answer(200)
            return
        if "uploadId" in query:
            folder = self.server.parts(query["uploadId"])
            if not folder.is_dir():
                self.refuse(404, "NoSuchUpload")
                return
            (folder / f"{int(query['partNumber']):05}").write_bytes(body)
            self.answer(200, headers={"ETag": f'"{hashlib.md5(body).hexdigest()}"'})
            return
        self.store(path, [body])

    def store(self, path: pathlib.Path, pieces, answer: bytes = b""):
        """Writes an object whole and then gives it its name."""
        path.parent.mkdir(parents=True, exist_ok=True)
        written = path.with_name(f"{HIDDEN}{uuid.uuid4().hex}")
        with written.open("wb") as file:
            for piece in pieces:
                file.write(piece)
        # A link fails where the name is taken, so of two that create one object a single one succeeds.
        if self.headers.get("If-None-Match") == "*":
            try:
                os.link(written, path)
            except FileExistsError:
                self.refuse(412, "PreconditionFailed")
                return
            finally:
                written.unlink()
        else:
            written.replace(path)
        self.answer(200, answer, {"ETag": etag_of(path.stat())})

    def do_POST(self):
        path, query = self.locate()
        body = self.body() if path is not None else None
        if path is None or body is None:
            return
        if "uploads" in query:
            upload = uuid.uuid4().hex
            self.server.parts(upload).mkdir(parents=True)
            text = f"<InitiateMultipartUploadResult><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
            self.answer(200, text.encode(), {"Content-Type": "application/xml"})
        elif "uploadId" in query and self.server.parts(query["uploadId"]).is_dir():
            folder = self.server.parts(query["uploadId"])
            named = [int(number) for number in re.findall(rb"<PartNumber>(\d+)<", body)]
            text = f"<Key>{escape(self.name)}</Key><ETag>0</ETag>"
            text = f"<CompleteMultipartUploadResult>{text}</CompleteMultipartUploadResult>"
            self.store(path, ((folder / f"{number:05}").read_bytes() for number in named), text.encode())
            shutil.rmtree(folder, ignore_errors=True)
        else:
            self.refuse(400, "InvalidRequest")

    def do_DELETE(self):
        path, query = self.locate()
        if path is None:
            return
        if "uploadId" in query:
            shutil.rmtree(self.server.parts(query["uploadId"]), ignore_errors=True)
        elif path.is_file():
            path.unlink()
        self.answer(204)


class Server(http.server.ThreadingHTTPServer):
    """Serves `folder` on a free port of 127.0.0.1, or on the given one."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, folder: pathlib.Path, port: int = 0):
        super().__init__(("127.0.0.1", port), Handler)
        self.folder = folder
        self.endpoint = f"127.0.0.1:{self.server_port}"

    def parts(self, upload: str) -> pathlib.Path:
        return self.folder / ".uploads" / re.sub(r"[^0-9a-f]", "", upload)

    def get_request(self):
        connection, address = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection, address

    def handle_error(self, *_):
        # A client that hangs up is no event: the proxy cuts connections on purpose.
        pass

    def start(self):
        """Serves from a thread, until `stop`."""
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def stop(self):
        self.shutdown()
        self.server_close()


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    server = Server(folder, int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    print(server.endpoint, flush=True)
    server.serve_forever()
