"""Amazon S3: objects that workloads put. What they hold is not in the request in a form that could be
read: the operator declares it by bucket and key."""

import io

import boto3
from botocore.config import Config

from case import base, record


def s3(**options):
    style = {"addressing_style": "path"}
    config = Config(s3=style, retries={"max_attempts": 0}, **options)
    return boto3.client("s3", region_name="eu-west-1", endpoint_url=base("s3"), config=config)


client = s3()
body = "email,name\r\nann@example.com,Ann Lee\r\n".encode()
at = {"Bucket": "acme-exports", "Key": "people/2026 01/ann+lee@example.com.csv"}


def call(name, make):
    record("boto3", name, [], make)


call("put", lambda: client.put_object(Body=body, Metadata={"owner": "4711"}, **at))
call("put-stream", lambda: client.put_object(Body=io.BytesIO(body), **at))
plain = s3(request_checksum_calculation="when_required")
call("put-plain", lambda: plain.put_object(Body=body, ContentType="text/csv", **at))
upload = {"UploadId": "VXBsb2FkIElEIGZvciA2aWWpbmcncyBteS1tb3ZpZS5tMnRzIHVwbG9hZA"}
call("multipart-create", lambda: client.create_multipart_upload(**at))
call("multipart-part", lambda: client.upload_part(PartNumber=1, Body=body, **at, **upload))
