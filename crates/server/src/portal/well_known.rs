//! What programs ask of every site: whom to write to about a hole (RFC 9116), and what to index
//! (RFC 9309). Not for people.

use std::borrow::Cow;

use model::Timestamp;

/// Keeps programs away from the vendors' door; everything else is there to be found.
pub const ROBOTS: &str = "User-agent: *\nDisallow: /hooks/\n";

/// `/.well-known/security.txt`. It expires within a year, as RFC 9116, 2.5.5 advises, and is
/// written anew each time.
pub fn security_txt(contact: &str, base: &str, now: Timestamp) -> String {
    const DAYS: i64 = 364;
    let contact = match contact {
        uri if ["https://", "mailto:", "tel:"].iter().any(|scheme| uri.starts_with(scheme)) => {
            Cow::Borrowed(uri)
        }
        address => Cow::Owned(format!("mailto:{address}")),
    };
    let expires = now.plus_seconds(DAYS * 24 * 60 * 60).to_jiff().strftime("%Y-%m-%dT%H:%M:%SZ");
    let mut text = format!("Contact: {contact}\nExpires: {expires}\n");
    if base.starts_with("https://") {
        text.push_str(&format!("Canonical: {base}/.well-known/security.txt\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn security_txt_has_a_contact_and_ends_within_a_year() {
        let now = Timestamp::parse("2026-02-05T02:00:00.25Z").expect("a time");
        let text = security_txt("privacy@example.com", "https://trust.example", now);
        insta::assert_snapshot!(text, @r"
        Contact: mailto:privacy@example.com
        Expires: 2027-02-04T02:00:00Z
        Canonical: https://trust.example/.well-known/security.txt
        ");
        let local = security_txt("https://example.com/contact", "http://127.0.0.1:8027", now);
        assert_eq!(local, "Contact: https://example.com/contact\nExpires: 2027-02-04T02:00:00Z\n");
    }
}
