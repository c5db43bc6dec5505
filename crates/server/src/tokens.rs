//! Uses of workloads' tokens: counted in memory, written in batches, and turned into facts where
//! one was seen where it should not be. What such a fact means, detectors say.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use gateway::{Seen, SeenCall};
use model::time::MICROS_PER_SECOND;
use model::{
    Confidence, Fact, FactBody, Network, Sighting, Timestamp, TokenId, VendorName, limits,
};
use store::{Store, TokenUses};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use crate::app::App;
use crate::observe;

type Key = [u8; 32];

/// What is known of every token's uses.
pub struct TokenBook {
    pages: Mutex<HashMap<Key, Page>>,
    noted: mpsc::Sender<Noted>,
    unread: Mutex<Option<mpsc::Receiver<Noted>>>,
}

/// One token's history.
#[derive(Default)]
struct Page {
    uses: u64,
    last_used_at: Option<Timestamp>,
    /// From where it came, and since when.
    origins: HashMap<Network, Timestamp>,
    /// Uses that are not written yet.
    unwritten: u64,
    /// Networks that are not written yet.
    new_origins: Vec<(Network, Timestamp)>,
    /// Sightings of the present hour that are on their way already.
    hour: i64,
    told: Vec<(Sighting, Network)>,
}

/// A sighting on its way to be a fact.
struct Noted {
    key: Key,
    at: Timestamp,
    how: Sighting,
    network: Network,
    familiar: bool,
    door: Option<VendorName>,
}

impl TokenBook {
    /// The book as it was last written.
    ///
    /// # Errors
    /// Faults of the store.
    pub fn open(store: &Store) -> Result<Self> {
        let (tokens, origins) = store.read_now(|tx| Ok((tx.tokens()?, tx.token_origins()?)))?;
        let mut pages: HashMap<Key, Page> = HashMap::new();
        for token in tokens {
            let page = pages.entry(token.hash).or_default();
            (page.uses, page.last_used_at) = (token.uses, token.last_used_at);
        }
        for (token, network, first_used_at) in origins {
            pages.entry(token).or_default().origins.insert(network, first_used_at);
        }
        let (noted, unread) = mpsc::channel(limits::TOKEN_SIGHTINGS);
        Ok(Self { pages: Mutex::new(pages), noted, unread: Mutex::new(Some(unread)) })
    }

    /// How often a token was used, and when last, to the minute.
    pub fn uses(&self, token: &Key) -> (u64, Option<Timestamp>) {
        self.pages().get(token).map_or((0, None), |page| (page.uses, page.last_used_at))
    }

    fn pages(&self) -> MutexGuard<'_, HashMap<Key, Page>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is not written yet; it counts as written from now on.
    fn take_unwritten(&self) -> Vec<TokenUses> {
        let mut taken = Vec::new();
        for (token, page) in self.pages().iter_mut() {
            let Some(last_used_at) = page.last_used_at.filter(|_| page.unwritten > 0) else {
                continue;
            };
            taken.push(TokenUses {
                token: *token,
                uses: std::mem::take(&mut page.unwritten),
                last_used_at,
                origins: std::mem::take(&mut page.new_origins),
            });
        }
        taken
    }

    /// Takes back what could not be written.
    fn give_back(&self, unwritten: Vec<TokenUses>) {
        let mut pages = self.pages();
        for used in unwritten {
            let page = pages.entry(used.token).or_default();
            page.unwritten += used.uses;
            page.new_origins.extend(used.origins);
        }
    }
}

impl Seen for TokenBook {
    fn call(&self, seen: &SeenCall) {
        let Some(token) = &seen.token else { return };
        let network = Network::of(token.from);
        let mut pages = self.pages();
        let page = pages.entry(token.key).or_default();
        let familiar = page.origins.contains_key(&network);
        let how = match token.wrong {
            Some(wrong) => Some(wrong),
            None => page.use_from(network, seen.at),
        };
        let Some(how) = how.filter(|how| page.is_news(*how, network, seen.at)) else { return };
        drop(pages);
        let door = seen.vendor.clone().filter(|_| how == Sighting::OtherDoor);
        let noted = Noted { key: token.key, at: seen.at, how, network, familiar, door };
        if self.noted.try_send(noted).is_err() {
            tracing::warn!(token.id = %TokenId::of(&token.key), %how, "a sighting was dropped");
        }
    }
}

impl Page {
    /// Counts a use. A network that is new to a token with a history is worth a look.
    fn use_from(&mut self, network: Network, at: Timestamp) -> Option<Sighting> {
        let has_history = self.has_history(at);
        self.uses += 1;
        self.unwritten += 1;
        self.last_used_at = Some(minute(at));
        let room = self.origins.len() < limits::TOKEN_HISTORY_NETWORKS;
        match self.origins.entry(network) {
            Entry::Occupied(_) => None,
            Entry::Vacant(new) if room => {
                new.insert(minute(at));
                self.new_origins.push((network, minute(at)));
                has_history.then_some(Sighting::Unfamiliar)
            }
            Entry::Vacant(_) => None,
        }
    }

    fn has_history(&self, at: Timestamp) -> bool {
        let since = self.origins.values().min();
        self.uses >= limits::TOKEN_HISTORY_USES
            && since.is_some_and(|since| at >= since.plus_seconds(limits::TOKEN_HISTORY_SECONDS))
    }

    /// Whether this was not told of within the hour. Whoever goes on trying is one fact an hour.
    fn is_news(&mut self, how: Sighting, network: Network, at: Timestamp) -> bool {
        if self.hour != hour(at) {
            self.hour = hour(at);
            self.told.clear();
        }
        let news = self.told.len() < limits::TOKEN_SIGHTINGS_PER_HOUR
            && !self.told.contains(&(how, network));
        if news {
            self.told.push((how, network));
        }
        news
    }
}

