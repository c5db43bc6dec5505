//! The code in each notice by which its reader checks, on the company's site, that it is genuine.
//!
//! Sixteen letters and digits, `XXXX-XXXX-XXXX-XXXX`, are 80 bits: a 35-bit nonce that a keyed hash
//! draws from notice and person, then a 45-bit MAC over notice and nonce. So every person's code
//! looks random, and it is checked without a look-up, without the person, and without a list of
//! who was told.
//!
//! **Odds.** A made-up code passes with probability n · 2⁻⁴⁵ where n notices are candidates: 3 in
//! 10¹⁴ for one, below 1 in 10⁹ for up to 35,000. Two of 15 million persons share a code's nonce
//! in about 3,000 pairs, which harms nobody: the nonce stands for no one.
//!
//! **Not shown by it:** that the mail in hand is the one that we sent. Whoever got a genuine notice
//! can copy its code into a forged one, so the page that checks a code also says what a genuine
//! notice never does: link, ask for a password, carry a file.

use model::id::Id as _;
use model::{MacKey, NoticeId, PersonKey, crypto};

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LETTERS: usize = 16;
const GROUP: usize = 4;
const NONCE_BITS: u32 = 35;
const MAC_BITS: u32 = 45;

/// The code for one person's copy of a notice; always the same for the same three.
pub fn make(key: &MacKey, notice: NoticeId, person: PersonKey) -> String {
    let notice_bytes = notice.to_u128().to_be_bytes();
    let nonce = key.mac(&[b"notice-code-nonce", &notice_bytes, &person.0.to_be_bytes()]);
    let nonce = first_bits(&nonce, NONCE_BITS);
    write(nonce << MAC_BITS | tag(key, notice, nonce))
}

/// Which of the candidates the code was made for, if any.
///
/// Case, spaces, dots and hyphens do not matter; `O` counts as zero, `I` and `L` as one. The time
/// depends on the number of candidates only.
pub fn check(key: &MacKey, text: &str, candidates: &[NoticeId]) -> Option<NoticeId> {
    let value = read(text)?;
    let (nonce, claimed) = (value >> MAC_BITS, value & ((1 << MAC_BITS) - 1));
    candidates.iter().fold(None, |found, &notice| {
        let genuine = crypto::equal(&tag(key, notice, nonce).to_be_bytes(), &claimed.to_be_bytes());
        if genuine { Some(notice) } else { found }
    })
}

fn tag(key: &MacKey, notice: NoticeId, nonce: u128) -> u128 {
    let mac = key.mac(&[b"notice-code-mac", &notice.to_u128().to_be_bytes(), &nonce.to_be_bytes()]);
    first_bits(&mac, MAC_BITS)
}

fn first_bits(mac: &[u8; 32], bits: u32) -> u128 {
    let head = mac[..16].iter().fold(0, |value, &byte| value << 8 | u128::from(byte));
    head >> (u128::BITS - bits)
}

fn write(value: u128) -> String {
    let mut text = String::with_capacity(LETTERS + LETTERS / GROUP);
    for index in 0..LETTERS {
        if index > 0 && index % GROUP == 0 {
            text.push('-');
        }
        let shift = 5 * (LETTERS - 1 - index);
        text.push(char::from(ALPHABET[(value >> shift) as usize & 31]));
    }
    text
}

/// Reads what a person typed; `None` when it cannot be a code.
fn read(text: &str) -> Option<u128> {
    const SEPARATORS: &str = " -–—.\t\r\n\u{a0}";
    let mut letters = 0;
    let mut value = 0;
    for letter in text.chars().filter(|letter| !SEPARATORS.contains(*letter)) {
        let letter = match letter.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        };
        let digit = ALPHABET.iter().position(|&known| char::from(known) == letter)?;
        value = value << 5 | digit as u128;
        letters += 1;
        if letters > LETTERS {
            return None;
        }
    }
    (letters == LETTERS).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::RootKey;

    fn key() -> MacKey {
        RootKey::new([7; 32]).mac_key("notice-code")
    }

    const OURS: u128 = 0x0123;
    const OTHER: u128 = 0x4567;

    fn notices() -> [NoticeId; 2] {
        [NoticeId::from_u128(OURS), NoticeId::from_u128(OTHER)]
    }

    #[test]
    fn a_code_is_found_genuine_for_its_notice_and_for_no_other() {
        let [ours, other] = notices();
        let code = make(&key(), ours, PersonKey(1));
        assert_eq!(check(&key(), &code, &notices()), Some(ours));
        assert_eq!(check(&key(), &code, &[other]), None);
        assert_eq!(check(&key(), &code, &[]), None);
        assert_eq!(check(&RootKey::new([8; 32]).mac_key("notice-code"), &code, &notices()), None);
    }

    #[test]
    fn a_code_is_the_same_each_time_and_another_for_another_person() {
        let [ours, other] = notices();
        assert_eq!(make(&key(), ours, PersonKey(1)), make(&key(), ours, PersonKey(1)));
        let mut codes: Vec<_> =
            (0..2_000).map(|person| make(&key(), ours, PersonKey(person))).collect();
        codes.push(make(&key(), other, PersonKey(1)));
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), 2_001);
    }

    #[test]
    fn a_code_has_four_groups_that_cannot_be_misread() {
        let code = make(&key(), notices()[0], PersonKey(1));
        assert_eq!(code.len(), 19);
        assert!(code.split('-').all(|group| group.len() == 4));
        assert!(!code.contains(['I', 'L', 'O', 'U']));
    }

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let ours = notices()[0];
        let code = make(&key(), ours, PersonKey(3));
        let sloppy = code.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
        for text in [sloppy.as_str(), &code.replace('-', ""), &format!("  {code}\n")] {
            assert_eq!(check(&key(), text, &notices()), Some(ours), "{text}");
        }
    }

    #[test]
    fn what_is_no_code_is_not_genuine() {
        let code = make(&key(), notices()[0], PersonKey(3));
        let too_long = format!("{code}0");
        for text in ["", "-", "hello", &code[..18], &too_long, "UUUU-UUUU-UUUU-UUUU", "ÄÄÄÄ"] {
            assert_eq!(check(&key(), text, &notices()), None, "{text}");
        }
    }

    #[test]
    fn a_change_of_any_letter_is_noticed() {
        let code = make(&key(), notices()[0], PersonKey(5));
        for (at, letter) in code.char_indices().filter(|(_, letter)| *letter != '-') {
            let other = if letter == '7' { "8" } else { "7" };
            let mut changed = code.clone();
            changed.replace_range(at..=at, other);
            assert_eq!(check(&key(), &changed, &notices()), None, "{changed}");
        }
    }
}
