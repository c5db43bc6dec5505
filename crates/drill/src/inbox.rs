//! The drill's own receiving server: takes every notice, says what it saw of each recipient, and
//! refuses or puts off some as a scenario says. It keeps no addresses and, but for a few samples,
//! no mail.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, RwLock};

use mail::{InboxDown, ReceivedMail};
use model::{crypto, limits};

use crate::scenario::Receiving;

/// Mails kept whole in one language; together at most [`limits::DRILL_SAMPLE_MAILS`].
const SAMPLES_PER_LANGUAGE: usize = 4;

/// The inbox of everybody in the drill.
#[derive(Debug, Default)]
pub struct Inbox {
    rules: Receiving,
    samples: Option<PathBuf>,
    /// TXT records of the sender's DKIM keys, by lower-case name.
    published: RwLock<HashMap<String, String>>,
    seen: Mutex<Seen>,
}

/// What one recipient got.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Got {
    /// Mails taken.
    pub mails: u32,
    /// The `Message-ID` of each, without those that came again.
    pub message_ids: Vec<String>,
    /// The code in the text of the last one, if there was one.
    pub code: Option<String>,
    /// Whether every mail had a DKIM signature that holds against the published keys.
    pub signed: bool,
    /// `Content-Language` of the last one.
    pub language: Option<String>,
}

/// Counts over all recipients.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Mails taken.
    pub mails: u64,
    /// Recipients with at least one.
    pub recipients: u64,
    /// Mails beyond the first of a recipient.
    pub again: u64,
    /// Mails without a signature that holds.
    pub unsigned: u64,
    /// Mails without a code.
    pub without_code: u64,
    /// Mails that were put off once.
    pub deferred: u64,
    /// Mails that are no mail.
    pub unreadable: u64,
}

#[derive(Debug, Default)]
struct Seen {
    got: HashMap<[u8; 16], Got>,
    deferred: HashSet<[u8; 16]>,
    samples: HashMap<String, usize>,
    tally: Tally,
}

impl Inbox {
    /// An inbox with these rules; a few mails of each language are written to `samples`.
    pub fn new(rules: Receiving, samples: Option<PathBuf>) -> Self {
        Self { rules, samples, ..Self::default() }
    }

    /// Sets the DKIM records that are published: name and TXT value.
    pub fn publish(&self, records: impl IntoIterator<Item = (String, String)>) {
        let records = records.into_iter().map(|(name, value)| (name.to_lowercase(), value));
        let mut published =
            self.published.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        published.extend(records);
    }

    /// What came for this address.
    pub fn got(&self, address: &str) -> Option<Got> {
        self.seen().got.get(&hash(address)).cloned()
    }

    /// Counts so far.
    pub fn tally(&self) -> Tally {
        self.seen().tally
    }

    /// Whether the scenario has this address refused.
    pub fn refuses(&self, address: &str) -> bool {
        is_chosen(address, "refuse", self.rules.refuse_every)
    }