fn minute(at: Timestamp) -> Timestamp {
    const MICROS: i64 = 60 * MICROS_PER_SECOND;
    Timestamp::from_micros(at.micros().div_euclid(MICROS) * MICROS)
}

fn hour(at: Timestamp) -> i64 {
    at.micros().div_euclid(3_600 * MICROS_PER_SECOND)
}

/// Writes uses now and then and sightings at once, until the program stops; then what is left.
pub async fn work(app: App) {
    let unread = app.token_book.unread.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(mut unread) = unread else { return };
    let mut tick = tokio::time::interval(Duration::from_secs(limits::TOKEN_USES_SECONDS));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let stopping = app.tasks.stopping();
    tokio::pin!(stopping);
    loop {
        tokio::select! {
            () = &mut stopping => break,
            _ = tick.tick() => write(&app).await,
            Some(noted) = unread.recv() => tell(&app, noted).await,
        }
    }
    while let Ok(noted) = unread.try_recv() {
        tell(&app, noted).await;
    }
    write(&app).await;
}

async fn write(app: &App) {
    let uses = app.token_book.take_unwritten();
    if uses.is_empty() {
        return;
    }
    let written = uses.clone();
    if let Err(error) = app.store.write(move |tx| tx.add_token_uses(&written)).await {
        tracing::error!(error = format!("{error:#}"), "uses of tokens could not be written");
        app.token_book.give_back(uses);
    }
}

async fn tell(app: &App, noted: Noted) {
    let Some(fact) = fact(app, noted) else { return };
    let id = fact.id;
    if let Err(error) = observe::observe(app, vec![fact], "gateway".to_owned()).await {
        tracing::error!(fact.id = %id, error = format!("{error:#}"), "a sighting is not recorded");
    }
}

fn fact(app: &App, noted: Noted) -> Option<Fact> {
    let Noted { key, at, how, network, familiar, door } = noted;
    let registry = app.gateway.registry();
    let token = registry.tokens.get(&key)?;
    let id = TokenId::of(&key);
    Some(Fact {
        id: app.world.id(),
        at,
        seen_at: at,
        vendor: Some(token.vendor.clone()),
        external_id: Some(format!("{id}/{how}/{network}/{}", hour(at))),
        source: "gateway".to_owned(),
        confidence: Confidence::Certain,
        author: None,
        body: FactBody::TokenSeen {
            token: id,
            workload: token.workload.clone(),
            how,
            network: Some(network),
            familiar,
            live: token.is_live(at),
            door,
            found_at: None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_seconds(1_770_256_800);

    fn network(text: &str) -> Network {
        Network::parse(text).expect(text)
    }

    /// A page with so many uses from one network, the first a week before the last.
    fn used(uses: u64) -> Page {
        let mut page = Page::default();
        for number in 0..uses {
            let week = limits::TOKEN_HISTORY_SECONDS * i64::from(number > 0);
            assert_eq!(page.use_from(network("10.0.0.0/24"), START.plus_seconds(week)), None);
        }
        page
    }

    #[test]
    fn a_new_network_is_worth_a_look_once_and_only_after_a_history() {
        let later = START.plus_seconds(limits::TOKEN_HISTORY_SECONDS);
        let new = network("203.0.113.0/24");
        assert_eq!(used(limits::TOKEN_HISTORY_USES - 1).use_from(new, later), None, "few uses");
        let mut page = used(limits::TOKEN_HISTORY_USES);
        assert_eq!(page.use_from(new, later.plus_seconds(-1)), None, "less than a week");
        let mut page = used(limits::TOKEN_HISTORY_USES);
        assert_eq!(page.use_from(new, later), Some(Sighting::Unfamiliar));
        assert_eq!(page.use_from(new, later), None, "by now it is known");
    }

    #[test]
    fn a_token_that_comes_from_everywhere_has_no_new_networks() {
        let mut page = used(limits::TOKEN_HISTORY_USES);
        for number in 1..limits::TOKEN_HISTORY_NETWORKS {
            page.use_from(network(&format!("10.0.{number}.0/24")), START);
        }
        let later = START.plus_seconds(2 * limits::TOKEN_HISTORY_SECONDS);
        assert_eq!(page.use_from(network("203.0.113.0/24"), later), None);
        assert_eq!(page.origins.len(), limits::TOKEN_HISTORY_NETWORKS);
    }

    #[test]
    fn who_goes_on_trying_is_one_fact_an_hour() {
        let mut page = Page::default();
        let mut news = |network: Network, seconds| {
            page.is_news(Sighting::Expired, network, START.plus_seconds(seconds))
        };
        assert!(news(network("10.0.0.0/24"), 0));
        assert!(!news(network("10.0.0.0/24"), 1));
        assert!(news(network("10.0.1.0/24"), 2));
        assert!(news(network("10.0.0.0/24"), 3_600));
    }

    #[test]
    fn uses_are_taken_once_and_given_back_whole() {
        let (noted, unread) = mpsc::channel(1);
        let pages = Mutex::new(HashMap::from([([1; 32], used(3))]));
        let book = TokenBook { pages, noted, unread: Mutex::new(Some(unread)) };
        let taken = book.take_unwritten();
        assert_eq!((taken.len(), taken[0].uses, taken[0].origins.len()), (1, 3, 1));
        assert!(book.take_unwritten().is_empty());
        book.give_back(taken.clone());
        assert_eq!(book.take_unwritten(), taken);
    }

    #[test]
    fn a_time_of_use_is_kept_to_the_minute() {
        assert_eq!(minute(START.plus_seconds(119)), START.plus_seconds(60));
    }
}
