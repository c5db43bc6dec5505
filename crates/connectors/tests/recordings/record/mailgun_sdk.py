"""Mailgun: messages, mailing lists, suppressions. This SDK sends messages as a form, and as multipart
where there are files."""

import json
import os

from mailgun.client import Client

from case import base, person, record

client = Client(auth=("api", os.environ["MAILGUN_API_KEY"]), api_url=base("mailgun"))
domain = "mg.shop.example"
news = "news@mg.shop.example"
text = {
    "from": "The shop <shop@shop.example>",
    "subject": "Your receipt",
    "text": "Thank you.",
    "html": "<p>Thank you.</p>",
}


def call(name, discloses, make):
    record("mailgun", name, discloses, make)


call(
    "message-one",
    [
        person("email:ann@example.com", "email,name,content,custom"),
        person("email:zoe@example.com", "email,name,content,custom"),
        person("email:bob@example.com", "email,content,custom"),
    ],
    lambda: client.messages.create(
        domain=domain,
        data=text
        | {
            "to": ["Ann Lee <ann@example.com>", "Zoë Ünal <zoe@example.com>"],
            "cc": "bob@example.com",
            "h:Reply-To": "help@shop.example",
            "v:customer": "4711",
            "o:tag": ["receipts", "shop"],
            "o:testmode": True,
        },
    ),
)
call(
    "message-recipient-variables",
    [
        person("email:ann@example.com", "email,content"),
        person("email:bob@example.com", "email,content"),
    ],
    lambda: client.messages.create(
        domain=domain,
        data=text
        | {
            "to": "ann@example.com, bob@example.com",
            "recipient-variables": json.dumps(
                {"ann@example.com": {"first": "Ann"}, "bob@example.com": {"first": "Bob"}}
            ),
        },
    ),
)
call(
    "message-attachment",
    [person("email:ann@example.com", "email,name,content,attachment")],
    lambda: client.messages.create(
        domain=domain,
        data=text | {"to": "Ann <ann@example.com>"},
        files=[
            ("attachment", ("reçu.pdf", b"%PDF-1.4 \x00\xff receipt")),
            ("inline", ("logo.gif", b"GIF89a")),
        ],
    ),
)
call(
    "message-mime",
    [person("email:ann@example.com", "email,content")],
    lambda: client.mimemessage.create(
        domain=domain,
        data={"to": "ann@example.com"},
        files={
            "message": (
                "message.mime",
                b"From: shop@shop.example\r\nTo: ann@example.com\r\nSubject: Your receipt\r\n\r\n"
                b"Thank you.\r\n",
            )
        },
    ),
)
call(
    "member-add",
    [person("email:ann@example.com", "email,name,custom", news)],
    lambda: client.lists_members.create(
        domain=domain,
        address=news,
        data={"address": "Ann Lee <ann@example.com>", "vars": '{"age": 26}', "upsert": True},
    ),
)
call(
    "members-add",
    [
        person("email:ann@example.com", "email,name,custom", news),
        person("email:bob@example.com", "email", news),
    ],
    lambda: client.lists_members.create(
        domain=domain,
        address=news,
        multiple=True,
        data={
            "upsert": True,
            "members": json.dumps(
                [
                    {"address": "ann@example.com", "name": "Ann Lee", "vars": {"age": 26}},
                    "bob@example.com",
                ]
            ),
        },
    ),
)
call(
    "member-update",
    [person("email:ann@example.com", "email,name", news)],
    lambda: client.lists_members.put(
        domain=domain, address=news, member_address="ann@example.com", data={"name": "Ann Leigh"}
    ),
)
call(
    "bounces-add",
    [person("email:ann@example.com", "email")],
    lambda: client.bounces.create(
        domain=domain, data={"address": "ann@example.com", "code": 550, "error": "no such user"}
    ),
)
call(
    "unsubscribes-add",
    [person("email:ann@example.com", "email"), person("email:bob@example.com", "email")],
    lambda: client.unsubscribes.create(
        domain=domain,
        data=json.dumps(
            [{"address": "ann@example.com", "tags": ["news"]}, {"address": "bob@example.com"}]
        ),
        headers={"Content-type": "application/json"},
    ),
)
call(
    "complaint-remove",
    [person("email:ann@example.com", "email")],
    lambda: client.complaints.delete(domain=domain, complaint_address="ann@example.com"),
)
call(
    "address-validate",
    [person("email:ann@example.com", "email")],
    lambda: client.addressvalidate.get(filters={"address": "ann@example.com"}),
)