    /// Whether the scenario has the first mail to this address put off.
    pub fn defers(&self, address: &str) -> bool {
        is_chosen(address, "defer", self.rules.defer_every)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn take(&self, mail: &ReceivedMail) -> Result<(), InboxDown> {
        for recipient in mail.recipients.iter().filter(|recipient| self.defers(recipient)) {
            let mut seen = self.seen();
            if seen.deferred.insert(hash(recipient)) {
                seen.tally.deferred += 1;
                return Err(InboxDown);
            }
        }
        let published = self.published.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let signatures =
            mail::verify_dkim(&mail.raw, &|name| published.get(&name.to_lowercase()).cloned());
        drop(published);
        let signed = signatures.iter().any(|signature| signature.pass);
        let Ok(read) = mail::read(&mail.raw) else {
            self.seen().tally.unreadable += 1;
            return Ok(());
        };
        let code = find_code(&read.text);
        let language = read.header("Content-Language").map(str::to_owned);
        self.keep_sample(language.as_deref().unwrap_or("none"), &mail.raw);
        let mut seen = self.seen();
        for recipient in &mail.recipients {
            let message_id = read.message_id.clone();
            seen.count(recipient, message_id, code.clone(), signed, language.clone());
        }
        Ok(())
    }

    fn keep_sample(&self, language: &str, raw: &[u8]) {
        let Some(folder) = &self.samples else { return };
        let mut seen = self.seen();
        let kept = seen.samples.values().sum::<usize>();
        let of_language = seen.samples.entry(language.to_owned()).or_default();
        if kept >= limits::DRILL_SAMPLE_MAILS || *of_language >= SAMPLES_PER_LANGUAGE {
            return;
        }
        *of_language += 1;
        let letters = |c: &char| c.is_ascii_alphanumeric() || *c == '-';
        let plain: String = language.chars().filter(letters).take(16).collect();
        let path = folder.join(format!("notice-{plain}-{of_language}.eml"));
        drop(seen);
        if let Err(error) = fs::write(&path, raw) {
            tracing::warn!(%error, "a sample mail could not be kept");
        }
    }
}

impl Seen {
    fn count(
        &mut self,
        recipient: &str,
        message_id: Option<String>,
        code: Option<String>,
        signed: bool,
        language: Option<String>,
    ) {
        let tally = &mut self.tally;
        tally.mails += 1;
        tally.unsigned += u64::from(!signed);
        tally.without_code += u64::from(code.is_none());
        let got = self.got.entry(hash(recipient)).or_default();
        match got.mails {
            0 => {
                tally.recipients += 1;
                got.signed = signed;
            }
            _ => {
                tally.again += 1;
                got.signed &= signed;
            }
        }
        got.mails += 1;
        let new = message_id.filter(|id| !got.message_ids.contains(id));
        got.message_ids.extend(new);
        (got.code, got.language) = (code, language);
    }
}

impl mail::Inbox for Inbox {
    fn accepts(&self, recipient: &str) -> bool {
        !self.refuses(recipient)
    }

    fn receive(
        &self,
        mail: ReceivedMail,
    ) -> Pin<Box<dyn Future<Output = Result<(), InboxDown>> + Send + '_>> {
        Box::pin(async move { self.take(&mail) })
    }
}

fn hash(address: &str) -> [u8; 16] {
    let whole = crypto::sha256(address.trim().to_lowercase().as_bytes());
    std::array::from_fn(|place| whole[place])
}

/// Whether an address is one of those that a rule takes: always the same ones, however often and
/// in whatever order they come.
fn is_chosen(address: &str, rule: &str, every: Option<u64>) -> bool {
    let Some(every) = every.filter(|&every| every > 0) else { return false };
    let name = format!("{rule} {}", address.trim().to_lowercase());
    let hash = crypto::sha256(name.as_bytes());
    let head = hash[..8].iter().fold(0, |value, &byte| value << 8 | u64::from(byte));
    head.is_multiple_of(every)
}

