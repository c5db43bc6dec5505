"""Sends one mail with Python's own smtplib and prints what it learnt, as JSON."""

import email.policy
import json
import os
import smtplib
import ssl
from email.message import EmailMessage

message = EmailMessage()
message["From"] = "Shop <shop@shop.example>"
message["To"] = "Ann Lee <ann@example.com>, bob@example.com"
message["Subject"] = "Your receipt"
message["X-Cordon-Purpose"] = "receipts"
message.set_content("Thank you, Ann.")
message.add_alternative("<p>Thank you, Ann.</p>", subtype="html")
message.add_attachment(b"%PDF-1.4", maintype="application", subtype="pdf", filename="receipt.pdf")
to = ["ann@example.com", "bob@example.com", "eve@example.com"]

trusted = ssl.create_default_context(cafile=os.environ["CORDON_SMTP_CA"])
try:
    with smtplib.SMTP("localhost", int(os.environ["CORDON_SMTP_PORT"])) as smtp:
        smtp.starttls(context=trusted)
        smtp.login("apikey", os.environ["SENDGRID_API_KEY"])
        smtp.ehlo_or_helo_if_needed()
        smtp.mail("shop@shop.example")
        refused = [reply for reply in map(smtp.rcpt, to) if reply[0] >= 400]
        code, reply = refused[0] if refused else smtp.data(message.as_bytes(policy=email.policy.SMTP))
        said = {"reply": f"{code} {reply.decode()}"}
        said |= {"accepted": len(to)} if code == 250 else {"code": code}
except smtplib.SMTPResponseException as error:
    said = {"code": error.smtp_code, "reply": f"{error.smtp_code} {error.smtp_error.decode()}"}
print(json.dumps(said))
