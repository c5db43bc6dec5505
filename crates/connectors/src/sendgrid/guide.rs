//! What an operator does by hand at SendGrid, step by step, and what proves it.

use model::Action;

use crate::routine::steps::ByHand;

/// One entry for each step.
pub(super) const GUIDES: &[ByHand] = &[
    (
        Action::SnapshotEvidence,
        &[
            "In the SendGrid console, open Settings and keep pictures of API Keys, Teammates, \
             Mail Settings and Subuser Management.",
            "Open Settings, IP Access Management, and keep the recent access attempts.",
            "Open Activity, search the window of the incident, and export it as CSV.",
            "Open Marketing, Contacts, and keep the list of exports with their times.",
        ],
        "the pictures and files, with the time at which each was taken",
    ),
    (
        Action::CutGateway,
        &["Cordon does this itself: nothing is done at SendGrid."],
        "the switch of this vendor in Cordon",
    ),
    (
        Action::CancelScheduledSends,
        &[
            "Cancel each batch id that your programs keep: POST /v3/user/scheduled_sends with \
             the status `cancel`.",
            "A send that was scheduled without a batch id cannot be cancelled: ask SendGrid's \
             support to suspend sending.",
            "A cancellation less than ten minutes before the time is not guaranteed.",
        ],
        "the list of scheduled sends, each with the status `cancel`",
    ),
    (
        Action::UnscheduleSingleSends,
        &[
            "In Marketing, Single Sends, unschedule each campaign that is scheduled.",
            "In Marketing, Automations, pause each automation that is live.",
        ],
        "a picture of both lists with nothing scheduled or live",
    ),
    (
        Action::DeleteApiKeys,
        &[
            "In Settings, API Keys, delete every key.",
            "In Settings, Subuser Management, do the same within each subuser.",
        ],
        "a picture of the empty lists",
    ),
    (
        Action::ProveKeyRefused,
        &["Call GET /v3/scopes with the old key: the answer must be 401 or 403."],
        "the status and the time of the answer",
    ),
    (
        Action::CloseSessions,
        &[
            "In Settings, Teammates, remove everybody who is not known, and pending \
             invitations.",
            "Change the password of the account and of each teammate that stays; require \
             two-factor authentication.",
            "In Settings, SSO, remove what is not yours.",
            "In Settings, IP Access Management, allow only your own addresses.",
        ],
        "the list of teammates and the allow list after the change",
    ),
    (
        Action::MoveCriticalMail,
        &[
            "Name the mail that must go out: password resets, sign-in codes, receipts.",
            "Point those programs at the standby provider's vendor in Cordon.",
            "Send one of each to an address of your own, and check SPF, DKIM and DMARC.",
            "Leave SendGrid's DKIM keys in DNS until the domain no longer needs them.",
        ],
        "one received message of each kind, with its headers",
    ),
    (
        Action::ProtectLogin,
        &[
            "Raise the rate limits and challenges of log-in, password reset and sign-up.",
            "Watch for log-ins that follow a mail or use what SendGrid held.",
        ],
        "the change to the log-in's configuration, with its time",
    ),
    (
        Action::DemandLogs,
        &[
            "Open a ticket of the highest urgency with SendGrid's support and write to \
             Twilio's security team.",
            "Ask for access logs of the account, exports of contacts, sign-ins, changes of \
             keys, users and settings, and every message sent, for the window of the incident.",
            "Ask for the affected data set and for when SendGrid first knew.",
        ],
        "the ticket's number and the time at which it was opened",
    ),
    (
        Action::DemandDeletion,
        &[
            "Delete the contacts that are not needed: DELETE /v3/marketing/contacts, or \
             `delete_all_contacts`.",
            "Ask for the erasure of recipients' data: POST /v3/recipients/erasejob.",
            "Ask in writing for a confirmation with the time, backups included.",
        ],
        "SendGrid's written confirmation",
    ),
];
