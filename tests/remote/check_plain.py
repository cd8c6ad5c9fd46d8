"""Checks of the S3 server of plain.py, without a package. Other servers are compared with it by `servers.py table`.

check_plain.py [-v]
"""

import concurrent.futures
import pathlib
import re
import tempfile
import unittest

import plain
import s3

BODY = bytes(range(256)) * 100


class Plain(unittest.TestCase):
    """A server with one empty bucket for each test."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.server = plain.Server(pathlib.Path(folder.name)).start()
        self.addCleanup(self.server.stop)
        self.client = s3.Client(self.server.endpoint)
        self.addCleanup(self.client.close)
        self.client.make_bucket("bucket")

    def test_ranges_are_answered_with_206_and_those_behind_the_end_with_416(self):
        self.client.put("bucket/a", BODY)
        for asked, expected in (
            ("bytes=5-9", BODY[5:10]),
            ("bytes=25000-", BODY[25000:]),
            ("bytes=-7", BODY[-7:]),
            ("bytes=25599-99999", BODY[-1:]),
        ):
            answer = self.client.request("GET", "bucket/a", headers={"range": asked})
            self.assertEqual((answer.status, answer.body), (206, expected), asked)
        answer = self.client.request("GET", "bucket/a", headers={"range": "bytes=25600-"})
        self.assertEqual((answer.status, answer.headers["content-range"]), (416, "bytes */25600"))

    def test_of_many_that_create_an_object_one_succeeds(self):
        def create(number: int) -> int:
            client = s3.Client(self.server.endpoint)
            body = b"%d" % number
            status = client.request("PUT", "bucket/once", body=body, headers={"if-none-match": "*"}).status
            client.close()
            return status

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            statuses = sorted(pool.map(create, range(16)))
        self.assertEqual(statuses, [200] + [412] * 15)

    def test_conditions_compare_the_etag_that_lists_and_heads_show(self):
        self.client.put("bucket/a", BODY)
        etag = self.client.request("HEAD", "bucket/a").headers["etag"]
        self.assertEqual(self.client.request("GET", "bucket/a", headers={"if-match": etag}).status, 200)
        self.assertEqual(self.client.request("GET", "bucket/a", headers={"if-none-match": etag}).status, 304)
        listed = self.client.request("GET", "bucket", query={"list-type": "2"}).body.decode()
        self.assertIn(f"<ETag>{etag}</ETag>", listed)
        self.client.put("bucket/a", BODY[1:])
        self.assertEqual(self.client.request("GET", "bucket/a", headers={"if-match": etag}).status, 412)

    def test_lists_have_pages_prefixes_and_folders(self):
        keys = [f"p{folder}/{number:04}" for folder in range(2) for number in range(700)] + ["top & bottom"]
        for key in keys:
            self.client.put(f"bucket/{key}", b"x")
        self.assertEqual(sorted(self.client.list("bucket")), sorted(keys))
        self.assertEqual(len(self.client.list("bucket", "p1/")), 700)
        answer = self.client.request("GET", "bucket", query={"list-type": "2", "delimiter": "/", "prefix": ""})
        self.assertEqual(re.findall(rb"<Prefix>([^<]+)</Prefix>", answer.body), [b"p0/", b"p1/"])
        self.assertIn(b"<Key>top &amp; bottom</Key>", answer.body)

    def test_an_upload_in_parts_appears_when_it_is_completed(self):
        begun = self.client.request("POST", "bucket/big", query={"uploads": ""})
        upload = re.search(rb"<UploadId>(\w+)<", begun.body).group(1).decode()
        for number in (2, 1):
            query = {"partNumber": str(number), "uploadId": upload}
            self.client.expect((200,), "PUT", "bucket/big", query=query, body=BODY + b"%d" % number)
        self.assertEqual(self.client.get("bucket/big").status, 404)
        self.assertEqual(self.client.list("bucket"), {})
        listed = (
            b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber></Part><Part><PartNumber>2</PartNumber></Part>"
        )
        self.client.expect((200,), "POST", "bucket/big", query={"uploadId": upload}, body=listed)
        self.assertEqual(self.client.get("bucket/big").body, BODY + b"1" + BODY + b"2")

    def test_objects_are_deleted_and_keys_stay_inside_the_folder(self):
        self.client.put("bucket/a b+c%", BODY)
        self.assertEqual(self.client.get("bucket/a b+c%").body, BODY)
        self.client.expect((204,), "DELETE", "bucket/a b+c%")
        self.assertEqual(self.client.get("bucket/a b+c%").status, 404)
        self.assertEqual(self.client.get("bucket/../../etc/passwd").status, 400)


if __name__ == "__main__":
    unittest.main()
