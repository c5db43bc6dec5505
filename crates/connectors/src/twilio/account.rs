//! Twilio's account in credentials and paths: `AC…:token`, and the SID after `/Accounts/`. It does
//! not know API keys (`SK…`), which name no account.

use std::ops::Range;

/// Before the SID in every path of the API.
pub(super) const ACCOUNTS: &str = "/2010-04-01/Accounts/";

const SID_BYTES: usize = 34;

/// An account's SID and its token, borrowed from a credential.
#[derive(Clone, Copy)]
pub(super) struct Account<'a> {
    pub sid: &'a str,
    pub token: &'a str,
}

impl<'a> Account<'a> {
    /// Reads `AC…:token`: 32 hexadecimal digits after `AC`, 32 after the colon.
    pub(super) fn parse(credential: &'a str) -> Option<Self> {
        let (sid, token) = credential.split_once(':')?;
        (is_sid(sid) && is_token(token)).then_some(Self { sid, token })
    }

    /// The path of one of its resources.
    pub(super) fn path(self, resource: &str) -> String {
        format!("{ACCOUNTS}{}/{resource}", self.sid)
    }
}

/// Whether a text is an account's SID.
pub(super) fn is_sid(text: &str) -> bool {
    text.len() == SID_BYTES && text.strip_prefix("AC").is_some_and(is_hex)
}

/// Whether a text has the shape of an auth token.
pub(super) fn is_token(text: &str) -> bool {
    text.len() == 32 && is_hex(text)
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Where the SID stands in a path, if it is one of an account.
pub(super) fn sid_in(path: &str) -> Option<Range<usize>> {
    let range = ACCOUNTS.len()..ACCOUNTS.len() + SID_BYTES;
    let ends = |rest: &str| rest.is_empty() || rest.starts_with(['/', '.', '?']);
    let sid = path.strip_prefix(ACCOUNTS)?.get(..SID_BYTES)?;
    (is_sid(sid) && ends(&path[range.end..])).then_some(range)
}
