//! The courier against relays that defer, refuse, drop and die: nobody is lost, totals add up, and
//! nobody is told twice but by what is counted.

mod relays;

use std::collections::{BTreeMap, HashMap};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use mail::{DkimKeys, Inbox, InboxDown, ReceivedMail, Receiver, Relay, RelayTls};
use model::id::Id as _;
use model::{
    DeliveryId, Email, FieldSet, NoticeId, PersonKey, RootKey, Timestamp, Window, World, limits,
};
use notify::delivery::Retries;
use notify::samples::sample;
use notify::{
    Addressee, Control, Courier, Deliveries, DeliveriesDown, Delivery, Ended, NoticeFacts, Order,
    Pace, Parcel, Scribe, Sender, Stage, Templates, Totals, Translation, code,
};
use relays::ScriptedRelay;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// No test waits longer than this for anything.
const PATIENCE: Duration = Duration::from_secs(60);
const NOW: Timestamp = Timestamp::from_seconds(1_770_300_000);

static SCRIBE: LazyLock<Arc<Scribe>> = LazyLock::new(|| {
    let say =
        |text: &str| Translation::ALL.iter().map(|&language| (language, text.to_owned())).collect();
    Arc::new(Scribe {
        notice: NoticeId::from_u128(7),
        facts: NoticeFacts {
            company: "Flickr".into(),
            site: "flickr.com".into(),
            what_happened: say("Mailmonkey 2026."),
            measures: BTreeMap::new(),
            happened: Window::default(),
            learned_at: NOW,
            vendor_disclosed: None,
            contact: "privacy@flickr.com".into(),
            authority: BTreeMap::new(),
            bulletin_path: "/security".into(),
            corrects: None,
        },
        templates: Templates::shipped(),
        sender: Sender {
            name: "Flickr".into(),
            from: email("security@flickr.com"),
            reply_to: Some(email("privacy@flickr.com")),
            bounces: None,
        },
        dkim: DkimKeys::generate("flickr.com", "notice").expect("keys"),
        key: RootKey::new([7; 32]).mac_key("notice"),
        reference: Arc::new(|delivery, to| format!("{delivery}.{}", to.local())),
    })
});

fn email(text: &str) -> Email {
    Email::parse(text).expect(text)
}

/// Rows in memory, in the place of the store; can die like one.
struct Rows {
    rows: watch::Sender<BTreeMap<DeliveryId, Delivery>>,
    audience: u64,
    writes: AtomicUsize,
    dies_at: usize,
}

impl Deliveries for Rows {
    async fn record(&self, rows: Vec<(DeliveryId, Delivery)>) -> Result<(), DeliveriesDown> {
        if self.writes.fetch_add(1, Ordering::SeqCst) >= self.dies_at {
            return Err(DeliveriesDown);
        }
        self.rows.send_modify(|kept| kept.extend(rows));
        assert_eq!(self.totals().check(), Ok(()));
        Ok(())
    }
}

impl Rows {
    fn totals(&self) -> Totals {
        let rows = self.rows.borrow();
        let resends = rows.values().map(|row| u64::from(row.resends)).sum();
        Totals::new(self.audience, rows.values().map(|row| (row.stage, 1)), resends)
    }

    fn count(&self, stage: Stage) -> usize {
        self.rows.borrow().values().filter(|row| row.stage == stage).count()
    }

    fn code(&self, parcel: &Parcel) -> String {
        self.rows.borrow()[&parcel.id].code.clone().unwrap_or_default()
    }

    async fn until(&self, wanted: impl Fn(&BTreeMap<DeliveryId, Delivery>) -> bool) {
        let waited = tokio::time::timeout(PATIENCE, async {
            self.rows.subscribe().wait_for(|rows| wanted(rows)).await.map(drop)
        });
        waited.await.expect("in time").expect("the rows are there");
    }
}

