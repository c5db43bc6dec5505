//! Signature Version 4 of AWS: a caller's signature checked, a request to the vendor signed. It
//! keeps no keys and knows no operations.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html>

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use model::error::Malformed;
use model::{Secret, Timestamp, crypto};
use percent_encoding::percent_decode_str;

use super::{Asking, Authorised, Leaving, Minted, SecretOf};
use crate::form::encode;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// AWS's own bound on how old or new a signature may be.
const SKEW_SECONDS: i64 = 15 * 60;
const CONTENT_HASH: &str = "x-amz-content-sha256";
const DATE: &str = "x-amz-date";
/// What stands for the hash of a body that is not signed.
const UNSIGNED: [&str; 2] = ["UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"];

/// A vendor's credential: `<key id>:<secret>`, with the region behind another colon where the host
/// does not say it.
struct Key<'a> {
    id: &'a str,
    secret: &'a str,
    region: Option<&'a str>,
}

impl<'a> Key<'a> {
    /// Reads a credential.
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(':');
        let (id, secret, region) = (parts.next()?, parts.next()?, parts.next());
        let is_id = id.len() >= 16 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let whole = is_id && secret.len() >= 30 && parts.next().is_none();
        whole.then_some(Self { id, secret, region })
    }

    /// Signs a request for this service with these further headers, which leave with it.
    fn sign(&self, service: &str, leaving: &Leaving<'_>, also: &[&'static str]) -> Authorised {
        let time = leaving.at.to_jiff().strftime("%Y%m%dT%H%M%SZ").to_string();
        let region = self.region.or_else(|| region(leaving.host)).unwrap_or("us-east-1");
        let hash = hex_digest(leaving.body);
        let mut headers = vec![
            ("host", leaving.host.to_owned()),
            (CONTENT_HASH, hash.clone()),
            (DATE, time.clone()),
        ];
        let given = also.iter().filter(|name| name.starts_with("x-amz-") && **name != CONTENT_HASH);
        let given = given.filter_map(|name| Some((*name, (leaving.header)(name)?.to_owned())));
        headers.extend(given);
        headers.sort_unstable();
        let canonical = Canonical {
            service,
            method: leaving.method,
            path: &format!("{}{}", leaving.prefix, leaving.path),
            query: leaving.query,
            headers: &headers,
            hash: &hash,
        };
        let scope = Scope { date: &time[..8], region, service };
        let signature = scope.signature(self.secret, &time, &canonical.text());
        let names = canonical.names();
        let value = format!(
            "{ALGORITHM} Credential={}/{}, SignedHeaders={names}, Signature={signature}",
            self.id,
            scope.text(),
        );
        let headers = vec![
            ("authorization", Secret::new(value)),
            (CONTENT_HASH, Secret::new(hash)),
            (DATE, Secret::new(time)),
        ];
        Authorised { headers, ..Authorised::default() }
    }
}

/// The id of the key with which a caller signed its request, if the signature fits: the secret is
/// the one that belongs to that id, the time is near, and the body is the one that was signed.
pub(crate) fn signer(service: &str, asking: &Asking<'_>) -> Option<String> {
    let (algorithm, fields) = (asking.header)("authorization")?.split_once(' ')?;
    let field = |name: &str| {
        let mut found = fields.split(',').filter_map(|one| one.trim().strip_prefix(name));
        found.next()?.strip_prefix('=')
    };
    let (id, scope) = field("Credential")?.split_once('/')?;
    let [date, region, named, "aws4_request"] = scope.split('/').collect::<Vec<_>>()[..] else {
        return None;
    };
    let time = (asking.header)(DATE)?;
    let is_near = (moment(time)?.seconds() - asking.at.seconds()).abs() <= SKEW_SECONDS;
    if algorithm != ALGORITHM || named != service || !is_near || !time.starts_with(date) {
        return None;
    }
    let names = field("SignedHeaders")?;
    let headers = names.split(';').map(|name| Some((name, (asking.header)(name)?.to_owned())));
    let headers = headers.collect::<Option<Vec<_>>>()?;
    if !names.split(';').any(|name| name == "host") {
        return None;
    }
    let actual = hex_digest(asking.body);
    let hash = (asking.header)(CONTENT_HASH).unwrap_or(&actual);
    if !UNSIGNED.contains(&hash) && hash != actual {
        return None;
    }
    let canonical = Canonical {
        service,
        method: asking.method,
        path: &format!("{}{}", asking.prefix, asking.path),
        query: asking.query,
        headers: &headers,
        hash,
    };
    let scope = Scope { date, region, service };
    let secret = (asking.secret_of)(id);
    let expected = scope.signature(secret.expose(), time, &canonical.text());
    let fits = crypto::equal(expected.as_bytes(), field("Signature")?.as_bytes());
    fits.then(|| id.to_owned())
}

