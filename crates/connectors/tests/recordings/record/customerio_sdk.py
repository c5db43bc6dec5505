"""Customer.io: its Track API and its App API, which have hosts and credentials of their own."""

import os

from customerio import APIClient, CustomerIO, SendEmailRequest

from case import base, person, record

track = CustomerIO(os.environ["CUSTOMERIO_SITE_ID"], os.environ["CUSTOMERIO_API_KEY"], retries=0)
# `host` would always be spoken to by TLS.
track.base_url = base("customerio") + "/api/v1"
app = APIClient(os.environ["CUSTOMERIO_APP_API_KEY"], url=base("customerio"), retries=0)


def call(name, discloses, make):
    record("customerio", name, discloses, make)


call(
    "identify",
    [person(["user-id:4714", "email:zoe@example.com"], "email,name,username,custom")],
    lambda: track.identify("4714", email="zoe@example.com", first_name="Zoë", plan="gold"),
)
call(
    "track",
    [person("email:ann+news@example.com", "email,activity")],
    lambda: track.track("ann+news@example.com", "bought", {"order": 17}),
)
call(
    "track-anonymous",
    [person("user-id:anonymous:a-9f8e7d", "username,activity")],
    lambda: track.track_anonymous("a-9f8e7d", "viewed", {"path": "/"}),
)
call(
    "device-add",
    [person("user-id:4711", "username,activity")],
    lambda: track.add_device("4711", "d7e1f0a9b8c7", "android", last_used=1767225600),
)
request = SendEmailRequest(
    to="ann@example.com",
    identifiers={"id": 4711},
    transactional_message_id="receipt",
    message_data={"first": "Ann"},
)
request.attach("receipt.txt", b"17 paid")
call(
    "send-email",
    [person(["user-id:4711", "email:ann@example.com"], "email,username,content,attachment")],
    lambda: app.send_email(request),
)