/// `count` recipients whose names ask the relay for `act`.
fn recipients(acts: &[(&str, usize)]) -> Vec<Parcel> {
    let names = acts.iter().flat_map(|&(act, count)| (0..count).map(move |n| format!("{act}-{n}")));
    let parcel = |(n, name): (u128, String)| Parcel {
        id: DeliveryId::from_u128(n),
        delivery: Delivery::pending(NOW),
        person: PersonKey(n * 7 + 1),
        to: email(&format!("{name}@people.example")),
        addressee: sample(
            Translation::ALL[n as usize % 3],
            FieldSet::parse("email,name").expect("fields"),
            &[],
        ),
    };
    (0..).zip(names).map(parcel).collect()
}

fn rows_of(parcels: &[Parcel]) -> Arc<Rows> {
    dying_rows_of(parcels, usize::MAX)
}

fn dying_rows_of(parcels: &[Parcel], dies_at: usize) -> Arc<Rows> {
    let rows = parcels.iter().map(|parcel| (parcel.id, parcel.delivery.clone())).collect();
    let audience = parcels.len() as u64;
    Arc::new(Rows {
        rows: watch::Sender::new(rows),
        audience,
        writes: AtomicUsize::new(0),
        dies_at,
    })
}

fn quick() -> Pace {
    Pace {
        rate_per_second: 100_000,
        connections: 4,
        retries: Retries { attempts: limits::NOTICE_ATTEMPTS, waits_ms: vec![1] },
        reconnect_first: Duration::from_millis(1),
        reconnect_last: Duration::from_millis(4),
        ..Pace::default()
    }
}

/// Starts a courier with these parcels.
fn start(
    relay: &Relay,
    pace: Pace,
    rows: &Arc<Rows>,
    parcels: &[Parcel],
) -> (Control, JoinHandle<Ended>) {
    let (world, _) = World::fixed(NOW, 1);
    let courier = Courier::new(relay.clone(), SCRIBE.clone(), rows.clone(), pace, world);
    let control = courier.control();
    let (give, take) = mpsc::channel(16);
    let parcels = parcels.to_vec();
    tokio::spawn(async move {
        for parcel in parcels {
            if give.send(parcel).await.is_err() {
                return;
            }
        }
    });
    (control, tokio::spawn(courier.run(take)))
}

