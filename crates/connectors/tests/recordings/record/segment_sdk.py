"""Segment: everything goes in batches, with the write key in the body too."""

import os

from segment.analytics import Client

from case import base, person, record


def call(name, discloses, make, **options):
    def send():
        failed = []
        client = Client(
            os.environ["SEGMENT_WRITE_KEY"],
            host=base("segment"),
            on_error=lambda error, _: failed.append(error),
            max_retries=0,
            **options,
        )
        make(client)
        client.flush()
        client.join()
        for error in failed:
            raise error

    record("segment-analytics-python", name, discloses, send)


def identify(client):
    client.identify(
        "4714",
        {"email": "zoe@example.com", "name": "Zoë Ünal", "plan": "gold"},
        {"ip": "192.0.2.17"},
    )


zoe = person(["user-id:4714", "email:zoe@example.com"], "email,name,username,ip,custom")
call("identify", [zoe], identify)
call("identify-gzip", [zoe], identify, gzip=True)


def several(client):
    client.track("4711", "Order Completed", {"order_id": "17"})
    client.page(anonymous_id="a-9f8e7d", name="Home")
    client.group("4712", "acme", {"name": "Acme"})
    client.alias("17", "4713")


call(
    "batch",
    [
        person("user-id:4711", "username,activity"),
        person("user-id:anonymous:a-9f8e7d", "username,activity"),
        person("user-id:4712", "username,custom"),
        person(["user-id:17", "user-id:4713"], "username"),
    ],
    several,
)
