"""SendGrid: mail, marketing contacts, suppressions."""

import base64
import os

from sendgrid import SendGridAPIClient
from sendgrid.helpers.mail import (
    Attachment,
    Bcc,
    Category,
    Cc,
    CustomArg,
    Disposition,
    FileContent,
    FileName,
    FileType,
    From,
    Header,
    Mail,
    Personalization,
    Substitution,
    To,
)

from case import base, person, record

client = SendGridAPIClient(api_key=os.environ["SENDGRID_API_KEY"], host=base("sendgrid"))
api = client.client
sender = From("shop@shop.example", "The shop")
text = {
    "from_email": sender,
    "subject": "Your receipt",
    "plain_text_content": "Thank you.",
    "html_content": "<p>Thank you.</p>",
}


def send(name, discloses, message):
    record("sendgrid", name, discloses, lambda: client.send(message))


def call(name, discloses, request):
    record("sendgrid", name, discloses, request)


message = Mail(to_emails=To("ann@example.com", "Ann Lee"), **text)
message.add_cc(Cc("bob@example.com"))
message.add_bcc(Bcc("cyd@example.com", "Cyd Charisse"))
message.reply_to = "help@shop.example"
send(
    "mail-one",
    [
        person("email:ann@example.com", "email,name,content"),
        person("email:bob@example.com", "email,content"),
        person("email:cyd@example.com", "email,name,content"),
    ],
    message,
)

# Each recipient in a personalization of its own, with what is written for it alone.
send(
    "mail-each-alone",
    [
        person("email:ann@example.com", "email,name,content"),
        person("email:zoe@example.com", "email,name,content"),
    ],
    Mail(
        to_emails=[
            To("ann@example.com", "Ann", subject="Ann, hello"),
            To("zoe@example.com", "Zoë Ünal", substitutions=[Substitution("-name-", "Zoë")]),
        ],
        is_multiple=True,
        **text,
    ),
)

message = Mail(from_email=sender)
message.template_id = "d-0123456789abcdef0123456789abcdef"
for address, name, data in [
    ("ann@example.com", "李安", {"first": "安", "orders": [{"id": 17}]}),
    ("bob@example.com", None, {"first": "Bob"}),
]:
    own = Personalization()
    own.add_to(To(address, name))
    own.dynamic_template_data = data
    own.add_custom_arg(CustomArg("customer", "4711"))
    message.add_personalization(own)
send(
    "mail-template",
    [
        person("email:ann@example.com", "email,name,content,custom"),
        person("email:bob@example.com", "email,content,custom"),
    ],
    message,
)

message = Mail(to_emails=["ann@example.com", "bob@example.com"], **text)
message.attachment = Attachment(
    FileContent(base64.b64encode(b"%PDF-1.4 receipt").decode()),
    FileName("receipt.pdf"),
    FileType("application/pdf"),
    Disposition("attachment"),
)
message.add_category(Category("receipts"))
message.add_custom_arg(CustomArg("note", "bob@example.com"))
message.add_header(Header("X-Order", "17"))
send(
    "mail-attachment",
    [
        person("email:ann@example.com", "email,content,attachment,custom"),
        person("email:bob@example.com", "email,content,attachment,custom"),
    ],
    message,
)

listed = "3f8a7b1c-9d2e-4f5a-8b6c-7d8e9f0a1b2c"
call(
    "contacts-upsert",
    [person(["email:zoe@example.com", "phone:+15550100124"], "email,phone,name,location,custom", listed)],
    lambda: api.marketing.contacts.put(
        request_body={
            "list_ids": [listed],
            "contacts": [
                {
                    "email": "zoe@example.com",
                    "phone_number_id": "+1 (555) 010-0124",
                    "first_name": "Zoë",
                    "last_name": "Ünal",
                    "country": "TR",
                    "custom_fields": {"e1_T": "see ann@example.com"},
                }
            ],
        }
    ),
)
call(
    "suppressions-group-add",
    [person("email:ann@example.com", "email", "42")],
    lambda: api.asm.groups._(42).suppressions.post(
        request_body={"recipient_emails": ["ann@example.com"]}
    ),
)
call(
    "suppressions-global-look-up",
    [person("email:ann@example.com", "email")],
    lambda: api.asm.suppressions._("global")._("ann@example.com").get(),
)
call(
    "suppressions-spam-report-remove",
    [person("email:ann@example.com", "email")],
    lambda: api.suppression.spam_reports._("ann@example.com").delete(),
)