async fn end(running: JoinHandle<Ended>) -> Ended {
    tokio::time::timeout(PATIENCE, running).await.expect("in time").expect("no panic")
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_comes_to_an_end_whatever_the_relay_does_and_totals_always_add_up() {
    let relay = ScriptedRelay::start(0).await;
    let parcels = recipients(&[
        ("ok", 60),
        ("later", 20),
        ("busy", 20),
        ("never", 5),
        ("gone", 10),
        ("spam", 5),
        ("lost", 5),
        ("cut", 10),
        ("closing", 10),
    ]);
    let rows = rows_of(&parcels);
    let (_, running) = start(&relay.relay, quick(), &rows, &parcels);
    assert_eq!(end(running).await, Ended::Done);
    let totals = rows.totals();
    assert_eq!(totals.check(), Ok(()));
    assert_eq!(
        (totals.delivered, totals.bounced, totals.failed, totals.unknown, totals.pending),
        (120, 15, 5, 5, 0)
    );
    let copies = relay.copies();
    for parcel in &parcels {
        let name = parcel.to.as_str();
        let stage = rows.rows.borrow()[&parcel.id].stage;
        let has = copies.get(name).copied().unwrap_or_default();
        let expected = usize::from(matches!(stage, Stage::Delivered | Stage::Unknown));
        assert_eq!(has, expected, "{name} is {stage}");
    }
    assert_eq!(rows.code(&parcels[100]), "4.3.1", "the relay's last word is kept");
    assert_eq!(rows.code(&parcels[105]), "5.1.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_closes_the_connections_and_a_resume_goes_on_without_a_second_copy() {
    let relay = ScriptedRelay::start(0).await;
    let parcels = recipients(&[("ok", 150)]);
    let rows = rows_of(&parcels);
    let pace = Pace { rate_per_second: 200, ..quick() };
    let (control, running) = start(&relay.relay, pace, &rows, &parcels);
    relay.until(|seen| seen.messages.len() >= 5).await;
    control.order(Order::Pause);
    relay.until(|seen| seen.open == 0).await;
    let paused_at = relay.seen.borrow().messages.len();
    assert!(paused_at < 150 && !running.is_finished());
    assert_eq!(rows.count(Stage::Handing), 0);
    assert_eq!(rows.count(Stage::Delivered), paused_at);
    control.order(Order::Run);
    assert_eq!(end(running).await, Ended::Done);
    assert_eq!(rows.totals().delivered, 150);
    assert!(relay.copies().values().all(|&copies| copies == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_is_obeyed_at_once_even_while_the_relay_is_away() {
    let gone = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = gone.local_addr().expect("it listens").port();
    drop(gone);
    let relay = Relay::new("127.0.0.1", port, RelayTls::None, "test.example");
    let parcels = recipients(&[("ok", 20)]);
    let rows = rows_of(&parcels);
    let hour = Duration::from_secs(3_600);
    let pace = Pace { reconnect_first: hour, reconnect_last: hour, ..quick() };
    let (control, running) = start(&relay, pace, &rows, &parcels);
    control.order(Order::Stop);
    assert_eq!(end(running).await, Ended::Stopped);
    assert_eq!(rows.totals().pending, 20, "a relay that is away costs nobody a try");
    assert!(rows.rows.borrow().values().all(|row| row.attempts == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_stop_the_rest_is_carried_by_the_next_courier() {
    let relay = ScriptedRelay::start(0).await;
    let parcels = recipients(&[("ok", 100)]);
    let rows = rows_of(&parcels);
    let pace = Pace { rate_per_second: 200, ..quick() };
    let (control, running) = start(&relay.relay, pace, &rows, &parcels);
    relay.until(|seen| seen.messages.len() >= 5).await;
    control.order(Order::Stop);
    control.order(Order::Run);
    assert_eq!(end(running).await, Ended::Stopped);
    assert_eq!(rows.count(Stage::Handing), 0);
    let rest = pending(&rows, &parcels);
    assert!(!rest.is_empty() && rest.len() < 100);
    let (_, running) = start(&relay.relay, quick(), &rows, &rest);
    assert_eq!(end(running).await, Ended::Done);
    assert_eq!((rows.totals().delivered, relay.seen.borrow().messages.len()), (100, 100));
}

/// The parcels whose rows are pending, with what their rows say.
fn pending(rows: &Rows, parcels: &[Parcel]) -> Vec<Parcel> {
    let rows = rows.rows.borrow();
    let parcels = parcels
        .iter()
        .map(|parcel| Parcel { delivery: rows[&parcel.id].clone(), ..parcel.clone() });
    parcels.filter(|parcel| parcel.delivery.stage == Stage::Pending).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_courier_dies_anywhere_nobody_is_lost_and_second_copies_are_counted() {
    let relay = ScriptedRelay::start(0).await;
    let parcels = recipients(&[("ok", 100), ("later", 20)]);
    let rows = rows_of(&parcels);
    let mut rounds = 0;
    loop {
        let rest = pending(&rows, &parcels);
        if rest.is_empty() {
            break;
        }
        rounds += 1;
        let before = rows.writes.load(Ordering::SeqCst);
        let (_, running) = start(&relay.relay, quick(), &rows, &rest);
        let dies_after = before + 3 + 7 * (rounds % 5);
        rows.until(|kept| {
            rows.writes.load(Ordering::SeqCst) >= dies_after
                || kept.values().all(|row| row.stage == Stage::Delivered)
        })
        .await;
        running.abort();
        assert!(running.await.is_err() || rows.count(Stage::Pending) == 0);
        relay.until(|seen| seen.open == 0).await;
        rows.rows.send_modify(|rows| {
            for row in rows.values_mut().filter(|row| row.stage == Stage::Handing) {
                *row = row.recovered(NOW).expect("it is being handed over");
            }
        });
    }
    let totals = rows.totals();
    assert_eq!((totals.delivered, totals.check()), (120, Ok(())));
    let messages = relay.seen.borrow().messages.clone();
    let second_copies = messages.len() as u64 - 120;
    assert!(second_copies <= totals.possible_duplicates, "{second_copies} in {rounds} rounds");
    let mut ids = HashMap::new();
    for (to, id) in messages {
        assert_eq!(*ids.entry(to).or_insert(id.clone()), id, "a second copy has the same id");
    }
    assert_eq!(ids.len(), 120);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_rows_cannot_be_recorded_nothing_goes_out_that_is_not_recorded() {
    let relay = ScriptedRelay::start(0).await;
    let parcels = recipients(&[("ok", 100)]);
    let rows = dying_rows_of(&parcels, 41);
    let (_, running) = start(&relay.relay, quick(), &rows, &parcels);
    assert_eq!(end(running).await, Ended::Down);
    let kept = rows.rows.borrow();
    let by_name: HashMap<_, _> =
        parcels.iter().map(|parcel| (parcel.to.to_string(), &kept[&parcel.id])).collect();
    for (to, _) in &relay.seen.borrow().messages {
        assert!(matches!(by_name[to].stage, Stage::Handing | Stage::Delivered), "{to}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_refuses_one_after_the_other_is_not_given_the_whole_audience() {
    let relay = ScriptedRelay::start(0).await;
    let parcels = recipients(&[("spam", 300)]);
    let rows = rows_of(&parcels);
    let (control, running) = start(&relay.relay, quick(), &rows, &parcels);
    rows.until(|rows| {
        rows.values().filter(|row| row.stage == Stage::Bounced).count()
            >= limits::NOTICE_REFUSALS_IN_A_ROW as usize
    })
    .await;
    relay.until(|seen| seen.open == 0).await;
    assert_eq!(control.current(), Order::Pause);
    assert!(rows.totals().bounced < 110 && rows.totals().handing == 0);
    control.order(Order::Stop);
    assert_eq!(end(running).await, Ended::Stopped);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_refuses_the_sender_costs_no_recipient() {
    let relay = ScriptedRelay::start(3).await;
    let parcels = recipients(&[("ok", 30)]);
    let rows = rows_of(&parcels);
    let (_, running) = start(&relay.relay, quick(), &rows, &parcels);
    assert_eq!(end(running).await, Ended::Done);
    assert_eq!(rows.totals().delivered, 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_cannot_be_written_fails_alone() {
    let relay = ScriptedRelay::start(0).await;
    let mut parcels = recipients(&[("ok", 10)]);
    parcels[4].addressee.exposed = FieldSet::EMPTY;
    let rows = rows_of(&parcels);
    let (_, running) = start(&relay.relay, quick(), &rows, &parcels);
    assert_eq!(end(running).await, Ended::Done);
    assert_eq!((rows.totals().delivered, rows.totals().failed), (9, 1));
    assert_eq!(rows.code(&parcels[4]), "nothing-exposed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_this_relay_cannot_take_fails_without_being_tried_again() {
    let relay = ScriptedRelay::start(0).await;
    let mut parcels = recipients(&[("ok", 3)]);
    parcels[1].to = email("größe@people.example");
    let rows = rows_of(&parcels);
    let (_, running) = start(&relay.relay, quick(), &rows, &parcels);
    assert_eq!(end(running).await, Ended::Done);
    assert_eq!(rows.code(&parcels[1]), "relay-no-smtputf8");
    assert_eq!(rows.rows.borrow()[&parcels[1].id].attempts, 1);
    assert_eq!((rows.totals().delivered, rows.totals().failed), (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_made_anew_after_its_share_and_the_rate_is_kept() {
    let relay = ScriptedRelay::start(0).await;
    let parcels = recipients(&[("ok", 60)]);
    let rows = rows_of(&parcels);
    let pace =
        Pace { messages_per_connection: 10, connections: 2, rate_per_second: 100, ..quick() };
    let (world, _) = World::fixed(NOW, 1);
    let courier = Courier::new(relay.relay.clone(), SCRIBE.clone(), rows.clone(), pace, world);
    let progress = courier.progress();
    let (give, take) = mpsc::channel(parcels.len());
    for parcel in parcels {
        give.try_send(parcel).expect("there is room");
    }
    drop(give);
    let began = tokio::time::Instant::now();
    assert_eq!(courier.run(take).await, Ended::Done);
    assert!(began.elapsed() >= Duration::from_millis(540), "{:?}", began.elapsed());
    let now = progress.now();
    assert!((6..=8).contains(&now.connections), "{}", now.connections);
    assert_eq!((now.handed, now.delivered, now.troubles), (60, 60, 0));
}

/// Keeps every mail; takes none for `gone`, and the first one for `busy` not yet.
struct Mailboxes {
    mails: Mutex<Vec<ReceivedMail>>,
    busy: AtomicUsize,
}

impl Inbox for Mailboxes {
    fn accepts(&self, recipient: &str) -> bool {
        !recipient.starts_with("gone")
    }

    fn receive(
        &self,
        mail: ReceivedMail,
    ) -> Pin<Box<dyn Future<Output = Result<(), InboxDown>> + Send + '_>> {
        Box::pin(async move {
            let busy = mail.recipients[0].starts_with("busy");
            if busy && self.busy.fetch_add(1, Ordering::SeqCst) == 0 {
                return Err(InboxDown);
            }
            self.mails.lock().expect("nobody panics").push(mail);
            Ok(())
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_receiver_gets_signed_checkable_mail_over_an_encrypted_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("it listens").port();
    let inbox = Arc::new(Mailboxes { mails: Mutex::default(), busy: AtomicUsize::new(0) });
    let receiver =
        Receiver::new("mx.example", mail::self_signed("mx.example").expect("a certificate"));
    let (stop, stopped) = watch::channel(false);
    let serving = tokio::spawn(receiver.serve(listener, inbox.clone(), async move {
        stopped.clone().wait_for(|stop| *stop).await.map(drop).unwrap_or(());
    }));
    let relay = Relay::new("127.0.0.1", port, RelayTls::Opportunistic, "test.example");
    let parcels = recipients(&[("ok", 12), ("busy", 1), ("gone", 2)]);
    let rows = rows_of(&parcels);
    let (_, running) = start(&relay, quick(), &rows, &parcels);
    assert_eq!(end(running).await, Ended::Done);
    stop.send(true).expect("it runs");
    serving.await.expect("no panic").expect("it served");
    assert_eq!((rows.totals().delivered, rows.totals().bounced), (13, 2));
    let mails = inbox.mails.lock().expect("nobody panics");
    assert_eq!(mails.len(), 13);
    for received in mails.iter() {
        let to = &received.recipients[0];
        let parcel = parcels.iter().find(|parcel| parcel.to.as_str() == to).expect("one of ours");
        assert!(received.tls, "the connection is encrypted");
        check_mail(received, parcel);
    }
}

fn check_mail(received: &ReceivedMail, parcel: &Parcel) {
    let signatures = mail::verify_dkim(&received.raw, &|name| SCRIBE.dkim.dns_record(name));
    assert_eq!(signatures.iter().filter(|signature| signature.pass).count(), 2);
    let read = mail::read(&received.raw).expect("it is a mail");
    let header = |name: &str| read.header(name).unwrap_or_default();
    assert_eq!(received.from, "security@flickr.com");
    assert_eq!(header("Auto-Submitted"), "auto-generated");
    assert_eq!(header("X-Cordon-Ref"), format!("{}.{}", parcel.id, parcel.to.local()));
    assert_eq!(header("List-Unsubscribe"), "");
    let id = SCRIBE.message_id(parcel.person);
    assert!(id.ends_with("@flickr.com") && header("Message-ID").contains(&id));
    let code = code::make(&SCRIBE.key, SCRIBE.notice, parcel.person);
    assert!(read.text.contains(&code), "the code is in the text");
    assert_eq!(code::check(&SCRIBE.key, &code, &[SCRIBE.notice]), Some(SCRIBE.notice));
    assert!(read.links.is_empty(), "no links");
}

#[test]
fn a_copy_of_somebody_else_differs_in_code_and_id_and_says_nothing_of_the_person() {
    let reader = |name: &str| Addressee {
        name: Some(name.into()),
        ..sample(Translation::English, FieldSet::parse("email").expect("a field"), &[])
    };
    let one = SCRIBE.notice(PersonKey(1), &reader("Ann")).expect("written");
    let other = SCRIBE.notice(PersonKey(2), &reader("Ann")).expect("written");
    assert_ne!(one.text, other.text);
    let (one, other) = (SCRIBE.message_id(PersonKey(1)), SCRIBE.message_id(PersonKey(2)));
    assert_ne!(one, other);
    assert_eq!(one, SCRIBE.message_id(PersonKey(1)));
}
