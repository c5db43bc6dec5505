"""Resend: mail alone and in batches, contacts."""

import os

import resend

from case import base, person, record

resend.api_key = os.environ["RESEND_API_KEY"]
resend.api_url = base("resend")
text = {
    "from": "The shop <shop@shop.example>",
    "subject": "Your receipt",
    "html": "<p>Thank you.</p>",
}
segment = "78261eea-8f8b-4381-83c6-79fa7120f1cf"


def call(name, discloses, make):
    record("resend", name, discloses, make)


call(
    "email-one",
    [
        person("email:ann@example.com", "email,name,content,attachment,custom"),
        person("email:bob@example.com", "email,content,attachment,custom"),
    ],
    lambda: resend.Emails.send(
        text
        | {
            "to": "Ann Lee <ann@example.com>",
            "bcc": ["bob@example.com"],
            "reply_to": "help@shop.example",
            "attachments": [{"filename": "reçu.txt", "content": list(b"17 paid")}],
            "tags": [{"name": "customer", "value": "4711"}],
        },
        {"idempotency_key": "receipt-17"},
    ),
)
call(
    "email-batch",
    [
        person("email:ann@example.com", "email,content"),
        person("email:zoe@example.com", "email,name,content"),
    ],
    lambda: resend.Batch.send(
        [text | {"to": ["ann@example.com"]}, text | {"to": ["Zoë Ünal <zoe@example.com>"]}]
    ),
)
call(
    "contact-create",
    [person("email:ann@example.com", "email,name", segment)],
    lambda: resend.Contacts.create(
        {"audience_id": segment, "email": "ann@example.com", "first_name": "Ann"}
    ),
)
call(
    "contact-update",
    [person("email:ann@example.com", "email,name", segment)],
    lambda: resend.Contacts.update(
        {"audience_id": segment, "email": "ann@example.com", "last_name": "Leigh"}
    ),
)