/// The code in a notice: four groups of four letters and digits, hyphens between.
fn find_code(text: &str) -> Option<String> {
    let letter = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_uppercase();
    let is_code = |word: &&str| {
        word.len() == 19
            && word.bytes().enumerate().all(|(place, byte)| match place {
                4 | 9 | 14 => byte == b'-',
                _ => letter(byte),
            })
    };
    let mut words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    words.find(is_code).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mail::{DkimKeys, Letter, Receiver, Relay, RelayTls, SendError, Session};
    use model::{Email, Timestamp};
    use tokio::net::TcpListener;
    use tokio::sync::oneshot;

    use super::*;

    const CODE: &str = "0A1B-2C3D-4E5F-6G7H";

    fn rules(refuse_every: Option<u64>, defer_every: Option<u64>) -> Receiving {
        Receiving { refuse_every, defer_every }
    }

    fn letter(to: &str, id: &str) -> Vec<u8> {
        let letter = Letter {
            from_name: "Lumen",
            from: &Email::parse("notice@lumen.example").expect("an address"),
            to: &Email::parse(to).expect("an address"),
            reply_to: None,
            subject: "What happened",
            text: &format!("Your code is {CODE}, check it on our site."),
            html: None,
            message_id: id,
            date: Timestamp::from_seconds(1_770_000_000),
            headers: &[("Content-Language", "de")],
        };
        letter.build()
    }

    async fn serve(inbox: Arc<Inbox>) -> (Session, oneshot::Sender<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let (stop, stopped) = oneshot::channel();
        let tls = mail::self_signed("inbox.example").expect("a certificate");
        let receiver = Receiver::new("inbox.example", tls);
        tokio::spawn(receiver.serve(listener, inbox, async {
            stopped.await.ok();
        }));
        let relay = Relay::new("127.0.0.1", port, RelayTls::Opportunistic, "sender.example");
        (Session::open(&relay).await.expect("a session"), stop)
    }

    #[tokio::test]
    async fn a_signed_notice_is_seen_with_its_code_and_language() {
        let keys = DkimKeys::generate("lumen.example", "cordon").expect("keys");
        let folder = tempfile::tempdir().expect("a folder");
        let inbox = Arc::new(Inbox::new(Receiving::default(), Some(folder.path().to_owned())));
        inbox.publish(keys.dns_records());
        let (mut session, _stop) = serve(inbox.clone()).await;
        let at = Timestamp::from_seconds(1_770_000_000);
        let signed = keys.sign(letter("ann@members.example", "1@lumen.example"), at);
        let from = "bounce@lumen.example";
        session.send(from, "ann@members.example", &signed).await.expect("it is taken");

        let got = inbox.got("ANN@members.example").expect("it came");
        assert_eq!((got.mails, got.signed), (1, true));
        assert_eq!(got.code.as_deref(), Some(CODE));
        assert_eq!(got.language.as_deref(), Some("de"));
        assert_eq!(got.message_ids, ["1@lumen.example"]);
        let samples = fs::read_dir(folder.path()).expect("the folder").count();
        assert_eq!(samples, 1, "it was kept as a sample");

        let changed = String::from_utf8(signed).expect("text").replace("Your code", "Their code");
        let sent = session.send(from, "bob@members.example", changed.as_bytes()).await;
        sent.expect("it is taken");
        assert!(!inbox.got("bob@members.example").expect("it came").signed);
        assert_eq!(inbox.tally().unsigned, 1);
    }

    #[tokio::test]
    async fn a_second_copy_is_counted() {
        let inbox = Arc::new(Inbox::default());
        let (mut session, _stop) = serve(inbox.clone()).await;
        for _ in 0..2 {
            let mail = letter("ann@members.example", "1@lumen.example");
            let sent = session.send("b@lumen.example", "ann@members.example", &mail).await;
            sent.expect("it is taken");
        }
        let tally = inbox.tally();
        assert_eq!((tally.mails, tally.recipients, tally.again), (2, 1, 1));
        let got = inbox.got("ann@members.example").expect("it came");
        assert_eq!(got.message_ids.len(), 1, "one message, twice");
    }

    #[tokio::test]
    async fn the_chosen_are_refused_for_good_and_others_put_off_once() {
        let inbox = Arc::new(Inbox::new(rules(Some(5), Some(7)), None));
        let (mut session, _stop) = serve(inbox.clone()).await;
        let mut refused = 0;
        let mut deferred = 0;
        for number in 0..60 {
            let to = format!("member{number}@members.example");
            let mail = letter(&to, &format!("{number}@lumen.example"));
            match session.send("b@lumen.example", &to, &mail).await {
                Ok(_) => assert!(!inbox.refuses(&to) && !inbox.defers(&to)),
                Err(SendError::Rejected { permanent: true, reply, .. }) => {
                    assert!(reply.code == 550 && inbox.refuses(&to));
                    refused += 1;
                }
                Err(SendError::Rejected { permanent: false, reply, .. }) => {
                    assert!(reply.code == 451 && inbox.defers(&to));
                    deferred += 1;
                    let again = session.send("b@lumen.example", &to, &mail).await;
                    again.expect("the second try is taken");
                }
                Err(other) => unreachable!("neither refused nor put off: {other}"),
            }
        }
        assert!(refused > 0 && deferred > 0);
        assert_eq!(inbox.tally().mails, 60 - refused);
        assert_eq!(inbox.tally().deferred, deferred);
    }

    #[test]
    fn a_code_is_found_wherever_it_stands() {
        assert_eq!(find_code(&format!("Code:{CODE}.")).as_deref(), Some(CODE));
        for none in ["", "0A1B-2C3D-4E5F", "0A1B-2C3D-4E5F-6G7HX", "0a1b-2c3d-4e5f-6g7h"] {
            assert_eq!(find_code(none), None, "{none}");
        }
    }
}
