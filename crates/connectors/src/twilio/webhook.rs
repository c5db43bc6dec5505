//! Twilio's status callback: HMAC-SHA1 over the URL and the sorted form, no time. The same event
//! again has the same id. It does not read Event Streams or callbacks in JSON.

use std::collections::BTreeSet;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::crypto;

use super::account::{Account, is_token};
use super::messages::{REFERENCE, phone};
use crate::form;
use crate::webhook::{Event, Webhook, WebhookRefused};

/// Checks the signature, then the account, then reads the one event.
pub(super) fn read(webhook: &Webhook<'_>) -> Result<Vec<Event>, WebhookRefused> {
    let signature = (webhook.header)("x-twilio-signature").filter(|value| !value.is_empty());
    let signature = signature.ok_or(WebhookRefused::Unsigned)?;
    let secret = webhook.secret.expose().as_str();
    let account = Account::parse(secret);
    let token = account.map(|account| account.token).or_else(|| is_token(secret).then_some(secret));
    let token = token.ok_or(WebhookRefused::Key)?;
    let pairs = form::parse(webhook.body).map_err(|_| WebhookRefused::Form)?;
    let fits =
        |url: &String| crypto::equal(sign(token, url, &pairs).as_bytes(), signature.as_bytes());
    if !spellings(webhook.url).iter().any(fits) {
        return Err(WebhookRefused::Signature);
    }

    let value = |key: &str| {
        let pair = pairs.iter().find(|(name, value)| name == key && !value.is_empty());
        pair.map(|(_, value)| value.as_str())
    };
    if account.is_some_and(|account| value("AccountSid") != Some(account.sid)) {
        return Err(WebhookRefused::Form);
    }
    let message = value("MessageSid").or(value("SmsSid")).ok_or(WebhookRefused::Form)?;
    let status = value("MessageStatus").or(value("SmsStatus")).ok_or(WebhookRefused::Form)?;
    Ok(vec![Event {
        id: format!("{message}:{status}"),
        at: webhook.now,
        event: status.to_owned(),
        message: Some(message.to_owned()),
        recipient: value("To").and_then(phone),
        reference: form::query_value(webhook.url, REFERENCE).filter(|text| !text.is_empty()),
    }])
}

/// The signature of a call: over the URL, then each pair once, in order of key and value.
fn sign(token: &str, url: &str, pairs: &[(String, String)]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, token.as_bytes());
    let mut context = hmac::Context::with_key(&key);
    context.update(url.as_bytes());
    for (name, value) in pairs.iter().collect::<BTreeSet<_>>() {
        context.update(name.as_bytes());
        context.update(value.as_bytes());
    }
    STANDARD.encode(context.sign())
}

/// The URL as Twilio may have signed it: as it is, and with and without the scheme's own port.
fn spellings(url: &str) -> Vec<String> {
    let mut all = vec![url.to_owned()];
    let Some((scheme, rest)) = url.split_once("://") else { return all };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, tail) = rest.split_at(end);
    let port = if scheme.eq_ignore_ascii_case("https") { ":443" } else { ":80" };
    let after_brackets = host.rfind(']').map_or(0, |at| at + 1);
    match host[after_brackets..].rfind(':') {
        Some(at) => all.push(format!("{scheme}://{}{tail}", &host[..after_brackets + at])),
        None => all.push(format!("{scheme}://{host}{port}{tail}")),
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector of Twilio's own SDKs.
    const SIGNATURE: &str = "GvWf1cFY/Q7PnoempGyD5oXAezc=";

    fn pairs() -> Vec<(String, String)> {
        [
            ("To", "+18005551212"),
            ("CallSid", "CA1234567890ABCDE"),
            ("Caller", "+14158675310"),
            ("Digits", "1234"),
            ("From", "+14158675310"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .to_vec()
    }

    #[test]
    fn the_published_vector_fits() {
        let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
        assert_eq!(sign("12345", url, &pairs()), SIGNATURE);
        let twice = [pairs(), pairs()].concat();
        assert_eq!(sign("12345", url, &twice), SIGNATURE, "a pair counts once");
        assert_ne!(sign("12346", url, &pairs()), SIGNATURE);
    }

    #[test]
    fn a_port_of_the_scheme_may_be_there_or_not() {
        let all = spellings("https://mycompany.com:443/myapp.php?foo=1&bar=2");
        assert!(all.iter().any(|url| sign("12345", url, &pairs()) == SIGNATURE));
        assert_eq!(spellings("http://x.example/a:b")[1], "http://x.example:80/a:b");
        assert_eq!(spellings("https://[::1]/a")[1], "https://[::1]:443/a");
        assert_eq!(spellings("https://x.example?q=1")[1], "https://x.example:443?q=1");
    }
}
