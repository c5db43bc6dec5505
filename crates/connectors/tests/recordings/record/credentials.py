"""A credential of each vendor, of the shape that the SDK and the vendor want, and good for nothing.
The names are those of the vendors' own documentation where they have one."""

CREDENTIALS = {
    "sendgrid": {"SENDGRID_API_KEY": "SG.AAAAAAAAAAAAAAAAAAAAAA." + "B" * 43},
    "mailgun": {"MAILGUN_API_KEY": "0123456789abcdef0123456789abcdef-01234567-89abcdef"},
    "postmark": {
        "POSTMARK_SERVER_TOKEN": "01234567-89ab-cdef-0123-456789abcdef",
        "POSTMARK_ACCOUNT_TOKEN": "fedcba98-7654-3210-fedc-ba9876543210",
    },
    "ses": {
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    },
    "mailchimp": {"MAILCHIMP_API_KEY": "0123456789abcdef0123456789abcdef-us21"},
    "mandrill": {"MANDRILL_API_KEY": "md-0123456789abcdefABCDEF"},
    "twilio": {"TWILIO_ACCOUNT_SID": "AC" + "a" * 32, "TWILIO_AUTH_TOKEN": "b" * 32},
    "resend": {"RESEND_API_KEY": "re_01234567_89abcdefABCDEF0123456789"},
    "segment": {"SEGMENT_WRITE_KEY": "0123456789abcdefABCDEF0123456789"},
    "klaviyo": {"KLAVIYO_API_KEY": "pk_0123456789abcdef0123456789abcdef01"},
    "customerio": {
        "CUSTOMERIO_SITE_ID": "0123456789abcdef0123",
        "CUSTOMERIO_API_KEY": "fedcba98765432100123",
        "CUSTOMERIO_APP_API_KEY": "0123456789abcdef0123456789abcdef",
    },
    "braze": {"BRAZE_API_KEY": "01234567-89ab-cdef-0123-456789abcdef"},
    "zendesk": {
        "ZENDESK_USER": "robot@shop.example/token",
        "ZENDESK_TOKEN": "0123456789abcdefABCDEF0123456789abcdefAB",
    },
    "s3": {
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    },
}
