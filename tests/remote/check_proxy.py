"""Checks that the proxy injects each fault as it says, and nothing else. It needs no package and takes seconds.

check_proxy.py [-v]
"""

import hashlib
import http.client
import pathlib
import socket
import tempfile
import threading
import time
import unittest

import plain
import proxy
import s3

# Long enough to need several pieces, and no multiple of them.
BODY = bytes(range(256)) * 4000 + b"end"
OBJECTS = [f"objects/{number}" for number in range(4)]


class Faults(unittest.TestCase):
    """Each test has a proxy of its own. The server is shared, and its objects are only read."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.server = plain.Server(pathlib.Path(folder.name)).start()
        cls.addClassCleanup(cls.server.stop)
        client = s3.Client(cls.server.endpoint)
        client.make_bucket("objects")
        for path in OBJECTS:
            client.put(path, BODY)
        client.close()

    def start(self, **settings) -> proxy.Running:
        running = proxy.running(self.server.endpoint, **settings)
        handle = running.__enter__()
        self.addCleanup(running.__exit__, None, None, None)
        return handle

    def client(self, between: proxy.Running, timeout: float = 5) -> s3.Client:
        client = s3.Client(between.endpoint, timeout=timeout)
        self.addCleanup(client.close)
        return client

    def read_broken(self, client: s3.Client, path: str) -> tuple[bytes, Exception | None]:
        """What arrives of an object, and the error that ends it."""
        client.connection.request("GET", "/" + path)
        received = bytearray()
        try:
            response = client.connection.getresponse()
            while len(received) < len(BODY):
                piece = response.read1(1 << 16)
                if not piece:
                    return bytes(received), http.client.IncompleteRead(b"")
                received += piece
        except (OSError, http.client.HTTPException) as error:
            return bytes(received), error
        finally:
            client.close()
        return bytes(received), None

    def test_without_faults_everything_passes_unchanged_over_one_connection(self):
        between = self.start()
        client = self.client(between)
        for path in OBJECTS:
            self.assertEqual(client.get(path).body, BODY)
        part = client.get(OBJECTS[0], 1000, 300_000)
        self.assertEqual((part.status, part.body), (206, BODY[1000:300_000]))
        self.assertEqual(part.headers["content-range"], f"bytes 1000-299999/{len(BODY)}")
        head = client.request("HEAD", OBJECTS[0])
        self.assertEqual((head.status, head.headers["content-length"], head.body), (200, str(len(BODY)), b""))
        self.assertEqual(client.get("objects/none").status, 404)
        self.assertEqual(client.get(OBJECTS[0], 1 << 30, (1 << 30) + 1).status, 416)
        self.assertEqual(len(client.list("objects")), len(OBJECTS))
        counts = between.command()
        self.assertEqual((counts["connections"], counts["requests"], counts["ranges"]), (1, 9, 2))
        self.assertGreaterEqual(counts["bytes_down"], 4 * len(BODY) + 299_000)
        self.assertEqual((counts["errors"], counts["faults"]), (0, {}))

    def test_bodies_of_requests_pass_with_and_without_expect(self):
        between = self.start()
        client = self.client(between)
        client.make_bucket("written")
        client.put("written/a", BODY)
        client.request("PUT", "written/b", body=BODY, headers={"expect": "100-continue"})
        for path in ("written/a", "written/b"):
            self.assertEqual(client.get(path).body, BODY)
        self.assertEqual(between.command()["bytes_up"], 2 * len(BODY))

    def test_chunked_bodies_and_bodies_without_length_pass(self):
        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=1\r\n world\r\n0\r\n\r\n"
        until_closed = b"HTTP/1.1 200 OK\r\n\r\nhello world"
        for answer in (chunked, until_closed):
            with socket.create_server(("127.0.0.1", 0)) as listener:

                def serve(listener=listener, answer=answer):
                    connection, _ = listener.accept()
                    with connection:
                        connection.recv(1 << 16)
                        connection.sendall(answer)

                threading.Thread(target=serve, daemon=True).start()
                with proxy.running(f"127.0.0.1:{listener.getsockname()[1]}") as between:
                    self.assertEqual(self.client(between).get("x").body, b"hello world")

    def test_each_request_is_delayed(self):
        client = self.client(self.start(delay_ms=50))
        started = time.monotonic()
        for _ in range(5):
            client.get(OBJECTS[0], 0, 10)
        self.assertGreaterEqual(time.monotonic() - started, 0.25)

    def test_connections_share_the_bandwidth(self):
        between = self.start(bytes_per_second=8e6)
        clients = [self.client(between, 20) for _ in OBJECTS]
        jobs = [
            threading.Thread(target=client.get, args=(path,)) for client, path in zip(clients, OBJECTS, strict=True)
        ]
        started = time.monotonic()
        for job in jobs:
            job.start()
        for job in jobs:
            job.join()
        seconds = time.monotonic() - started
        # A twentieth of a second's bytes may pass at once.
        self.assertGreaterEqual(seconds, len(BODY) * len(jobs) / 8e6 - 0.06)
        self.assertLess(seconds, 2)

    def test_cut_resets_the_connection_where_it_says(self):
        between = self.start(cut="every=3,after=100000")
        client = self.client(between)
        outcomes = []
        for path in [*OBJECTS, *OBJECTS[:2]]:
            received, error = self.read_broken(client, path)
            # A reset may throw away what the client has not read.
            self.assertEqual(received, BODY[: len(received)])
            outcomes.append(error)
            if error:
                self.assertLessEqual(len(received), 100_000)
        self.assertEqual([error is None for error in outcomes], [True, True, False] * 2)
        self.assertIsInstance(outcomes[2], ConnectionResetError)
        self.assertEqual(between.command()["faults"], {"cut": 2})

    def test_truncate_sends_less_than_it_has_promised(self):
        between = self.start(truncate="times=1")
        client = self.client(between)
        received, error = self.read_broken(client, OBJECTS[0])
        self.assertEqual(received, BODY[: len(BODY) // 2])
        self.assertIsInstance(error, http.client.IncompleteRead)
        self.assertEqual(self.read_broken(client, OBJECTS[0]), (BODY, None))

    def test_flip_changes_one_byte_the_first_time_for_each_object(self):
        between = self.start(flip="first,after=70000")
        client = self.client(between)
        for path in OBJECTS[:2]:
            changed = client.get(path).body
            self.assertEqual([i for i in range(len(BODY)) if changed[i] != BODY[i]], [70_000])
            self.assertEqual(client.get(path).body, BODY)
        between.set(flip="always")
        for _ in range(2):
            self.assertNotEqual(client.get(OBJECTS[0]).body, BODY)
        between.set(flip=None)
        self.assertEqual(client.get(OBJECTS[0]).body, BODY)

    def test_a_fault_behind_the_end_comes_at_the_last_byte(self):
        client = self.client(self.start(flip="always,after=1000000000"))
        self.assertEqual(client.get(OBJECTS[0], 0, 10).body, BODY[:9] + bytes([BODY[9] ^ 1]))

    def test_stall_ends_with_the_clients_patience_or_with_the_setting(self):
        between = self.start(stall="after=1000")
        with self.assertRaises(TimeoutError):
            self.client(between, 0.3).get(OBJECTS[0])
        found = []
        client = self.client(between)
        job = threading.Thread(target=lambda: found.append(client.get(OBJECTS[1]).body))
        job.start()
        time.sleep(0.3)
        self.assertEqual(found, [])
        between.set(stall=None)
        job.join(5)
        self.assertEqual(found, [BODY])

    def test_connections_are_refused_for_a_time(self):
        between = self.start()
        client = self.client(between)
        client.get(OBJECTS[0])
        between.command(refuse=0.5)
        time.sleep(0.2)
        with self.assertRaises((ConnectionError, http.client.HTTPException)):
            client.get(OBJECTS[0])
        with self.assertRaises(ConnectionRefusedError):
            client.get(OBJECTS[0])
        time.sleep(0.6)
        self.assertEqual(client.get(OBJECTS[0]).body, BODY)
        between.command(refuse=60)
        time.sleep(0.2)
        between.command(refuse=0)
        self.assertEqual(self.client(between).get(OBJECTS[0]).body, BODY)

    def test_errors_are_answered_for_a_time(self):
        between = self.start(status="code=503,for=0.5")
        client = self.client(between)
        answer = client.get(OBJECTS[0])
        self.assertEqual(answer.status, 503)
        self.assertIn(b"SlowDown", answer.body)
        self.assertEqual(client.request("PUT", "objects/x", body=BODY).status, 503)
        time.sleep(0.6)
        self.assertEqual(client.get(OBJECTS[0]).body, BODY)
        between.set(status="code=500,every=2", match="objects/1")
        statuses = [client.get(path).status for path in (*OBJECTS[:2], *OBJECTS[:2])]
        self.assertEqual(statuses, [200, 200, 200, 500])
        self.assertEqual(between.command()["connections"], 1)

    def test_whole_ignores_the_range(self):
        client = self.client(self.start(whole="times=1"))
        answer = client.get(OBJECTS[0], 5, 10)
        self.assertEqual((answer.status, answer.body), (200, BODY))
        answer = client.get(OBJECTS[0], 5, 10)
        self.assertEqual((answer.status, answer.body), (206, BODY[5:10]))

    def test_a_server_that_is_gone_is_a_reset(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            address = f"127.0.0.1:{listener.getsockname()[1]}"
        with proxy.running(address) as between, self.assertRaises((ConnectionError, http.client.HTTPException)):
            self.client(between).get("x")

    def test_wrong_commands_are_errors_and_change_nothing(self):
        between = self.start()
        for wrong in ({"flip": "sometimes"}, {"flap": "always"}, {"delay_ms": "x"}):
            with self.assertRaises(ValueError):
                between.set(**wrong)
        self.assertEqual(self.client(between).get(OBJECTS[0]).body, BODY)


class Signature(unittest.TestCase):
    """The signature against the example of Amazon's documentation."""

    def test_the_documented_example_has_its_signature(self):
        headers = {"host": "examplebucket.s3.amazonaws.com", "range": "bytes=0-9"}
        keys = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
        empty = hashlib.sha256(b"").hexdigest()
        signed = s3.sign("GET", "/test.txt", headers, empty, keys, now="20130524T000000Z")
        expected = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        self.assertTrue(signed["authorization"].endswith(expected), signed)


if __name__ == "__main__":
    unittest.main()
