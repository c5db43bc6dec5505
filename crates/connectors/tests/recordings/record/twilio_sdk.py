"""Twilio: messages, Verify, Lookups. Each product has a base URL of its own."""

import os

from twilio.rest import Client

from case import base, person, record

client = Client(os.environ["TWILIO_ACCOUNT_SID"], os.environ["TWILIO_AUTH_TOKEN"])
for product in (client.api, client.verify, client.lookups):
    product.base_url = base("twilio")
service = client.verify.v2.services("VA0123456789abcdef0123456789abcdef")


def call(name, discloses, make):
    record("twilio", name, discloses, make)


call(
    "message-one",
    [person("phone:+15550100123", "phone,content,attachment")],
    lambda: client.messages.create(
        to="+15550100123",
        from_="+15005550006",
        body="Grüße & 100 %",
        media_url=["https://cdn.shop.example/r/17.png"],
        persistent_action=["geo:40.7,-74.0|The shop"],
    ),
)
call(
    "verification-start",
    [person("phone:+15550100123", "phone")],
    lambda: service.verifications.create(to="+15550100123", channel="call"),
)
call(
    "verification-check",
    [person("phone:+15550100123", "phone,password")],
    lambda: service.verification_checks.create(to="+15550100123", code="123456"),
)
call(
    "lookup-identity",
    [person("phone:+15550100123", "phone,name,location")],
    lambda: client.lookups.v2.phone_numbers("+15550100123").fetch(
        fields="identity_match", first_name="Zoë", last_name="Ünal", address_country_code="TR"
    ),
)
