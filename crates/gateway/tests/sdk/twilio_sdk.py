"""Sends one text message with the unmodified official SDK and prints what it learnt, as JSON."""

import json
import os

from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

client = Client(os.environ["TWILIO_ACCOUNT_SID"], os.environ["TWILIO_AUTH_TOKEN"])
if "CORDON_GATEWAY" in os.environ:  # without it, a proxy leads there
    client.api.base_url = os.environ["CORDON_GATEWAY"] + "/v/twilio"

try:
    message = client.messages.create(
        to="+4930123456", from_="+15005550006", body="Your code is 123456"
    )
    said = {"sid": message.sid}
except TwilioRestException as error:
    said = {"status": error.status, "message": error.msg}
print(json.dumps(said))
