//! What an operator does by hand at a vendor of whose console nothing is known in particular.

use model::Action;

use crate::routine::Guide;

/// The steps, with the vendor's name in them.
pub(crate) fn guide(title: &str, action: Action) -> Guide {
    let (steps, proof) = plain(action);
    let named = |text: &str| text.replace("{vendor}", title);
    Guide { steps: steps.iter().map(|step| named(step)).collect(), proof: named(proof) }
}

/// Steps and proof of each action.
const fn plain(action: Action) -> (&'static [&'static str], &'static str) {
    match action {
        Action::SnapshotEvidence => (
            &[
                "At {vendor}, export the audit log and the log of sent messages of the window.",
                "Keep pictures of users, keys, webhooks, exports and sending domains.",
            ],
            "the files and pictures, with the time at which each was taken",
        ),
        Action::CutGateway => (
            &["Cordon does this itself: nothing is done at {vendor}."],
            "the switch of this vendor in Cordon",
        ),
        Action::CancelScheduledSends => (
            &["At {vendor}, cancel every message that waits for its time."],
            "a picture of the empty list of scheduled messages",
        ),
        Action::UnscheduleSingleSends => (
            &["At {vendor}, stop or unschedule campaigns and automations that can send."],
            "a picture of campaigns and automations with nothing running",
        ),
        Action::DeleteApiKeys => (
            &[
                "At {vendor}, delete every API key, ours last, and passwords for SMTP.",
                "Make a new one and give it to Cordon only when the vendor is to be used again.",
            ],
            "a picture of the list of keys after the change",
        ),
        Action::ProveKeyRefused => (
            &["Call {vendor} with the old key: the answer must be 401 or 403."],
            "the status and the time of the answer",
        ),
        Action::CloseSessions => (
            &[
                "At {vendor}, remove users that are not known and end all sessions.",
                "Reset the passwords of those who stay and require two-factor authentication.",
                "Remove connected applications that are not yours.",
            ],
            "the list of users and applications after the change",
        ),
        Action::MoveCriticalMail => (
            &[
                "Name the messages that must go out, such as sign-in codes.",
                "Point those programs at the standby provider's vendor in Cordon.",
                "Send one of each to an address of your own.",
            ],
            "one received message of each kind",
        ),
        Action::ProtectLogin => (
            &[
                "Raise the rate limits and challenges of log-in, password reset and sign-up.",
                "Ask for another factor where what {vendor} holds would help to get in.",
            ],
            "the change to the log-in's configuration, with its time",
        ),
        Action::DemandLogs => (
            &[
                "Write to {vendor}'s support and security team with the highest urgency.",
                "Ask for the audit log, use of keys, sign-ins and exports of the window.",
                "Ask for the affected data set and for when {vendor} first knew.",
            ],
            "the ticket's number and the time at which it was opened",
        ),
        Action::DemandDeletion => (
            &[
                "Delete contacts and messages at {vendor} that are not needed any more.",
                "Ask in writing for a confirmation with the time, backups included.",
            ],
            "{vendor}'s written confirmation",
        ),
    }
}
