//! What opens what: vendors' credentials and workloads' tokens, how they stand and when they were
//! last used. No secret is here, and nothing is changed from here.

use maud::{Markup, html};
use model::{Timestamp, VendorName, WorkloadName};

use super::page::page;
use super::words::grouped;
use crate::api::tokens::Shown as Token;
use crate::credentials::Shown as Credential;
use crate::portal::pages::human;

/// Everything that opens something.
pub fn access(
    credentials: &[(VendorName, Credential)],
    tokens: &[(WorkloadName, Vec<Token>)],
) -> Markup {
    let content = html! {
        h1 { "Access" }
        section #credentials {
            h2 { "Vendors' credentials" }
            @if credentials.is_empty() { p { "No vendor is registered." } }
            @else { (table_of_credentials(credentials)) }
        }
        section #tokens {
            h2 { "Workloads' tokens" }
            @if tokens.is_empty() { p { "No workload is registered." } }
            @else { (table_of_tokens(tokens)) }
        }
    };
    page("Access", &content)
}

fn table_of_credentials(credentials: &[(VendorName, Credential)]) -> Markup {
    html! {
        table {
            thead {
                tr {
                    th scope="col" { "vendor" }
                    th scope="col" { "source" }
                    th scope="col" { "state" }
                    th scope="col" { "changed" }
                    th scope="col" { "confirmed" }
                }
            }
            tbody {
                @for (vendor, shown) in credentials {
                    tr {
                        th scope="row" { (vendor) }
                        td { (shown.source) }
                        td {
                            (state(shown.state))
                            @if let Some(code) = shown.failure { " " (code) }
                        }
                        td { (time(shown.changed_at)) }
                        td { (time(shown.fetched_at)) }
                    }
                }
            }
        }
    }
}

fn table_of_tokens(tokens: &[(WorkloadName, Vec<Token>)]) -> Markup {
    html! {
        table {
            thead {
                tr {
                    th scope="col" { "workload" }
                    th scope="col" { "vendor" }
                    th scope="col" { "token" }
                    th scope="col" { "state" }
                    th scope="col" { "until" }
                    th scope="col" { "uses" }
                    th scope="col" { "last used" }
                }
            }
            tbody {
                @for (workload, tokens) in tokens {
                    @for token in tokens {
                        tr {
                            th scope="row" { (workload) }
                            td { (token.vendor) }
                            td { (token.token) }
                            td { (state(token.state)) }
                            td { (time(token.revoked_at.or(token.expires_at))) }
                            td { (grouped(token.uses)) }
                            td { (time(token.last_used_at)) }
                        }
                    }
                }
            }
        }
    }
}

fn state(word: &'static str) -> Markup {
    let class = match word {
        "ready" | "live" => "ok",
        "in-grace" | "changing" => "wait",
        "missing" | "stale" => "no",
        _ => "neutral",
    };
    html! { span class={ "tag " (class) } { (word) } }
}

fn time(at: Option<Timestamp>) -> Markup {
    html! { @match at { Some(at) => { (human(at)) } None => { "–" } } }
}

#[cfg(test)]
pub mod tests {
    use model::{Network, TokenId};

    use super::*;

    const DAY: Timestamp = Timestamp::from_seconds(1_770_256_800);

    fn credential(source: &str, state: &'static str, failure: Option<&'static str>) -> Credential {
        Credential {
            source: source.to_owned(),
            state,
            version: Some(3),
            fetched_at: Some(DAY),
            changed_at: failure.is_none().then_some(DAY),
            stale_at: Some(DAY.plus_seconds(3_600)),
            failure,
        }
    }

    fn token(number: u8, state: &'static str) -> Token {
        Token {
            token: TokenId::of(&[number; 32]),
            vendor: VendorName::parse("sendgrid").expect("a vendor"),
            state,
            networks: vec![Network::parse("10.0.0.0/8").expect("a network")],
            created_at: DAY,
            expires_at: (state != "live").then_some(DAY),
            rotated_at: None,
            revoked_at: None,
            last_used_at: (state == "live").then_some(DAY),
            uses: 12_345,
        }
    }

    /// The page with one of each.
    pub fn sample() -> Markup {
        let vendor = |name| VendorName::parse(name).expect(name);
        let credentials = [
            (vendor("sendgrid"), credential("vault:secret/data/sendgrid#key", "ready", None)),
            (vendor("twilio"), credential("file:/run/twilio", "stale", Some("source-unreadable"))),
        ];
        let shop = WorkloadName::parse("shop").expect("a workload");
        let tokens = vec![token(1, "live"), token(2, "in-grace"), token(3, "expired")];
        access(&credentials, &[(shop, tokens)])
    }
}
