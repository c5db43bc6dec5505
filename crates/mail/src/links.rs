//! Where a mail's links lead: the hosts, as a mail program would understand them. Follows none and
//! judges none.

use model::limits;

/// The hosts of all links in a text or in HTML, each once, in order, in ASCII and lower case; at
/// most [`limits::MAIL_LINKS`].
pub fn hosts(content: &str, found: &mut Vec<String>) {
    let content = without_references(content);
    let lower = content.to_ascii_lowercase();
    for (at, _) in lower.match_indices("http") {
        let rest = &lower[at + "http".len()..];
        let rest = rest.strip_prefix('s').unwrap_or(rest);
        if let Some(rest) = rest.strip_prefix(':') {
            add(rest, found);
        }
    }
    // `href="//host"`: the scheme of the page, which a mail has not; programs take https.
    for quote in ['"', '\''] {
        for (at, _) in lower.match_indices(&format!("={quote}//")) {
            add(&lower[at + 2..], found);
        }
    }
}

/// Adds the host of a link that begins with its slashes. Browsers take any number of slashes, and
/// backslashes for slashes.
fn add(rest: &str, found: &mut Vec<String>) {
    let authority = rest.trim_start_matches(['/', '\\']);
    if authority.len() == rest.len() || found.len() >= limits::MAIL_LINKS {
        return;
    }
    let ends = |c: char| c.is_whitespace() || c.is_control() || "/\\?#\"'<>()`|^{}".contains(c);
    let authority = authority.split(ends).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = host.split_once(':').map_or(host, |(host, _)| host);
    let host = host.trim_matches(['.', ',', ';', '!', ']', '[']);
    let Ok(host) = idna::domain_to_ascii(host) else { return };
    if host.contains('.') && host.len() <= limits::EMAIL_BYTES && !found.contains(&host) {
        found.push(host);
    }
}

/// HTML's character references undone, as far as they can hide a link, and the line ends and tabs
/// that browsers drop inside one.
fn without_references(content: &str) -> String {
    let mut out = String::with_capacity(content.len());
    let mut rest = content;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let (text, width) = reference(rest).unwrap_or(('&', 1));
        out.push(text);
        rest = &rest[width..];
    }
    out.push_str(rest);
    out
}

/// The character that a reference at the start of `text` stands for, and its length.
fn reference(text: &str) -> Option<(char, usize)> {
    const NAMED: [(&str, char); 6] = [
        ("&colon;", ':'),
        ("&sol;", '/'),
        ("&period;", '.'),
        ("&commat;", '@'),
        ("&num;", '#'),
        ("&amp;", '&'),
    ];
    let named = NAMED.iter().find(|(name, _)| text.starts_with(name));
    if let Some((name, stands_for)) = named {
        return Some((*stands_for, name.len()));
    }
    let digits = text.strip_prefix("&#")?;
    let (digits, radix, prefix) = match digits.strip_prefix(['x', 'X']) {
        Some(hex) => (hex, 16, 3),
        None => (digits, 10, 2),
    };
    let length = digits.chars().take_while(|c| c.is_digit(radix)).count();
    let code = u32::from_str_radix(digits.get(..length)?, radix).ok()?;
    let semicolon = usize::from(digits[length..].starts_with(';'));
    Some((char::from_u32(code)?, prefix + length + semicolon))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content: &str, expect: &[&str]) {
        let mut found = Vec::new();
        hosts(content, &mut found);
        assert_eq!(found, expect, "{content}");
    }

    #[test]
    fn a_link_is_where_a_browser_would_go() {
        check(
            "see https://Login.Example.com/x?y and http://b.example.",
            &["login.example.com", "b.example"],
        );
        check("https://flickr.com@evil.example/", &["evil.example"]);
        check("https://flickr.com:443@evil.example:8443/", &["evil.example"]);
        check(r"https:\\evil.example\x", &["evil.example"]);
        check("https:////evil.example/", &["evil.example"]);
        check("https://bücher.example/", &["xn--bcher-kva.example"]);
        check("<a href='//evil.example/x'>", &["evil.example"]);
        check("<a href=\"h&#116;tps&colon;//evil&#x2E;example\">", &["evil.example"]);
        check("HTTPS://EVIL.EXAMPLE", &["evil.example"]);
    }

    #[test]
    fn what_is_no_link_is_not_taken_for_one() {
        check("http is a protocol; https: too; https://localhost/ and http://", &[]);
        check("&#99999999999; &#x; & &#", &[]);
    }
}
