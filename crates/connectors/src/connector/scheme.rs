//! The schemes of `Authorization` that vendors share: bearer and `Basic` (RFC 6750, RFC 7617). They
//! do not know what a credential of a vendor looks like.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::Secret;

use crate::connector::{Asking, Authorised};

/// The value behind this scheme, compared without regard to case.
pub(crate) fn bearer(asking: &Asking<'_>, scheme: &str) -> Option<Secret<String>> {
    let (given, value) = (asking.header)("authorization")?.split_once(' ')?;
    given.eq_ignore_ascii_case(scheme).then(|| Secret::new(value.trim().to_owned()))
}

/// `user:password` of a `Basic` header.
pub(crate) fn basic(asking: &Asking<'_>) -> Option<Secret<String>> {
    let encoded = bearer(asking, "basic")?;
    let bytes = STANDARD.decode(encoded.expose()).ok()?;
    String::from_utf8(bytes).ok().map(Secret::new)
}

/// A credential behind this scheme.
pub(crate) fn authorization(scheme: &str, credential: &Secret<String>) -> Authorised {
    let value = Secret::new(format!("{scheme} {}", credential.expose()));
    Authorised { headers: vec![("authorization", value)], ..Authorised::default() }
}

/// `user:password` as a `Basic` header.
pub(crate) fn basic_authorization(pair: &Secret<String>) -> Authorised {
    authorization("Basic", &Secret::new(STANDARD.encode(pair.expose())))
}