/// Checks the shape of what an operator gives.
pub(crate) fn check(credential: &str) -> Result<(), Malformed> {
    let why = "it is `<access key id>:<secret access key>`, with `:<region>` behind it if need be";
    Key::parse(credential).map(|_| ()).ok_or(Malformed::new("AWS credential", why))
}

/// A key for a workload: its id is looked up, its secret belongs to it.
pub(crate) fn mint(random: [u8; 48], secret_of: SecretOf<'_>) -> Minted {
    const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let letter = |byte: &u8| char::from(BASE32[usize::from(byte % 32)]);
    let id = format!("AKIA{}", random[..16].iter().map(letter).collect::<String>());
    let secret = secret_of(&id);
    let token = Secret::new(id.clone());
    let environment =
        vec![("AWS_ACCESS_KEY_ID", Secret::new(id)), ("AWS_SECRET_ACCESS_KEY", secret)];
    Minted { token, environment }
}

/// A request to the vendor, signed with its credential.
pub(crate) fn authorise(
    service: &str,
    credential: &Secret<String>,
    leaving: &Leaving<'_>,
    also: &[&'static str],
) -> Result<Authorised, Malformed> {
    check(credential.expose())?;
    let key = Key::parse(credential.expose()).expect("it was just checked");
    Ok(key.sign(service, leaving, also))
}

struct Scope<'a> {
    date: &'a str,
    region: &'a str,
    service: &'a str,
}

impl Scope<'_> {
    fn text(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.date, self.region, self.service)
    }

    fn signature(&self, secret: &str, time: &str, canonical: &str) -> String {
        let hash = hex_digest(canonical.as_bytes());
        let to_sign = format!("{ALGORITHM}\n{time}\n{}\n{hash}", self.text());
        let first = Secret::new(format!("AWS4{secret}").into_bytes());
        let steps = [self.date, self.region, self.service, "aws4_request"];
        let key =
            steps.iter().fold(first, |key, step| Secret::new(mac(key.expose(), step.as_bytes())));
        crypto::to_hex(&mac(key.expose(), to_sign.as_bytes()))
    }
}

struct Canonical<'a> {
    service: &'a str,
    method: &'a str,
    path: &'a str,
    query: Option<&'a str>,
    /// In the order in which they are signed.
    headers: &'a [(&'a str, String)],
    hash: &'a str,
}

impl Canonical<'_> {
    fn names(&self) -> String {
        self.headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";")
    }

    fn text(&self) -> String {
        let headers = self.headers.iter().map(|(name, value)| {
            let value = value.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
            format!("{name}:{value}\n")
        });
        format!(
            "{}\n{}\n{}\n{}\n{}\n{}",
            self.method,
            self.path(),
            query(self.query.unwrap_or_default()),
            headers.collect::<String>(),
            self.names(),
            self.hash,
        )
    }

    /// S3 takes a path as it is sent; for the others each segment is encoded once more.
    fn path(&self) -> String {
        match self.service {
            "s3" => self.path.to_owned(),
            _ => self.path.split('/').map(encode).collect::<Vec<_>>().join("/"),
        }
    }
}

