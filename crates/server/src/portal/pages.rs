//! The portal's pages: server-rendered, no script, nothing from elsewhere.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use model::Timestamp;

use crate::config::Company;

/// What a page says before its own content.
pub struct Frame<'a> {
    /// Whose portal it is.
    pub company: &'a Company,
    /// The path of the page, to mark it in the menu.
    pub path: &'a str,
}

/// One published version of a bulletin.
#[derive(Debug, Clone)]
pub struct Bulletin {
    /// The incident's id.
    pub incident: String,
    /// Which bulletin of that incident.
    pub number: u32,
    /// Which version of it.
    pub version: u32,
    /// Its title.
    pub title: String,
    /// Its text; an empty line parts paragraphs.
    pub text: String,
    /// When it was published.
    pub published_at: Timestamp,
    /// Whether a newer version of the same bulletin is out.
    pub superseded: bool,
}

const MENU: [(&str, &str); 5] = [
    ("/", "Updates"),
    ("/check", "Is this message real?"),
    ("/affected", "Was I affected?"),
    ("/report", "Report a message"),
    ("/protect", "Protect your account"),
];

fn page(frame: &Frame<'_>, title: &str, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · " (frame.company.name) }
                link rel="stylesheet" href="/assets/cordon.css";
                link rel="icon" href="/assets/icon.svg";
                link rel="alternate" type="application/atom+xml" title="Updates" href="/feed.atom";
            }
            body {
                a .skip href="#content" { "Skip to content" }
                header {
                    p .brand {
                        a href="/" { strong { (frame.company.name) } span { " · Trust & safety" } }
                    }
                    nav aria-label="Pages" {
                        ul {
                            @for (path, name) in MENU {
                                li {
                                    @if path == frame.path {
                                        a href=(path) aria-current="page" { (name) }
                                    } @else {
                                        a href=(path) { (name) }
                                    }
                                }
                            }
                        }
                    }
                }
                main #content { (content) }
                footer {
                    p {
                        "Questions about your data: " (frame.company.privacy_contact) ". "
                        "This site sets no cookies and loads nothing from elsewhere."
                    }
                    p {
                        "Updates as "
                        a href="/feed.atom" { "Atom" } ", "
                        a href="/feed.rss" { "RSS" } " or "
                        a href="/feed.json" { "JSON" } "."
                    }
                }
            }
        }
    }
}

/// Every bulletin, newest first.
pub fn home(frame: &Frame<'_>, bulletins: &[Bulletin]) -> Markup {
    let content = html! {
        h1 { "Security updates" }
        @if bulletins.is_empty() {
            p .lead { "There is no security incident to report." }
            p {
                "When there is one, what we know stands here first. Our mail about it has no links "
                "and carries a code that you can check on this site."
            }
        } @else {
            p .lead { "What we know, newest first. A corrected update keeps its earlier versions." }
            @for bulletin in bulletins.iter().filter(|bulletin| !bulletin.superseded) {
                article .update {
                    h2 { a href={ "/incidents/" (bulletin.incident) } { (bulletin.title) } }
                    (body(bulletin))
                }
            }
        }
        (what_you_can_do())
    };
    page(frame, "Security updates", &content)
}

/// One incident's bulletins, every version kept.
pub fn incident(frame: &Frame<'_>, bulletins: &[Bulletin]) -> Markup {
    let content = html! {
        h1 { "Updates on this incident" }
        p .lead { "Newest first. " a href="/" { "All updates" } }
        @for bulletin in bulletins {
            article .update id={ "b" (bulletin.number) "v" (bulletin.version) } {
                h2 { (bulletin.title) }
                @if bulletin.superseded {
                    details {
                        summary { "Version " (bulletin.version) ", replaced by a newer one" }
                        (body(bulletin))
                    }
                } @else {
                    (body(bulletin))
                }
            }
        }
        (what_you_can_do())
    };
    let title = bulletins.first().map_or("Updates", |newest| &newest.title);
    page(frame, title, &content)
}

fn body(bulletin: &Bulletin) -> Markup {
    html! {
        p .meta {
            time datetime=(bulletin.published_at) { (human(bulletin.published_at)) }
            @if bulletin.version > 1 { " · version " (bulletin.version) }
        }
        @for paragraph in bulletin.text.split("\n\n") { p { (paragraph) } }
    }
}

fn what_you_can_do() -> Markup {
    html! {
        section .box {
            h2 { "What you can do" }
            ul {
                li { a href="/affected" { "Find out whether you were affected" } }
                li { a href="/check" { "Check whether a message from us is real" } }
                li { a href="/report" { "Report a message that is not from us" } }
                li { a href="/protect" { "Protect your account" } }
            }
        }
    }
}

/// What came of checking a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// Nothing was asked yet.
    NotAsked,
    /// The code is one of ours.
    Genuine,
    /// It is not.
    Unknown,
    /// Too many were tried.
    TooMany,
}

