"""Postmark: messages alone, in batches and from templates."""

import os

from postmarker.core import PostmarkClient

from case import base, person, record, reroute

client = PostmarkClient(server_token=os.environ["POSTMARK_SERVER_TOKEN"])
# `root_api_url` would lose the path of a base URL.
reroute(client.session, "https://api.postmarkapp.com", base("postmark"))
text = {
    "From": "The shop <shop@shop.example>",
    "Subject": "Your receipt",
    "HtmlBody": "<p>Thank you.</p>",
    "TextBody": "Thank you.",
}


def call(name, discloses, make):
    record("postmarker", name, discloses, make)


call(
    "email-one",
    [
        person("email:ann@example.com", "email,name,content,attachment,custom"),
        person("email:bob@example.com", "email,content,attachment,custom"),
        person("email:cyd@example.com", "email,content,attachment,custom"),
    ],
    lambda: client.emails.send(
        To=["Ann Lee <ann@example.com>", "bob@example.com"],
        Bcc="cyd@example.com",
        Metadata={"customer": "4711"},
        Headers={"X-Order": "17"},
        Attachments=[("receipt.pdf", "JVBERi0xLjQ=", "application/pdf")],
        **text,
    ),
)
call(
    "email-batch",
    [
        person("email:ann@example.com", "email,content"),
        person("email:zoe@example.com", "email,name,content"),
    ],
    lambda: client.emails.send_batch(
        {"To": "ann@example.com", **text}, {"To": "Zoë Ünal <zoe@example.com>", **text}
    ),
)
call(
    "template-one",
    [person("email:ann@example.com", "email,content")],
    lambda: client.emails.send_with_template(
        TemplateId=1234,
        TemplateModel={"name": "Ann"},
        From=text["From"],
        To="ann@example.com",
    ),
)
