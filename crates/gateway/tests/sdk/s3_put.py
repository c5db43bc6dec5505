"""Puts a table with the unmodified boto3 and prints what it learnt, as JSON."""

import json
import os

import boto3
from botocore.config import Config

client = boto3.client(
    "s3",
    region_name="us-east-1",
    endpoint_url=os.environ["CORDON_VENDOR"],
    config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0}),
)


def declare(request, **_):
    request.headers["X-Cordon-Fields"] = "email,name"


sent = {}
client.meta.events.register("before-sign.s3.PutObject", declare)
client.meta.events.register("before-send.s3.PutObject", lambda request, **_: sent.update(request.headers))
table = b"email,name\r\nann@example.com,Ann Lee\r\nbob@example.com,Bob\r\n"
try:
    client.put_object(Bucket="acme-exports", Key="people.csv", Body=table, ContentType="text/csv")
    print(json.dumps({"ok": True, "encoding": sent["Content-Encoding"].decode()}))
except Exception as error:
    print(json.dumps({"ok": False, "message": str(error)}))