impl Checked {
    /// What it says first; the page's title too, so that a screen reader begins with it.
    const fn answer(self) -> Option<&'static str> {
        match self {
            Self::NotAsked => None,
            Self::Genuine => Some("This code is ours."),
            Self::Unknown => Some("We did not write this code."),
            Self::TooMany => Some("Too many tries."),
        }
    }
}

/// «Is this message real?»
pub fn check(frame: &Frame<'_>, checked: Checked) -> Markup {
    const TITLE: &str = "Is this message real?";
    let answer = checked.answer();
    let content = html! {
        h1 { (TITLE) }
        @if let Some(answer) = answer {
            div .result .(if checked == Checked::Genuine { "good" } else { "bad" }) role="status" {
                h2 { (answer) }
                (advice(frame, checked))
            }
        } @else {
            p .lead {
                "Every notice from us carries a code. Type it in here, as it stands in the message."
            }
        }
        form method="post" action="/check" {
            label for="code" {
                @if answer.is_none() { "Code in the message" } @else { "Check another code" }
            }
            input #code .code name="code" required autocomplete="off" autocapitalize="characters"
                spellcheck="false" maxlength="40" placeholder="XXXX-XXXX-XXXX-XXXX";
            button { "Check" }
        }
        p .meta { "The answer does not tell anybody who was written to." }
    };
    page(frame, answer.unwrap_or(TITLE), &content)
}

fn advice(frame: &Frame<'_>, checked: Checked) -> Markup {
    html! {
        @match checked {
            Checked::NotAsked => {}
            Checked::Genuine => p {
                "A notice with this code was written by " (frame.company.name) ". "
                "If the message asks for a password, a payment or a log-in, or has a link "
                "or an attachment, it is not that notice: somebody may have copied the code."
            },
            Checked::Unknown => p {
                "Check for a typing error. If it is as in the message, the message is not "
                "from us: do not click, do not reply, and "
                a href="/report" { "send it to us" } "."
            },
            Checked::TooMany => p { "Please wait a minute and try again." },
        }
    }
}

/// What came of asking «was I affected?». Never says whether the address is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Nothing was asked yet.
    NotYet,
    /// It was, and is answered by mail.
    Taken,
    /// Too much was asked from the same place.
    TooMany,
}

/// «Was I affected?», before and after asking; the same for everybody.
pub fn affected(frame: &Frame<'_>, asked: Asked) -> Markup {
    const TITLE: &str = "Was I affected?";
    const TAKEN: &str = "Look into your mailbox.";
    const TOO_MANY: &str = "Too many at once.";
    let content = html! {
        h1 { (TITLE) }
        @match asked {
            Asked::NotYet => p .lead {
                "Enter the address of your account. We answer only by mail to that address, so "
                "that nobody can find out about somebody else."
            },
            Asked::Taken => div .result role="status" {
                h2 { (TAKEN) }
                p {
                    "If that address is known to us, a mail is on its way that says whether it was "
                    "affected and what was exposed. It has no links. We answer only by mail to the "
                    "address itself, so that nobody can find out about somebody else."
                }
            },
            Asked::TooMany => div .result.bad role="status" {
                h2 { (TOO_MANY) }
                p { "Please wait a minute and ask again." }
            },
        }
        form method="post" action="/affected" {
            label for="email" {
                @if asked == Asked::Taken { "Another e-mail address" }
                @else { "Your e-mail address" }
            }
            input #email name="email" type="email" required autocomplete="email" maxlength="254";
            button { "Ask" }
        }
    };
    let title = match asked {
        Asked::NotYet => TITLE,
        Asked::Taken => TAKEN,
        Asked::TooMany => TOO_MANY,
    };
    page(frame, title, &content)
}

/// Hand in a suspicious message.
pub fn report(frame: &Frame<'_>, received: Option<Result<(), &str>>) -> Markup {
    let (title, content) = match received {
        None => (
            "Report a message",
            html! {
                p .lead {
                    "You got a message that says it is from us, and something is off? Send us the "
                    "whole message as a file."
                }
            },
        ),
        Some(Ok(())) => (
            "Thank you, we have it.",
            html! {
                div .result.good role="status" {
                    h2 { "Thank you, we have it." }
                    p {
                        "Our security team looks at every one. "
                        "Please do not click anything in it."
                    }
                }
            },
        ),
        Some(Err(why)) => (
            "We could not read that.",
            html! {
                div .result.bad #wrong role="alert" {
                    h2 { "We could not read that." }
                    p { (why) }
                }
            },
        ),
    };
    let wrong = received.is_some_and(|received| received.is_err());
    let content = html! {
        h1 { "Report a message" }
        (content)
        form method="post" action="/report" enctype="multipart/form-data" {
            label for="mail" { "The message as an .eml file" }
            input #mail name="mail" type="file" accept=".eml,message/rfc822" required
                aria-describedby=[wrong.then_some("wrong")];
            button { "Send" }
        }
        details {
            summary { "How to save a message as a file" }
            ul {
                li { "Gmail: open the message, ⋮, “Download message”." }
                li { "Outlook: open the message, …, “Save as” or “Download”." }
                li { "Apple Mail: drag the message out of the list onto the desktop." }
                li { "Thunderbird: “File”, “Save as”, “File”." }
            }
        }
    };
    page(frame, title, &content)
}

