"""Mailchimp Transactional, which was Mandrill: messages, rejects. The key is in the body, and this SDK
puts `.json` behind each path."""

import os

from mailchimp_transactional import Client

from case import base, person, record

client = Client(os.environ["MANDRILL_API_KEY"])
client.api_client.host = base("mandrill") + "/api/1.3"


def call(name, discloses, make):
    record("mailchimp-transactional", name, discloses, make)


call(
    "send-one",
    [
        person("email:ann@example.com", "email,name,content,custom"),
        person("email:zoe@example.com", "email,name,content"),
    ],
    lambda: client.messages.send(
        {
            "message": {
                "from_email": "shop@shop.example",
                "subject": "Reçu",
                "text": "Thank you.",
                "to": [
                    {"email": "ann@example.com", "name": "Ann Lee"},
                    {"email": "zoe@example.com", "name": "Zoë Ünal"},
                ],
                "merge_vars": [
                    {"rcpt": "zoe@example.com", "vars": [{"name": "first", "content": "Zoë"}]}
                ],
                "recipient_metadata": [{"rcpt": "ann@example.com", "values": {"customer": 4711}}],
            }
        }
    ),
)
call(
    "send-template",
    [person("email:ann@example.com", "email,content")],
    lambda: client.messages.send_template(
        {
            "template_name": "receipt",
            "template_content": [],
            "message": {
                "to": [{"email": "ann@example.com"}],
                "merge_vars": [
                    {"rcpt": "ann@example.com", "vars": [{"name": "first", "content": "Ann"}]}
                ],
            },
        }
    ),
)
call(
    "rejects-add",
    [person("email:ann@example.com", "email")],
    lambda: client.rejects.add({"email": "ann@example.com"}),
)
