"""Zendesk: tickets, users. The SDK is the community's; Zendesk has none."""

import os

import requests
from zenpy import Zenpy
from zenpy.lib.api_objects import Comment, Ticket, User

from case import base, person, record, reroute

session = requests.Session()
# It takes a domain and no base URL, and always speaks TLS.
reroute(session, "https://acme.zendesk.com", base("zendesk"))
client = Zenpy(
    subdomain="acme",
    email=os.environ["ZENDESK_USER"].removesuffix("/token"),
    token=os.environ["ZENDESK_TOKEN"],
    session=session,
)


def call(name, discloses, make):
    record("zenpy", name, discloses, make)


call(
    "ticket-create",
    [person("email:zoe@example.com", "email,name,content")],
    lambda: client.tickets.create(
        Ticket(
            subject="Où est ma commande ?",
            comment=Comment(body="Order 17."),
            requester=User(name="Zoë Ünal", email="zoe@example.com"),
        )
    ),
)
call(
    "user-create-or-update",
    [person(["email:ann@example.com", "user-id:4711"], "email,name,username")],
    lambda: client.users.create_or_update(
        User(name="Ann Lee", email="ann@example.com", external_id="4711")
    ),
)
call(
    "users-create-many",
    [person("email:ann@example.com", "email,name"), person("email:bob@example.com", "email,name")],
    lambda: client.users.create(
        [User(name="Ann", email="ann@example.com"), User(name="Bob", email="bob@example.com")]
    ),
)
call(
    "search",
    [person("email:ann@example.com", "email")],
    lambda: list(client.search("ann@example.com", type="user")),
)