fn query(query: &str) -> String {
    let decoded = |text: &str| percent_decode_str(text).collect::<Vec<u8>>();
    let plain = |text: &str| encode(&String::from_utf8_lossy(&decoded(text)));
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let mut pairs: Vec<(String, String)> = pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| (plain(key), plain(value)))
        .collect();
    pairs.sort_unstable();
    pairs.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join("&")
}

/// The region in a host of AWS, such as `email.eu-west-1.amazonaws.com`.
fn region(host: &str) -> Option<&str> {
    let below =
        host.strip_suffix(".amazonaws.com").or_else(|| host.strip_suffix(".amazonaws.com.cn"))?;
    below.rsplit_once('.').map(|(_, region)| region)
}

/// `20261124T122547Z` as a time.
fn moment(text: &str) -> Option<Timestamp> {
    let digits = text.len() == 16 && text.is_ascii();
    let part = |range| digits.then(|| &text[range]);
    let (date, time) = (part(0..8)?, part(9..15)?);
    let text = format!(
        "{}-{}-{}T{}:{}:{}Z",
        &date[..4],
        &date[4..6],
        &date[6..],
        &time[..2],
        &time[2..4],
        &time[4..]
    );
    Timestamp::parse(&text).ok()
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text).as_ref().to_vec()
}

fn hex_digest(bytes: &[u8]) -> String {
    crypto::to_hex(digest(&SHA256, bytes).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    /// AWS's own example: <https://docs.aws.amazon.com/IAM/latest/UserGuide/signing-elements.html>.
    #[test]
    fn a_signature_is_the_one_of_awss_example() {
        let headers = [
            ("content-type", "application/x-www-form-urlencoded; charset=utf-8".to_owned()),
            ("host", "iam.amazonaws.com".to_owned()),
            ("x-amz-date", "20150830T123600Z".to_owned()),
        ];
        let canonical = Canonical {
            service: "iam",
            method: "GET",
            path: "/",
            query: Some("Version=2010-05-08&Action=ListUsers"),
            headers: &headers,
            hash: &hex_digest(b""),
        };
        let scope = Scope { date: "20150830", region: "us-east-1", service: "iam" };
        assert_eq!(
            scope.signature(SECRET, "20150830T123600Z", &canonical.text()),
            "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
        );
    }

    #[test]
    fn what_is_signed_here_is_believed_here_and_nothing_else() {
        let credential = format!("AKIDEXAMPLEEXAMPLE00:{SECRET}");
        let at = Timestamp::from_seconds(1_770_256_800);
        let key = Key::parse(&credential).expect("a key");
        let leaving = Leaving {
            method: "POST",
            host: "email.eu-west-1.amazonaws.com",
            prefix: "",
            path: "/v2/email/contact-lists/a%20b/contacts",
            query: Some("b=2&a=%2F"),
            header: &|_| None,
            body: b"{}",
            at,
        };
        let signed = key.sign("ses", &leaving, &[]);
        let check = |body: &[u8], host: &str, at: Timestamp, secret: &str| {
            let header = |name: &str| match name {
                "host" => Some(host),
                name => {
                    let found = signed.headers.iter().find(|(known, _)| *known == name)?;
                    Some(found.1.expose().as_str())
                }
            };
            let asking = Asking {
                method: leaving.method,
                prefix: "",
                path: leaving.path,
                query: leaving.query,
                header: &header,
                body,
                at,
                secret_of: &|_| Secret::new(secret.to_owned()),
            };
            signer("ses", &asking)
        };
        let late = at.plus_seconds(SKEW_SECONDS + 1);
        assert_eq!(check(b"{}", leaving.host, at, SECRET).as_deref(), Some(key.id));
        assert_eq!(check(b"{ }", leaving.host, at, SECRET), None);
        assert_eq!(check(b"{}", "other.example", at, SECRET), None);
        assert_eq!(check(b"{}", leaving.host, late, SECRET), None);
        assert_eq!(check(b"{}", leaving.host, at, &SECRET.to_lowercase()), None);
        let written = signed.headers[0].1.expose();
        assert!(written.contains("/eu-west-1/ses/aws4_request"), "{written}");
    }
}
