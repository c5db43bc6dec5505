"""Klaviyo: profiles, subscriptions, events."""

import os

from klaviyo_api import KlaviyoAPI

from case import base, person, record

client = KlaviyoAPI(os.environ["KLAVIYO_API_KEY"], max_retries=0, test_host=base("klaviyo"))


def call(name, discloses, make):
    record("klaviyo-api", name, discloses, make)


call(
    "profile-create",
    [
        person(
            ["email:zoe@example.com", "phone:+15550100125"],
            "email,phone,name,address,location,custom",
        )
    ],
    lambda: client.Profiles.create_profile(
        {
            "data": {
                "type": "profile",
                "attributes": {
                    "email": "zoe@example.com",
                    "phone_number": "+15550100125",
                    "first_name": "Zoë",
                    "last_name": "Ünal",
                    "location": {"zip": "34000", "country": "TR"},
                    "properties": {"plan": "gold"},
                },
            }
        }
    ),
)
call(
    "profiles-subscribe",
    [person("email:ann@example.com", "email", "Y6nRLr")],
    lambda: client.Profiles.bulk_subscribe_profiles(
        {
            "data": {
                "type": "profile-subscription-bulk-create-job",
                "attributes": {
                    "profiles": {
                        "data": [
                            {
                                "type": "profile",
                                "attributes": {
                                    "email": "ann@example.com",
                                    "subscriptions": {
                                        "email": {"marketing": {"consent": "SUBSCRIBED"}}
                                    },
                                },
                            }
                        ]
                    }
                },
                "relationships": {"list": {"data": {"type": "list", "id": "Y6nRLr"}}},
            }
        }
    ),
)
call(
    "event-create",
    [person("email:ann@example.com", "email,activity")],
    lambda: client.Events.create_event(
        {
            "data": {
                "type": "event",
                "attributes": {
                    "properties": {"order": "17"},
                    "metric": {"data": {"type": "metric", "attributes": {"name": "Placed Order"}}},
                    "profile": {
                        "data": {"type": "profile", "attributes": {"email": "ann@example.com"}}
                    },
                },
            }
        }
    ),
)
