"""Sends one message with the unmodified official SDK and prints what it learnt, as JSON."""

import json
import os

from python_http_client.exceptions import HTTPError
from sendgrid import SendGridAPIClient
from sendgrid.helpers.mail import Mail, To

# Without a gateway to point at, a proxy leads there.
gateway = os.environ.get("CORDON_GATEWAY")
base = {"host": gateway + "/v/sendgrid"} if gateway else {}
client = SendGridAPIClient(api_key=os.environ["SENDGRID_API_KEY"], **base)
client.client.request_headers["X-Cordon-Purpose"] = "receipts"

message = Mail(
    from_email="shop@shop.example",
    to_emails=To("ann@example.com", "Ann Lee"),
    subject="Your receipt",
    plain_text_content="Thank you, Ann.",
    html_content="<p>Thank you, Ann.</p>",
)

try:
    response = client.send(message)
    said = {"status": response.status_code, "outcome": response.headers["X-Cordon-Outcome"]}
except HTTPError as error:
    said = {
        "status": error.status_code,
        "outcome": error.headers["X-Cordon-Outcome"],
        "code": error.headers["X-Cordon-Code"],
        "message": json.loads(error.body)["errors"][0]["message"],
    }
print(json.dumps(said))
