//! The signed reference in each message: «this is ours, and it is for you».
//!
//! `c1.<call>.<mac>[.<mac>…]`: the call's id, then for each recipient 96 bits of HMAC-SHA-256 over
//! vendor, call and recipient, base64url. It says nothing about anybody, is checked without a
//! look-up, and a copy in a message to somebody else does not check.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::fact::ReferenceCheck;
use model::id::Id as _;
use model::{CallId, Identifier, MacKey, VendorName};

const VERSION: &str = "c1";
const MAC_BYTES: usize = 12;

/// The key and the vendor for which references are made and checked.
pub struct Reference<'a> {
    /// The key, derived for references alone.
    pub key: &'a MacKey,
    /// The vendor through which messages go.
    pub vendor: &'a VendorName,
}

impl Reference<'_> {
    fn mac(&self, call: CallId, recipient: &Identifier) -> String {
        let mac = self.key.mac(&[
            self.vendor.as_str().as_bytes(),
            &call.to_u128().to_be_bytes(),
            recipient.kind().name().as_bytes(),
            recipient.text().as_bytes(),
        ]);
        URL_SAFE_NO_PAD.encode(&mac[..MAC_BYTES])
    }

    /// The reference of a message of `call` to these recipients.
    pub fn sign(&self, call: CallId, recipients: &[&Identifier]) -> String {
        let id = URL_SAFE_NO_PAD.encode(call.to_u128().to_be_bytes());
        let macs = recipients.iter().map(|recipient| format!(".{}", self.mac(call, recipient)));
        format!("{VERSION}.{id}{}", macs.collect::<String>())
    }

    /// What a text in the reference's place says of a message to this recipient.
    ///
    /// A well-formed reference none of whose MACs is for this recipient may be a copy or made up;
    /// without a look-up the two are told apart only by asking for `known`: whether that call was
    /// ever made.
    pub fn check(
        &self,
        text: Option<&str>,
        recipient: Option<&Identifier>,
        known: &dyn Fn(CallId) -> bool,
    ) -> ReferenceCheck {
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            return ReferenceCheck::Absent;
        };
        let mut parts = text.split('.');
        let call = (parts.next() == Some(VERSION))
            .then(|| parts.next().and_then(|id| URL_SAFE_NO_PAD.decode(id).ok()))
            .flatten()
            .and_then(|bytes| <[u8; 16]>::try_from(bytes).ok())
            .map(|bytes| CallId::from_u128(u128::from_be_bytes(bytes)));
        let Some(call) = call else {
            return ReferenceCheck::Forged;
        };
        let fits = recipient.is_some_and(|recipient| {
            let expected = self.mac(call, recipient);
            parts.any(|mac| model::crypto::equal(mac.as_bytes(), expected.as_bytes()))
        });
        match (fits, known(call)) {
            (true, _) => ReferenceCheck::Valid { call },
            (false, true) => ReferenceCheck::OtherRecipient { call },
            (false, false) => ReferenceCheck::Forged,
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{Email, RootKey, Timestamp};

    use super::*;

    fn email(text: &str) -> Identifier {
        Identifier::Email(Email::parse(text).expect(text))
    }

    #[test]
    fn a_copied_reference_fails_for_another_recipient() {
        let key = RootKey::new([1; 32]).mac_key("reference");
        let vendor = VendorName::parse("sendgrid").expect("a name");
        let reference = Reference { key: &key, vendor: &vendor };
        let call = CallId::compose(Timestamp::from_seconds(1), [9; 10]);
        let (ann, bob, eve) =
            (email("ann@x.example"), email("bob@x.example"), email("eve@x.example"));
        let text = reference.sign(call, &[&ann, &bob]);

        let check = |text: Option<&str>, who: &Identifier, known: bool| {
            reference.check(text, Some(who), &|_| known)
        };
        assert_eq!(check(Some(&text), &ann, true), ReferenceCheck::Valid { call });
        assert_eq!(check(Some(&text), &bob, false), ReferenceCheck::Valid { call });
        assert_eq!(check(Some(&text), &eve, true), ReferenceCheck::OtherRecipient { call });
        assert_eq!(check(Some(&text), &eve, false), ReferenceCheck::Forged);
        assert_eq!(check(Some("c1.made-up.x"), &ann, true), ReferenceCheck::Forged);
        assert_eq!(check(None, &ann, true), ReferenceCheck::Absent);
    }
}
