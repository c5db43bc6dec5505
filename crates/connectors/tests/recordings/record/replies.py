"""What each vendor answers, in the form that it documents: method, path, status, headers, body. A
body that is not text is JSON. The first row that fits holds."""

SENDGRID_JOB = {"job_id": "5b4b7a1c-0c3f-4f3e-9d1c-2a1b3c4d5e6f"}
SENDGRID_CONTACTS = {"result": [], "contact_count": 0, "_metadata": {"self": ""}}

MAILGUN_LIST = {
    "address": "news@mg.shop.example",
    "name": "News",
    "description": "What is new",
    "access_level": "readonly",
    "reply_preference": "list",
    "created_at": "Thu, 01 Jan 2026 00:00:00 -0000",
    "members_count": 3,
}
MAILGUN_MEMBER = {
    "address": "ann@example.com",
    "name": "Ann Lee",
    "subscribed": True,
    "vars": {"age": 26},
}

POSTMARK_SENT = {
    "To": "ann@example.com",
    "SubmittedAt": "2026-01-01T00:00:00.0000000Z",
    "MessageID": "0a129aee-e1cd-480d-b08d-4f48548ff48d",
    "ErrorCode": 0,
    "Message": "OK",
}
MAILCHIMP_MEMBER = {
    "id": "a1b2c3d4e5f60718293a4b5c6d7e8f90",
    "email_address": "ann@example.com",
    "unique_email_id": "0a1b2c3d4e",
    "status": "subscribed",
    "merge_fields": {"FNAME": "Ann", "LNAME": "Lee"},
    "list_id": "a1b2c3d4e5",
}
MANDRILL_SENT = [
    {
        "email": "ann@example.com",
        "status": "queued",
        "_id": "0123456789abcdef0123456789abcdef",
        "reject_reason": None,
        "queued_reason": None,
    }
]

TWILIO_MESSAGE = {
    "sid": "SM00000000000000000000000000000001",
    "account_sid": "AC" + "a" * 32,
    "api_version": "2010-04-01",
    "status": "queued",
    "to": "+15550100123",
    "from": "+15005550006",
    "body": "Your receipt",
    "direction": "outbound-api",
    "date_created": "Thu, 01 Jan 2026 00:00:00 +0000",
    "date_updated": "Thu, 01 Jan 2026 00:00:00 +0000",
    "date_sent": None,
    "error_code": None,
    "num_segments": "1",
    "num_media": "0",
    "uri": "/2010-04-01/Accounts/AC/Messages/SM00000000000000000000000000000001.json",
}
TWILIO_MESSAGES = {"messages": [TWILIO_MESSAGE], "page": 0, "page_size": 1, "next_page_uri": None}
TWILIO_VERIFICATION = {
    "sid": "VE00000000000000000000000000000001",
    "service_sid": "VA0123456789abcdef0123456789abcdef",
    "account_sid": "AC" + "a" * 32,
    "to": "+15550100123",
    "channel": "sms",
    "status": "pending",
    "valid": False,
    "date_created": "2026-01-01T00:00:00Z",
    "date_updated": "2026-01-01T00:00:00Z",
    "lookup": {},
    "send_code_attempts": [],
}
RESEND_CONTACT = {"object": "contact", "id": "479e3145-dd38-476b-932c-529ceb705947"}
KLAVIYO_TYPE = {"content-type": "application/vnd.api+json"}
KLAVIYO_PROFILE = {
    "data": {
        "type": "profile",
        "id": "01GDDKASAP8TKDDA2GRZDSVP4H",
        "attributes": {"email": "ann@example.com"},
        "links": {"self": "https://a.klaviyo.com/api/profiles/01GDDKASAP8TKDDA2GRZDSVP4H/"},
    }
}