/// What everybody can do.
pub fn protect(frame: &Frame<'_>) -> Markup {
    let content = html! {
        h1 { "Protect your account" }
        p .lead { "Five things that help, the most useful first." }
        ol .advice {
            li {
                h2 { "Come to us yourself" }
                p {
                    "Type " strong { (frame.company.site) } " into your browser. "
                    "Do not follow links in mails or messages, even if they know your name."
                }
            }
            li {
                h2 { "Turn on two-factor log-in" }
                p {
                    "With it, a password alone opens nothing. Use a passkey or an authenticator "
                    "app rather than a text message if you can."
                }
            }
            li {
                h2 { "Use a password only once" }
                p {
                    "If you use the same password elsewhere, change it there too. A password "
                    "manager makes and remembers them."
                }
            }
            li {
                h2 { "Expect messages that know things about you" }
                p {
                    "Whoever has your name and address can write a convincing mail. We never ask "
                    "for your password, a code or a payment by mail, telephone or text message."
                }
            }
            li {
                h2 { "Check what you are not sure of" }
                p {
                    "Our notices carry a code. " a href="/check" { "Check it here" } ", and "
                    a href="/report" { "report" } " what is not from us."
                }
            }
        }
    };
    page(frame, "Protect your account", &content)
}

/// A page that is not there.
pub fn not_found(frame: &Frame<'_>) -> Markup {
    let content = html! {
        h1 { "There is no such page" }
        p .lead { "The address may have a typing error, or the page was never here." }
        (what_you_can_do())
    };
    page(frame, "There is no such page", &content)
}

/// `5 February 2026, 02:00 UTC`.
pub fn human(at: Timestamp) -> PreEscaped<String> {
    PreEscaped(at.to_jiff().strftime("%-d %B %Y, %H:%M UTC").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::tests::{assert_sound, lines};

    fn bulletin(number: u32, version: u32, superseded: bool) -> Bulletin {
        let hour = number * 2 + version;
        Bulletin {
            incident: "inc_01KGNY7CG000000000000000AB".into(),
            number,
            version,
            title: "Security incident at a <provider>".into(),
            text: "A company that works for us had a security incident.\n\nWe have cut it off."
                .into(),
            published_at: Timestamp::parse(&format!("2026-02-05T0{hour}:00:00Z")).expect("a time"),
            superseded,
        }
    }

    fn pages() -> Vec<(&'static str, Markup)> {
        let company = Company::default();
        let at = |path| Frame { company: &company, path };
        let all = [bulletin(2, 1, false), bulletin(1, 2, false), bulletin(1, 1, true)];
        let why = "Save the whole message as an .eml file.";
        vec![
            ("home_quiet", home(&at("/"), &[])),
            ("home", home(&at("/"), &all)),
            ("incident", incident(&at("/"), &all)),
            ("check", check(&at("/check"), Checked::NotAsked)),
            ("check_genuine", check(&at("/check"), Checked::Genuine)),
            ("check_unknown", check(&at("/check"), Checked::Unknown)),
            ("check_too_many", check(&at("/check"), Checked::TooMany)),
            ("affected", affected(&at("/affected"), Asked::NotYet)),
            ("affected_asked", affected(&at("/affected"), Asked::Taken)),
            ("affected_too_many", affected(&at("/affected"), Asked::TooMany)),
            ("report", report(&at("/report"), None)),
            ("report_taken", report(&at("/report"), Some(Ok(())))),
            ("report_refused", report(&at("/report"), Some(Err(why)))),
            ("protect", protect(&at("/protect"))),
            ("not_found", not_found(&at(""))),
        ]
    }

    #[test]
    fn every_page_reads_as_it_was_last_looked_at() {
        for (name, page) in pages() {
            insta::assert_snapshot!(name, lines(&page.into_string()));
        }
    }

    #[test]
    fn every_page_is_whole_without_script_and_asks_no_other_host() {
        for (_, page) in pages() {
            assert_sound(&page.into_string());
        }
    }

    #[test]
    fn every_local_link_leads_to_a_page() {
        for (name, page) in pages() {
            let page = page.into_string();
            for target in page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
                let known = MENU.iter().any(|(path, _)| *path == target)
                    || ["/incidents/inc_", "/feed.", "/assets/", "#content"]
                        .iter()
                        .any(|start| target.starts_with(start));
                assert!(known, "{name} links to {target}");
            }
        }
    }
}
