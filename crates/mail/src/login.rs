//! `AUTH PLAIN` and `AUTH LOGIN` from the receiver's side, line by line (RFC 4954, 4616). Checks no
//! password.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::Secret;
use smtp_proto::{AUTH_LOGIN, AUTH_PLAIN};

/// The mechanisms that are offered.
pub const MECHANISMS: u64 = AUTH_PLAIN | AUTH_LOGIN;

/// A log-in that is under way: what the next line has to be.
#[derive(Debug)]
pub enum Login {
    /// `authorization NUL user NUL password`.
    Plain,
    /// The user.
    User,
    /// The password of this user.
    Password(String),
}

/// What a line of a log-in led to.
#[derive(Debug)]
pub enum Step {
    /// Say this and wait for the next line.
    Ask(&'static str, Login),
    /// Somebody says that they are this user.
    Claims { user: String, password: Secret<String> },
    /// It is over; say this.
    Refuse(&'static str),
}

/// `Username:` and `Password:`, as clients expect them.
const ASK_USER: &str = "334 VXNlcm5hbWU6\r\n";
const ASK_PASSWORD: &str = "334 UGFzc3dvcmQ6\r\n";
const MALFORMED: Step = Step::Refuse("501 5.5.2 malformed log-in");

impl Login {
    /// Begins with `AUTH`; `first` is empty when the client waits to be asked.
    pub fn begin(mechanism: u64, first: &str) -> Step {
        match (mechanism, first) {
            (AUTH_PLAIN, "") => Step::Ask("334 \r\n", Self::Plain),
            (AUTH_PLAIN, first) => Self::Plain.line(first.as_bytes()),
            (AUTH_LOGIN, "") => Step::Ask(ASK_USER, Self::User),
            (AUTH_LOGIN, first) => Self::User.line(first.as_bytes()),
            _ => Step::Refuse("504 5.5.4 a mechanism that is not offered"),
        }
    }

    /// Takes the client's next line.
    pub fn line(self, line: &[u8]) -> Step {
        let line = line.trim_ascii_end();
        if line == b"*" {
            return Step::Refuse("501 5.7.0 log-in given up");
        }
        let text = STANDARD.decode(line).ok().and_then(|text| String::from_utf8(text).ok());
        let Some(text) = text.map(Secret::new) else { return MALFORMED };
        match self {
            Self::Plain => plain(&text),
            Self::User => Step::Ask(ASK_PASSWORD, Self::Password(text.expose().clone())),
            Self::Password(user) => Step::Claims { user, password: text },
        }
    }
}

/// Somebody who wants to act for somebody else is not served: the first part is empty or the user.
fn plain(text: &Secret<String>) -> Step {
    let mut parts = text.expose().split('\0');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(acting), Some(user), Some(password), None) if acting.is_empty() || acting == user => {
            Step::Claims { user: user.to_owned(), password: Secret::new(password.to_owned()) }
        }
        _ => MALFORMED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(step: Step) -> Option<(String, String)> {
        match step {
            Step::Claims { user, password } => Some((user, password.expose().clone())),
            Step::Ask(..) | Step::Refuse(_) => None,
        }
    }

    fn asked(step: Step) -> Login {
        match step {
            Step::Ask(_, login) => login,
            other => panic!("not asked: {other:?}"),
        }
    }

    #[test]
    fn both_mechanisms_give_user_and_password_at_once_or_line_by_line() {
        let expect = Some(("apikey".to_owned(), "SG.x".to_owned()));
        let plain = STANDARD.encode("\0apikey\0SG.x");
        let (user, password) = (STANDARD.encode("apikey"), STANDARD.encode("SG.x"));
        assert_eq!(claims(Login::begin(AUTH_PLAIN, &plain)), expect);
        let line = format!("{plain}\r\n");
        assert_eq!(claims(asked(Login::begin(AUTH_PLAIN, "")).line(line.as_bytes())), expect);
        let after_user = asked(Login::begin(AUTH_LOGIN, &user));
        assert_eq!(claims(after_user.line(password.as_bytes())), expect);
        let after_user = asked(asked(Login::begin(AUTH_LOGIN, "")).line(user.as_bytes()));
        assert_eq!(claims(after_user.line(password.as_bytes())), expect);
    }

    #[test]
    fn what_is_no_log_in_is_refused() {
        let check = |mechanism, text: &str, expect: &str| {
            let Step::Refuse(said) = Login::begin(mechanism, text) else { panic!("{text}") };
            assert!(said.starts_with(expect), "{said}");
        };
        check(AUTH_PLAIN, "*", "501 5.7.0");
        check(AUTH_PLAIN, "not base64", "501 5.5.2");
        check(AUTH_PLAIN, &STANDARD.encode("user\0password"), "501 5.5.2");
        check(AUTH_PLAIN, &STANDARD.encode("boss\0user\0password"), "501 5.5.2");
        check(AUTH_PLAIN, &STANDARD.encode("\0user\0pass\0word"), "501 5.5.2");
        check(smtp_proto::AUTH_CRAM_MD5, "", "504 5.5.4");
    }
}