ZENDESK_USER = {"user": {"id": 7654321, "name": "Ann Lee", "email": "ann@example.com"}}
ZENDESK_TICKET = {
    "ticket": {"id": 35436, "subject": "My order", "requester_id": 7654321, "status": "open"},
    "audit": {"id": 2127301143, "ticket_id": 35436, "author_id": 7654321, "events": []},
}
ZENDESK_JOB = {
    "job_status": {
        "id": "82de0b044094f0c67893ac9fe64f1a99",
        "status": "queued",
        "url": "https://acme.zendesk.com/api/v2/job_statuses/82de0b044094f0c67893ac9fe64f1a99.json",
    }
}
ZENDESK_IDENTITY = {
    "identity": {"id": 77136, "user_id": 7654321, "type": "email", "value": "ann.lee@example.org"}
}
ZENDESK_NONE = {
    "users": [],
    "results": [],
    "count": 0,
    "next_page": None,
    "previous_page": None,
}
S3_ETAG = '"b54357faf0632cce46e942fa68356b38"'
S3_TYPE = {"content-type": "application/xml"}
S3_UPLOAD = """<?xml version="1.0" encoding="UTF-8"?>
<InitiateMultipartUploadResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
<Bucket>acme-exports</Bucket><Key>people.csv</Key><UploadId>VXBsb2FkIElEIGZvciA2aWWpbmc</UploadId>
<ETag>"b54357faf0632cce46e942fa68356b38-1"</ETag>
</InitiateMultipartUploadResult>"""

