"""Amazon SES, version 2: mail, contacts, suppressions."""

import json

import boto3
from botocore.config import Config

from case import base, person, record

client = boto3.client(
    "sesv2",
    region_name="eu-west-1",
    endpoint_url=base("ses"),
    config=Config(retries={"max_attempts": 0}),
)
sender = "The shop <shop@shop.example>"


def call(name, discloses, make):
    record("boto3", name, discloses, make)


call(
    "email-simple",
    [
        person("email:ann@example.com", "email,name,content,custom"),
        person("email:bob@example.com", "email,content,custom"),
    ],
    lambda: client.send_email(
        FromEmailAddress=sender,
        Destination={"ToAddresses": ["Ann <ann@example.com>"], "BccAddresses": ["bob@example.com"]},
        Content={
            "Simple": {
                "Subject": {"Data": "Reçu"},
                "Body": {"Text": {"Data": "Thank you."}, "Html": {"Data": "<p>Thank you.</p>"}},
            }
        },
        EmailTags=[{"Name": "customer", "Value": "4711"}],
    ),
)
call(
    "email-raw",
    [
        person("email:ann@example.com", "email,content,attachment"),
        person("email:bob@example.com", "email,content,attachment"),
    ],
    lambda: client.send_email(
        Content={
            "Raw": {
                "Data": b"From: shop@shop.example\r\n"
                b"To: ann@example.com\r\n"
                b"Cc: friends: bob@example.com;\r\n"
                b"Subject: Your receipt\r\n"
                b"MIME-Version: 1.0\r\n"
                b"Content-Type: application/pdf\r\n"
                b"Content-Disposition: attachment; filename=receipt.pdf\r\n"
                b"Content-Transfer-Encoding: base64\r\n\r\n"
                b"JVBERi0xLjQ=\r\n"
            }
        },
    ),
)
call(
    "email-bulk",
    [
        person("email:ann@example.com", "email,content"),
        person("email:zoe@example.com", "email,content"),
    ],
    lambda: client.send_bulk_email(
        FromEmailAddress=sender,
        DefaultContent={"Template": {"TemplateName": "receipt", "TemplateData": "{}"}},
        BulkEmailEntries=[
            {
                "Destination": {"ToAddresses": [address]},
                "ReplacementEmailContent": {
                    "ReplacementTemplate": {"ReplacementTemplateData": json.dumps({"name": name})}
                },
            }
            for address, name in [("ann@example.com", "Ann"), ("zoe@example.com", "Zoë")]
        ],
    ),
)
call(
    "contact-create",
    [person("email:ann@example.com", "email,custom", "news")],
    lambda: client.create_contact(
        ContactListName="news",
        EmailAddress="ann@example.com",
        AttributesData=json.dumps({"friend": "bob@example.com"}),
    ),
)
call(
    "suppression-add",
    [person("email:ann@example.com", "email")],
    lambda: client.put_suppressed_destination(EmailAddress="ann@example.com", Reason="BOUNCE"),
)
call(
    "suppression-remove",
    [person("email:ann+news@example.com", "email")],
    lambda: client.delete_suppressed_destination(EmailAddress="ann+news@example.com"),
)
