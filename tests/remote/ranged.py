"""Reads objects in ranges over several connections, again where a range fails, and compares their SHA-256.

    ranged.py ENDPOINT BUCKET [--prefix P] [--range BYTES] [--connections N] [--epochs N] [--tries N]
              [--timeout SECONDS] [--sums FILE] [--anonymous]

It stands in for the loader when the proxy is tested, and measures what servers and the proxy carry. It prints a line
of JSON; with `--sums`, objects are compared with the file's {"key": "sha256"} and wrong ones are named.
"""

import argparse
import concurrent.futures
import hashlib
import http.client
import json
import os
import threading
import time

import s3

LOCAL = threading.local()


def read_range(options: argparse.Namespace, keys, path: str, start: int, into: memoryview) -> int:
    """Reads one range into a buffer. Returns how often it had to try again."""
    for attempt in range(options.tries):
        try:
            if not getattr(LOCAL, "client", None):
                LOCAL.client = s3.Client(options.endpoint, keys, timeout=options.timeout)
            client = LOCAL.client
            headers = {"host": client.endpoint, "range": f"bytes={start}-{start + len(into) - 1}"}
            target = "/" + path
            if keys:
                headers = s3.sign("GET", target, headers, hashlib.sha256(b"").hexdigest(), keys)
            client.connection.request("GET", target, headers=headers)
            response = client.connection.getresponse()
            if response.status not in (200, 206):
                response.read()
                raise http.client.HTTPException(f"status {response.status}")
            # A whole object where a range was asked for: what stands before it is passed over. rclone answers a range
            # with status 200, so the header decides.
            skip = 0 if response.getheader("Content-Range") else start
            while skip:
                skip -= len(response.read(min(skip, 1 << 20))) or _fail("the answer is short")
            done = 0
            while done < len(into):
                done += response.readinto(into[done:]) or _fail("the answer is short")
            if response.read(1):
                LOCAL.client.close()
            return attempt
        except (OSError, http.client.HTTPException):
            LOCAL.client.close()
            LOCAL.client = None
            if attempt + 1 == options.tries:
                raise
            time.sleep(min(1.0, 0.05 * 2**attempt))
    raise AssertionError("there is at least one try")


def _fail(why: str) -> int:
    raise http.client.IncompleteRead(b"", None) from ValueError(why)


def main() -> None:
    parser = argparse.ArgumentParser(description="a client that reads ranges")
    parser.add_argument("endpoint")
    parser.add_argument("bucket")
    parser.add_argument("--prefix", default="")
    parser.add_argument("--range", type=int, default=8 << 20)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--tries", type=int, default=8)
    parser.add_argument("--timeout", type=float, default=3)
    parser.add_argument("--sums")
    parser.add_argument("--anonymous", action="store_true")
    options = parser.parse_args()
    keys = (os.environ.get("AWS_ACCESS_KEY_ID", s3.ACCESS_KEY), os.environ.get("AWS_SECRET_ACCESS_KEY", s3.SECRET_KEY))
    keys = None if options.anonymous else keys
    sizes = s3.Client(options.endpoint, keys, timeout=options.timeout).list(options.bucket, options.prefix)
    buffers = {key: bytearray(size) for key, size in sizes.items()}
    retries = read = 0
    started = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(options.connections) as pool:
        for _ in range(options.epochs):
            jobs = []
            for key, buffer in buffers.items():
                for start in range(0, len(buffer), options.range):
                    view = memoryview(buffer)[start : start + options.range]
                    jobs.append(pool.submit(read_range, options, keys, f"{options.bucket}/{key}", start, view))
                    read += len(view)
            retries += sum(job.result() for job in jobs)
    seconds = time.monotonic() - started
    wrong = []
    if options.sums:
        with open(options.sums) as file:
            sums = json.load(file)
        wrong = sorted(key for key, value in sums.items() if hashlib.sha256(buffers.get(key, b"")).hexdigest() != value)
    rate = round(read / seconds / 1e6, 1)
    print(
        json.dumps(
            {"bytes": read, "seconds": round(seconds, 3), "mb_per_second": rate, "retries": retries, "wrong": wrong}
        )
    )


if __name__ == "__main__":
    main()
