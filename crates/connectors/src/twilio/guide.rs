//! What an operator does by hand at Twilio, step by step, and what proves it.

use model::Action;

use crate::routine::steps::ByHand;

/// One entry for each step.
pub(super) const GUIDES: &[ByHand] = &[
    (
        Action::SnapshotEvidence,
        &[
            "In the Twilio console, open Monitor, Audit Events, and export the window of the \
             incident.",
            "Keep pictures of API keys and tokens, users, phone numbers and messaging services.",
        ],
        "the files and pictures, with the time at which each was taken",
    ),
    (
        Action::CutGateway,
        &["Cordon does this itself: nothing is done at Twilio."],
        "the switch of this vendor in Cordon",
    ),
    (
        Action::CancelScheduledSends,
        &[
            "Cancel each scheduled message whose SID your programs keep: POST to the message \
             with `Status=canceled`.",
            "Where that is not enough, suspend the subaccount: POST to the account with \
             `Status=suspended`.",
        ],
        "the message or the account as the console shows it after the change",
    ),
    (
        Action::UnscheduleSingleSends,
        &[
            "Twilio has no campaigns of this kind.",
            "In Studio, end the executions of flows that send messages and unpublish them.",
        ],
        "a picture of the flows with nothing running",
    ),
    (
        Action::DeleteApiKeys,
        &[
            "In the console, open Account, API keys and tokens, and delete every key, main \
             keys and signing keys included.",
            "Make a secondary auth token, promote it, and delete the old one.",
            "Give Cordon the new token: until then it cannot check Twilio's callbacks.",
            "Do the same in each subaccount.",
        ],
        "a picture of the empty list of keys, and the time of the promotion",
    ),
    (
        Action::ProveKeyRefused,
        &["Call GET …/Keys.json with the old token: the answer must be 401 or 403."],
        "the status and the time of the answer",
    ),
    (
        Action::CloseSessions,
        &[
            "In the console, open Admin, Users, and remove everybody who is not known.",
            "Reset the passwords of those who stay and require two-factor authentication.",
            "Remove OAuth applications that are not yours.",
        ],
        "the list of users and applications after the change",
    ),
    (
        Action::MoveCriticalMail,
        &[
            "Name the messages that must go out, such as sign-in codes.",
            "Point those programs at the standby provider's vendor in Cordon.",
            "Send one of each to a number of your own.",
        ],
        "one received message of each kind",
    ),
    (
        Action::ProtectLogin,
        &[
            "Take codes by text message out of log-in and password reset where another factor \
             is there.",
            "Raise the rate limits and challenges of log-in, password reset and sign-up.",
            "Restrict the countries to which messages go in Messaging, Geo permissions.",
        ],
        "the change to the log-in's configuration, with its time",
    ),
    (
        Action::DemandLogs,
        &[
            "Open a ticket of the highest urgency with Twilio's support and write to its \
             security team.",
            "Ask for audit events, use of keys and tokens, sign-ins, and every message sent or \
             read, for the window of the incident.",
            "Ask for the affected data set and for when Twilio first knew.",
        ],
        "the ticket's number and the time at which it was opened",
    ),
    (
        Action::DemandDeletion,
        &[
            "Take out the text of messages (POST with an empty `Body`) or delete them.",
            "Ask in writing for a confirmation with the time, backups included.",
            "From now on send with `ContentRetention=discard` and \
             `AddressRetention=obfuscate`.",
        ],
        "Twilio's written confirmation",
    ),
];
