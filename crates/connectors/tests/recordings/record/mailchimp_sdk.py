"""Mailchimp Marketing: members of a list alone and in batches, and what is said of them."""

import hashlib
import json
import os

from mailchimp_marketing import Client

from case import base, person, record

client = Client({"api_key": os.environ["MAILCHIMP_API_KEY"], "server": "us21"})
# It puts the data centre wherever `server` stands in a URL, so that no host may be named so.
client.api_client.host = base("mailchimp") + "/3.0"
listed = "a1b2c3d4e5"
ann = hashlib.md5(b"ann@example.com").hexdigest()


def call(name, discloses, make):
    record("mailchimp-marketing", name, discloses, make)


call(
    "member-add",
    [person("email:zoe@example.com", "email,name,ip", listed)],
    lambda: client.lists.add_list_member(
        listed,
        {
            "email_address": "zoe@example.com",
            "status": "subscribed",
            "merge_fields": {"FNAME": "Zoë", "LNAME": "Ünal"},
            "ip_signup": "192.0.2.18",
        },
    ),
)
call(
    "member-set",
    [person(["email:ann@example.com", f"user-id:md5:{ann}"], "email,custom", listed)],
    lambda: client.lists.set_list_member(
        listed,
        ann,
        {
            "email_address": "ann@example.com",
            "status_if_new": "subscribed",
            "merge_fields": {"PLAN": "gold"},
        },
    ),
)
call(
    "members-batch",
    [
        person("email:ann@example.com", "email", listed),
        person("email:bob@example.com", "email", listed),
    ],
    lambda: client.lists.batch_list_members(
        listed,
        {
            "members": [
                {"email_address": "ann@example.com", "status": "subscribed"},
                {"email_address": "bob@example.com", "status": "subscribed"},
            ]
        },
    ),
)
call(
    "batches",
    [person("email:ann@example.com", "email", listed)],
    lambda: client.batches.start(
        {
            "operations": [
                {
                    "method": "POST",
                    "path": f"/lists/{listed}/members",
                    "body": json.dumps({"email_address": "ann@example.com", "status": "pending"}),
                }
            ]
        }
    ),
)
call(
    "member-note",
    [person(f"user-id:md5:{ann}", "email,content", listed)],
    lambda: client.lists.create_list_member_note(listed, ann, {"note": "Called about order 17."}),
)