REPLIES = {
    "sendgrid": [
        ("POST", "/v3/mail/send", 202, {"x-message-id": "14c5d75ce93.dfd.64b469"}, ""),
        ("POST", "/v3/mail/batch", 201, {}, {"batch_id": "YOUR_BATCH_ID"}),
        ("PUT", "/v3/marketing/contacts", 202, {}, SENDGRID_JOB),
        (
            "PUT",
            "/v3/marketing/contacts/imports",
            200,
            {},
            SENDGRID_JOB
            | {
                "upload_uri": "https://uploads.sendgrid.example/contacts.csv?signature=0",
                "upload_headers": [{"header": "x-amz-server-side-encryption", "value": "aws:kms"}],
            },
        ),
        ("DELETE", "/v3/marketing/contacts", 202, {}, SENDGRID_JOB),
        ("POST", "/v3/marketing/contacts/search", 200, {}, SENDGRID_CONTACTS),
        ("POST", "/v3/marketing/contacts/search/emails", 200, {}, {"result": {}}),
        (
            "POST",
            "/v3/asm/(groups/42/suppressions|suppressions/global)",
            201,
            {},
            {"recipient_emails": ["ann@example.com", "bob@example.com"]},
        ),
        ("GET", "/v3/asm/suppressions/global/.*", 200, {}, {"recipient_email": "ann@example.com"}),
        ("DELETE", "/v3/(asm|suppression)/.*", 204, {}, ""),
        (
            "POST",
            "/v3/validations/email",
            200,
            {},
            {"result": {"email": "ann@example.com", "verdict": "Valid", "score": 0.9}},
        ),
        ("POST", "/v3/recipients/erasejob", 202, {}, SENDGRID_JOB),
    ],
    "mailgun": [
        (
            "POST",
            r"/v3/mg\.shop\.example/messages(\.mime)?",
            200,
            {},
            {"id": "<20260101000000.1.ABCDEF@mg.shop.example>", "message": "Queued. Thank you."},
        ),
        (
            "POST",
            "/v3/lists/[^/]+/members.json",
            200,
            {},
            {"message": "Mailing list has been updated", "list": MAILGUN_LIST, "task-id": "t-1"},
        ),
        (
            "POST|PUT",
            "/v3/lists/[^/]+/members.*",
            200,
            {},
            {"message": "Mailing list member has been updated", "member": MAILGUN_MEMBER},
        ),
        (
            "DELETE",
            "/v3/lists/[^/]+/members/.*",
            200,
            {},
            {"message": "Mailing list member has been deleted", "member": MAILGUN_MEMBER},
        ),
        (
            "POST",
            "/v3/lists",
            200,
            {},
            {"message": "Mailing list has been created", "list": MAILGUN_LIST},
        ),
        (
            "POST",
            "/v3/[^/]+/(bounces|unsubscribes|complaints|whitelists)",
            200,
            {},
            {"message": "2 addresses have been added to the table"},
        ),
        (
            "GET",
            "/v3/[^/]+/bounces/.*",
            200,
            {},
            {
                "address": "ann@example.com",
                "code": "550",
                "error": "no such user",
                "created_at": "Thu, 01 Jan 2026 00:00:00 UTC",
            },
        ),
        (
            "DELETE",
            "/v3/[^/]+/(unsubscribes|complaints)/.*",
            200,
            {},
            {"message": "Address has been removed", "address": "ann@example.com"},
        ),
        (
            "GET",
            "/v4/address/validate",
            200,
            {},
            {
                "address": "ann@example.com",
                "is_disposable_address": False,
                "is_role_address": False,
                "reason": [],
                "result": "deliverable",
                "risk": "low",
            },
        ),
        (
            "GET",
            "/v3/[^/]+/events",
            200,
            {},
            {
                "items": [],
                "paging": {
                    page: f"https://api.mailgun.net/v3/mg.shop.example/events/{page}"
                    for page in ("next", "previous", "first", "last")
                },
            },
        ),
    ],
    "postmark": [
        ("POST", "/email(/withTemplate/?)?", 200, {}, POSTMARK_SENT),
        ("POST", "/email/(batch|batchWithTemplates/?)", 200, {}, [POSTMARK_SENT, POSTMARK_SENT]),
        (
            "POST",
            "/email/bulk",
            200,
            {},
            {
                "ID": "f24af63c-533d-4b7a-ad65-4a7b3202d3a7",
                "Status": "Accepted",
                "SubmittedAt": "2026-01-01T00:00:00.0000000Z",
            },
        ),
        (
            "POST",
            "/message-streams/outbound/suppressions(/delete)?",
            200,
            {},
            {
                "Suppressions": [
                    {"EmailAddress": "ann@example.com", "Status": "Suppressed", "Message": None}
                ]
            },
        ),
        ("GET", "/messages/outbound", 200, {}, {"TotalCount": 0, "Messages": []}),
        ("POST", "/data-removals", 200, {}, {"ID": 1234, "Status": "Pending"}),
    ],
    "ses": [
        (
            "POST",
            "/v2/email/outbound-emails",
            200,
            {},
            {"MessageId": "0102018d00000000-01234567-89ab-cdef-0123-456789abcdef-000000"},
        ),
        (
            "POST",
            "/v2/email/outbound-bulk-emails",
            200,
            {},
            {
                "BulkEmailEntryResults": [
                    {
                        "Status": "SUCCESS",
                        "MessageId": f"0102018d0000000{n}-01234567-89ab-cdef-0123-456789abcdef-000000",
                    }
                    for n in range(2)
                ]
            },
        ),
        (
            "POST",
            "/v2/email/outbound-custom-verification-emails",
            200,
            {},
            {"MessageId": "0102018d00000000-01234567-89ab-cdef-0123-456789abcdef-000000"},
        ),
        ("POST", "/v2/email/import-jobs", 200, {}, {"JobId": "01234567-89ab-cdef-0123-456789abcdef"}),
        (
            "GET",
            "/v2/email/contact-lists/news/contacts/.*",
            200,
            {},
            {"ContactListName": "news", "EmailAddress": "ann@example.com", "UnsubscribeAll": False},
        ),
        (
            "GET",
            "/v2/email/suppression/addresses/.*",
            200,
            {},
            {
                "SuppressedDestination": {
                    "EmailAddress": "ann@example.com",
                    "Reason": "COMPLAINT",
                    "LastUpdateTime": 1767225600,
                }
            },
        ),
        ("POST|PUT|DELETE", "/v2/email/(contact-lists|suppression)/.*", 200, {}, {}),
    ],
    "mailchimp": [
        ("GET", "/3.0/search-members", 200, {}, {"exact_matches": {"members": [], "total_items": 0}}),
        (
            "POST",
            "/3.0/lists/[^/]+",
            200,
            {},
            {
                "new_members": [],
                "updated_members": [],
                "errors": [],
                "total_created": 2,
                "total_updated": 0,
                "error_count": 0,
            },
        ),
        (
            "POST",
            "/3.0/batches",
            200,
            {},
            {
                "id": "8b2428d747",
                "status": "pending",
                "total_operations": 3,
                "finished_operations": 0,
                "errored_operations": 0,
                "submitted_at": "2026-01-01T00:00:00+00:00",
            },
        ),
        ("POST", "/3.0/customer-journeys/.*", 204, {}, ""),
        ("POST", "/3.0/lists/[^/]+/members/[^/]+/(tags|events)", 204, {}, ""),
        (
            "POST",
            "/3.0/lists/[^/]+/members/[^/]+/notes",
            200,
            {},
            {"id": 42, "created_at": "2026-01-01T00:00:00+00:00", "list_id": "a1b2c3d4e5"},
        ),
        ("DELETE", "/3.0/lists/[^/]+/members/[^/]+", 204, {}, ""),
        ("POST", "/3.0/lists/[^/]+/members/[^/]+/actions/delete-permanent", 204, {}, ""),
        ("POST|PUT|PATCH", "/3.0/lists/[^/]+/members.*", 200, {}, MAILCHIMP_MEMBER),
    ],
    "mandrill": [
        ("POST", r"/api/1\.3/messages/send.*", 200, {}, MANDRILL_SENT),
        (
            "POST",
            r"/api/1\.3/(rejects|allowlists)/(add|delete).*",
            200,
            {},
            {"email": "ann@example.com", "added": True, "deleted": True},
        ),
        ("POST", r"/api/1\.3/(messages/search|rejects/list)(\.json)?", 200, {}, []),
    ],
    "twilio": [
        ("GET", "/2010-04-01/Accounts/AC[^/]+/Messages.json", 200, {}, TWILIO_MESSAGES),
        ("POST", "/2010-04-01/Accounts/AC[^/]+/Messages.json", 201, {}, TWILIO_MESSAGE),
        ("POST", "/v2/Services/VA[^/]+/VerificationCheck", 201, {}, TWILIO_VERIFICATION),
        ("POST", "/v2/Services/VA[^/]+/Verifications", 201, {}, TWILIO_VERIFICATION),
        ("POST", "/v2/Services/VA[^/]+/Verifications/.*", 200, {}, TWILIO_VERIFICATION),
        (
            "GET",
            "/v2/PhoneNumbers/.*",
            200,
            {},
            {
                "calling_country_code": "1",
                "country_code": "US",
                "phone_number": "+15550100123",
                "national_format": "(555) 010-0123",
                "valid": True,
                "validation_errors": [],
                "identity_match": None,
                "url": "https://lookups.twilio.com/v2/PhoneNumbers/+15550100123",
            },
        ),
    ],
    "resend": [
        ("POST", "/emails", 200, {}, {"id": "49a3999c-0ce1-4ea6-ab68-afcd6dc2e794"}),
        (
            "POST",
            "/emails/batch",
            200,
            {},
            {
                "data": [
                    {"id": "ae2014de-c168-4c61-8267-70d2662a1ce1"},
                    {"id": "faccb7a5-8a28-4e9a-ac64-8da1cc3bc1cb"},
                ]
            },
        ),
        ("DELETE", ".*/contacts/.*", 200, {}, RESEND_CONTACT | {"deleted": True}),
        ("GET", ".*/contacts/.*", 200, {}, RESEND_CONTACT | {"email": "ann@example.com"}),
        ("POST|PATCH", "(.*/)?contacts.*", 200, {}, RESEND_CONTACT),
        ("POST", "/events/send", 202, {}, {"object": "event", "event": "order.paid"}),
        ("POST", "/broadcasts", 201, {}, {"id": "49a3999c-0ce1-4ea6-ab68-afcd6dc2e794"}),
    ],
    "segment": [("POST", "/v1/batch", 200, {}, {"success": True})],
    "klaviyo": [
        ("GET", "/api/profiles", 200, KLAVIYO_TYPE, {"data": [], "links": {"self": ""}}),
        ("POST", "/api/profiles", 201, KLAVIYO_TYPE, KLAVIYO_PROFILE),
        ("POST|PATCH", "/api/(profiles|profile-import).*", 200, KLAVIYO_TYPE, KLAVIYO_PROFILE),
        (
            "POST",
            "/api/(profile-bulk-import-jobs|profile-suppression-bulk-create-jobs)",
            202,
            KLAVIYO_TYPE,
            {"data": {"type": "profile-bulk-import-job", "id": "a-job", "attributes": {}}},
        ),
        ("POST", "/api/.*", 202, {}, ""),
    ],
    "customerio": [
        ("PUT|POST|DELETE", "/api/v1/.*", 200, {}, {}),
        (
            "POST",
            "/v1/send/.*",
            200,
            {},
            {"delivery_id": "d1b2c3d4e5f6", "queued_at": 1767225600},
        ),
        ("POST", "/v1/(api/)?campaigns/12/triggers", 200, {}, {"id": 1}),
        ("GET", "/v1/customers", 200, {}, {"results": []}),
    ],
    "braze": [
        (
            "POST",
            "/users/track(/bulk|/sync)?",
            201,
            {},
            {"message": "success", "attributes_processed": 2, "events_processed": 1},
        ),
        ("POST", "/users/export/ids", 201, {}, {"message": "success", "users": []}),
        ("POST", "/users/delete", 201, {}, {"message": "success", "deleted": 2}),
        (
            "POST",
            "/(messages|campaigns)/.*",
            201,
            {},
            {"message": "success", "dispatch_id": "d1b2c3d4e5f6", "send_id": "s1b2c3d4"},
        ),
        (
            "POST",
            "/transactional/.*",
            201,
            {},
            {"message": "success", "dispatch_id": "d1b2c3d4e5f6", "status": "sent"},
        ),
        ("GET", "/subscription/status/get", 200, {}, {"message": "success", "status": {}}),
        ("POST", "/.*", 201, {}, {"message": "success"}),
    ],
    "zendesk": [
        ("POST", "/api/v2/(tickets|users)/create_many.*", 200, {}, ZENDESK_JOB),
        ("POST", "/api/v2/users/[0-9]+/identities.*", 201, {}, ZENDESK_IDENTITY),
        ("GET", "/api/v2/(users/)?search.*", 200, {}, ZENDESK_NONE),
        ("POST", "/api/v2/tickets.*", 201, {}, ZENDESK_TICKET),
        ("PUT", "/api/v2/tickets.*", 200, {}, ZENDESK_TICKET),
        ("POST", "/api/v2/users.*", 201, {}, ZENDESK_USER),
        ("PUT", "/api/v2/users.*", 200, {}, ZENDESK_USER),
    ],
    "s3": [
        ("PUT", "/acme-exports/.*", 200, {"etag": S3_ETAG}, ""),
        ("DELETE", "/acme-exports/.*", 204, {}, ""),
        ("POST", "/acme-exports/?", 200, S3_TYPE, "<DeleteResult/>"),
        ("POST", "/acme-exports/.+", 200, S3_TYPE, S3_UPLOAD),
    ],
}
