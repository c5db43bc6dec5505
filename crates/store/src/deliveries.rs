//! Deliveries: what became of a notice, one row per recipient. Each has exactly one state, moves
//! only as its drawing in `migrations/0004_notices.sql` says, and is counted in the same change, so
//! that the totals of a notice always add up. Does not send.

use model::{Language, NoticeId, PersonKey, Timestamp};
use serde::Serialize;

use crate::columns::bind;
use crate::engine::{Row, Tx};
use crate::error::Refused;
use crate::notices::column_words;

column_words!(/** What became of a notice for one person. */ DeliveryState {
    /** It is still to be sent. */
    Pending = "pending",
    /** It is being given to the relay; after a crash nobody knows how far that went. */
    Handing = "handing",
    /** The relay took it. */
    Delivered = "delivered",
    /** The address does not take mail. */
    Bounced = "bounced",
    /** It could not be sent. */
    Failed = "failed",
    /** It is not sent, because there is no address or the person is not to get it. */
    Suppressed = "suppressed",
    /** It may have been taken, or not. */
    Unknown = "unknown",
});

impl DeliveryState {
    /// Whether nothing more is to be done for it.
    pub const fn is_settled(self) -> bool {
        !matches!(self, Self::Pending | Self::Handing)
    }

    /// Whether a settlement may move it there.
    const fn may_become(self, next: Self) -> bool {
        use DeliveryState::{Bounced, Delivered, Failed, Handing, Pending, Suppressed, Unknown};
        match self {
            Pending => matches!(next, Suppressed | Failed),
            Handing => matches!(next, Pending | Delivered | Bounced | Failed | Unknown),
            Unknown => matches!(next, Delivered | Bounced),
            Delivered => matches!(next, Bounced),
            Bounced | Failed | Suppressed => false,
        }
    }
}

/// A recipient of a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery {
    /// Who.
    pub person: PersonKey,
    /// In which language, if that is known already.
    pub language: Option<Language>,
}

/// A delivery that is still to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PendingDelivery {
    /// Who.
    pub person: PersonKey,
    /// Tries so far; one that a crash cut off does not count.
    pub attempt: u32,
    /// Not to be made before; the epoch when at once.
    pub not_before: Timestamp,
}

/// A delivery that is given to the relay next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handing {
    /// Who.
    pub person: PersonKey,
    /// The `Message-ID` that it will have, so that a later bounce is recognised.
    pub message_id: Option<String>,
}

/// What came of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// Who.
    pub person: PersonKey,
    /// The state that it is in now; `Pending` when the relay deferred it.
    pub state: DeliveryState,
    /// For `Pending`: when it may be tried again.
    pub not_before: Option<Timestamp>,
    /// The relay's answer, if there was one.
    pub reply_code: Option<u16>,
    /// The same as RFC 3463 has it, such as `5.1.1`.
    pub reply_enhanced: Option<String>,
}

/// Everything known of one delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Who.
    pub person: PersonKey,
    /// What became of it.
    pub state: DeliveryState,
    /// Tries; one that a crash cut off does not count.
    pub attempt: u32,
    /// In which language, if that is known.
    pub language: Option<Language>,
    /// The `Message-ID` of the last attempt.
    pub message_id: Option<String>,
    /// Not to be tried before; the epoch when at once.
    pub not_before: Timestamp,
    /// The relay's last answer.
    pub reply_code: Option<u16>,
    /// The same as RFC 3463 has it.
    pub reply_enhanced: Option<String>,
    /// Second copies that cannot be ruled out.
    pub possible_duplicates: u32,
    /// When it was last handed to a relay.
    pub handed_at: Option<Timestamp>,
    /// When it was last settled.
    pub settled_at: Option<Timestamp>,
}

/// How many deliveries of a notice are in each state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct DeliveryTotals {
    /// All of them: the sum of those below, `possible_duplicates` aside.
    pub audience: u64,
    /// See [`DeliveryState::Pending`].
    pub pending: u64,
    /// See [`DeliveryState::Handing`].
    pub handing: u64,
    /// See [`DeliveryState::Delivered`].
    pub delivered: u64,
    /// See [`DeliveryState::Bounced`].
    pub bounced: u64,
    /// See [`DeliveryState::Failed`].
    pub failed: u64,
    /// See [`DeliveryState::Suppressed`].
    pub suppressed: u64,
    /// See [`DeliveryState::Unknown`].
    pub unknown: u64,
    /// Second copies that cannot be ruled out, after crashes.
    pub possible_duplicates: u64,
}

impl DeliveryTotals {
    fn slot(&mut self, state: DeliveryState) -> &mut u64 {
        match state {
            DeliveryState::Pending => &mut self.pending,
            DeliveryState::Handing => &mut self.handing,
            DeliveryState::Delivered => &mut self.delivered,
            DeliveryState::Bounced => &mut self.bounced,
            DeliveryState::Failed => &mut self.failed,
            DeliveryState::Suppressed => &mut self.suppressed,
            DeliveryState::Unknown => &mut self.unknown,
        }
    }
}

const DELIVERY: &str =
    "SELECT person, state, attempt, language, message_id, not_before, reply_code,
                               reply_enhanced, possible_duplicates, handed_at, settled_at
                        FROM deliveries";

impl Tx<'_> {
    /// Adds recipients to a notice, each pending; those that it has already stay as they are.
    /// Returns how many were new.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when there is no such notice.
    pub fn insert_deliveries(
        &self,
        notice: NoticeId,
        deliveries: &[NewDelivery],
    ) -> anyhow::Result<u64> {
        let number = self.notice_number(notice)?;
        let mut new = 0;
        for delivery in deliveries {
            new += self.execute(
                "INSERT INTO deliveries (notice, person, state, attempt, language, not_before,
                                         possible_duplicates)
                 VALUES (?1, ?2, 'pending', 0, ?3, 0, 0) ON CONFLICT DO NOTHING",
                bind![number, delivery.person, delivery.language.as_ref()],
            )? as u64;
        }
        self.count_deliveries(number, DeliveryState::Pending, new as i64)?;
        Ok(new)
    }

    /// Records that these are given to the relay next; call it before doing so.
    ///
    /// # Errors
    /// [`Refused::Stale`] when one of them is not pending; then none is handed.
    pub fn hand_deliveries(&self, notice: NoticeId, handed: &[Handing]) -> anyhow::Result<()> {
        let number = self.notice_number(notice)?;
        let now = self.world.now();
        for handing in handed {
            let changed = self.execute(
                "UPDATE deliveries SET state = 'handing', attempt = attempt + 1, message_id = ?3,
                                       handed_at = ?4
                 WHERE notice = ?1 AND person = ?2 AND state = 'pending'",
                bind![number, handing.person, handing.message_id.as_ref(), now],
            )?;
            if changed == 0 {
                return Err(Refused::stale("delivery", handing.person));
            }
        }
        self.count_deliveries(number, DeliveryState::Pending, -(handed.len() as i64))?;
        self.count_deliveries(number, DeliveryState::Handing, handed.len() as i64)
    }

    /// Records what came of these.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when one is no recipient, [`Refused::Stale`] when one cannot go from
    /// its state to the new one; then none is settled.
    pub fn settle_deliveries(
        &self,
        notice: NoticeId,
        settlements: &[Settlement],
    ) -> anyhow::Result<()> {
        let number = self.notice_number(notice)?;
        let mut moved = [0i64; DeliveryState::ALL.len()];
        for settlement in settlements {
            let state = self
                .one(
                    "SELECT state FROM deliveries WHERE notice = ?1 AND person = ?2",
                    bind![number, settlement.person],
                    |row| row.get::<DeliveryState>(0),
                )?
                .ok_or_else(|| Refused::not_found("delivery", settlement.person))?;
            if !state.may_become(settlement.state) {
                return Err(Refused::stale("delivery", settlement.person));
            }
            self.settle_delivery(number, settlement)?;
            moved[state as usize] -= 1;
            moved[settlement.state as usize] += 1;
        }
        for (state, by) in DeliveryState::ALL.iter().zip(moved) {
            self.count_deliveries(number, *state, by)?;
        }
        Ok(())
    }

    fn settle_delivery(&self, number: i64, settlement: &Settlement) -> anyhow::Result<()> {
        let settled_at = settlement.state.is_settled().then(|| self.world.now());
        let at_once = Timestamp::from_micros(0);
        self.execute(
            "UPDATE deliveries SET state = ?3, not_before = ?4, reply_code = ?5,
                                   reply_enhanced = ?6, settled_at = ?7
             WHERE notice = ?1 AND person = ?2",
            bind![
                number,
                settlement.person,
                settlement.state,
                settlement.not_before.unwrap_or(at_once),
                settlement.reply_code,
                settlement.reply_enhanced.as_ref(),
                settled_at
            ],
        )
        .map(drop)
    }

    /// After a crash: what was being handed may have gone or not. It becomes pending again, and
    /// each counts as a possible second copy; the try does not count. Returns how many there were.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when there is no such notice.
    pub fn recover_handing(&self, notice: NoticeId) -> anyhow::Result<u64> {
        let number = self.notice_number(notice)?;
        let recovered = self.execute(
            "UPDATE deliveries SET state = 'pending', not_before = 0, attempt = attempt - 1,
                                   possible_duplicates = possible_duplicates + 1
             WHERE notice = ?1 AND state = 'handing'",
            bind![number],
        )? as u64;
        self.execute(
            "UPDATE notices SET possible_duplicates = possible_duplicates + ?2 WHERE number = ?1",
            bind![number, recovered],
        )?;
        self.count_deliveries(number, DeliveryState::Handing, -(recovered as i64))?;
        self.count_deliveries(number, DeliveryState::Pending, recovered as i64)?;
        Ok(recovered)
    }

    /// How many deliveries are in each state.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when there is no such notice.
    pub fn delivery_totals(&self, notice: NoticeId) -> anyhow::Result<DeliveryTotals> {
        let number = self.notice_number(notice)?;
        let mut totals = DeliveryTotals::default();
        self.visit(
            "SELECT state, deliveries FROM delivery_totals WHERE notice = ?1",
            bind![number],
            |row| {
                let deliveries: u64 = row.get(1)?;
                *totals.slot(row.get(0)?) = deliveries;
                totals.audience += deliveries;
                Ok(())
            },
        )?;
        totals.possible_duplicates = self
            .one(
                "SELECT possible_duplicates FROM notices WHERE number = ?1",
                bind![number],
                |row| row.get(0),
            )?
            .unwrap_or(0);
        Ok(totals)
    }

    /// Those of these people who are still to be told, also if not yet: the join with a streamed
    /// directory.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when there is no such notice.
    pub fn pending_among(
        &self,
        notice: NoticeId,
        people: &[PersonKey],
    ) -> anyhow::Result<Vec<PendingDelivery>> {
        let number = self.notice_number(notice)?;
        let mut found = Vec::new();
        for person in people {
            found.extend(self.one(
                "SELECT person, attempt, not_before FROM deliveries
                 WHERE notice = ?1 AND person = ?2 AND state = 'pending'",
                bind![number, *person],
                pending,
            )?);
        }
        Ok(found)
    }

    /// What became of a notice for one person, if they are a recipient.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when there is no such notice.
    pub fn find_delivery(
        &self,
        notice: NoticeId,
        person: PersonKey,
    ) -> anyhow::Result<Option<Delivery>> {
        let number = self.notice_number(notice)?;
        let sql = format!("{DELIVERY} WHERE notice = ?1 AND person = ?2");
        self.one(&sql, bind![number, person], delivery)
    }

    /// Every delivery of a notice, sorted by key; stops at the first error.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when there is no such notice; what `visit` returned.
    pub fn visit_deliveries(
        &self,
        notice: NoticeId,
        mut visit: impl FnMut(Delivery) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let number = self.notice_number(notice)?;
        let sql = format!("{DELIVERY} WHERE notice = ?1 ORDER BY person");
        self.visit(&sql, bind![number], |row| visit(delivery(row)?))
    }

    fn notice_number(&self, notice: NoticeId) -> anyhow::Result<i64> {
        self.one("SELECT number FROM notices WHERE id = ?1", bind![notice], |row| row.get(0))?
            .ok_or_else(|| Refused::not_found("notice", notice))
    }

    fn count_deliveries(&self, number: i64, state: DeliveryState, by: i64) -> anyhow::Result<()> {
        if by == 0 {
            return Ok(());
        }
        self.execute(
            "INSERT INTO delivery_totals (notice, state, deliveries) VALUES (?1, ?2, ?3)
             ON CONFLICT (notice, state)
             DO UPDATE SET deliveries = delivery_totals.deliveries + excluded.deliveries",
            bind![number, state, by],
        )
        .map(drop)
    }
}

fn pending(row: &Row<'_>) -> anyhow::Result<PendingDelivery> {
    Ok(PendingDelivery { person: row.get(0)?, attempt: row.get(1)?, not_before: row.get(2)? })
}

fn delivery(row: &Row<'_>) -> anyhow::Result<Delivery> {
    Ok(Delivery {
        person: row.get(0)?,
        state: row.get(1)?,
        attempt: row.get(2)?,
        language: row.get(3)?,
        message_id: row.get(4)?,
        not_before: row.get(5)?,
        reply_code: row.get(6)?,
        reply_enhanced: row.get(7)?,
        possible_duplicates: row.get(8)?,
        handed_at: row.get(9)?,
        settled_at: row.get(10)?,
    })
}

#[cfg(test)]
mod tests {
    use model::id::Id;

    use super::*;
    use crate::testing::{START, Scratch, code, notice, person};

    fn recipients(numbers: std::ops::RangeInclusive<u128>) -> Vec<NewDelivery> {
        let language = Language::parse("pt-BR").expect("a tag");
        numbers
            .map(|number| NewDelivery { person: person(number), language: Some(language.clone()) })
            .collect()
    }

    fn handing(number: u128) -> Handing {
        Handing { person: person(number), message_id: Some(format!("{number}@ours.example")) }
    }

    fn settlement(number: u128, state: DeliveryState) -> Settlement {
        Settlement {
            person: person(number),
            state,
            not_before: None,
            reply_code: Some(250),
            reply_enhanced: Some("2.0.0".to_owned()),
        }
    }

    /// The kept totals, after comparing them with a count of the rows.
    fn totals(tx: &Tx<'_>, notice: NoticeId) -> DeliveryTotals {
        let mut counted = DeliveryTotals::default();
        tx.visit_deliveries(notice, |delivery| {
            *counted.slot(delivery.state) += 1;
            counted.audience += 1;
            counted.possible_duplicates += u64::from(delivery.possible_duplicates);
            Ok(())
        })
        .expect("visits");
        let kept = tx.delivery_totals(notice).expect("there");
        assert_eq!(kept, counted, "the totals add up");
        kept
    }

    #[test]
    fn each_recipient_has_one_row_and_the_totals_add_up_at_each_step() {
        use DeliveryState::{Bounced, Delivered, Failed, Pending, Suppressed, Unknown};
        let scratch = Scratch::new();
        let tx = scratch.tx();
        let id = notice(&tx).id;
        assert_eq!(tx.insert_deliveries(id, &recipients(1..=6)).expect("adds"), 6);
        assert_eq!(tx.insert_deliveries(id, &recipients(5..=7)).expect("adds"), 1);
        assert_eq!(totals(&tx, id).pending, 7);

        tx.hand_deliveries(id, &[1, 2, 3, 4, 5].map(handing)).expect("pending");
        assert_eq!((totals(&tx, id).pending, totals(&tx, id).handing), (2, 5));
        let deferred = Settlement {
            not_before: Some(START.plus_seconds(60)),
            reply_code: Some(451),
            ..settlement(5, Pending)
        };
        let settled = [
            settlement(1, Delivered),
            settlement(2, Bounced),
            settlement(3, Failed),
            settlement(4, Unknown),
            deferred,
            settlement(6, Suppressed),
        ];
        tx.settle_deliveries(id, &settled).expect("each may go there");
        let now = totals(&tx, id);
        assert_eq!((now.audience, now.pending, now.handing, now.delivered), (7, 2, 0, 1));
        assert_eq!((now.bounced, now.failed, now.suppressed, now.unknown), (1, 1, 1, 1));

        tx.settle_deliveries(id, &[settlement(1, Bounced), settlement(4, Delivered)])
            .expect("a late bounce, and word of an unknown one");
        let now = totals(&tx, id);
        assert_eq!((now.delivered, now.bounced, now.unknown), (1, 2, 0));
        let first = tx.find_delivery(id, person(1)).expect("runs").expect("a recipient");
        assert_eq!((first.state, first.attempt, first.reply_code), (Bounced, 1, Some(250)));
        assert_eq!((first.handed_at, first.settled_at), (Some(START), Some(START)));
        assert_eq!(first.message_id.as_deref(), Some("1@ours.example"));
        assert_eq!(tx.find_delivery(id, person(9)).expect("runs"), None);
    }

    #[test]
    fn a_deferred_delivery_is_still_to_be_made_and_says_when() {
        let scratch = Scratch::new();
        let tx = scratch.tx();
        let id = notice(&tx).id;
        tx.insert_deliveries(id, &recipients(1..=3)).expect("adds");
        tx.hand_deliveries(id, &[1, 2].map(handing)).expect("pending");
        let later = START.plus_seconds(60);
        let deferred = settlement(2, DeliveryState::Pending);
        let deferred = Settlement { not_before: Some(later), ..deferred };
        let settled = [settlement(1, DeliveryState::Delivered), deferred];
        tx.settle_deliveries(id, &settled).expect("handed");
        let pending = |number, attempt, not_before| PendingDelivery {
            person: person(number),
            attempt,
            not_before,
        };
        let at_once = Timestamp::from_micros(0);
        let among = tx.pending_among(id, &[3, 2, 1, 9].map(person)).expect("runs");
        assert_eq!(among, [pending(3, 0, at_once), pending(2, 1, later)]);
    }

    #[test]
    fn after_a_crash_what_was_handed_goes_again_and_counts_as_a_possible_second_copy() {
        let scratch = Scratch::new();
        let tx = scratch.tx();
        let id = notice(&tx).id;
        tx.insert_deliveries(id, &recipients(1..=4)).expect("adds");
        tx.hand_deliveries(id, &[1, 2, 3].map(handing)).expect("pending");
        tx.settle_deliveries(id, &[settlement(1, DeliveryState::Delivered)]).expect("handed");
        assert_eq!(tx.recover_handing(id).expect("runs"), 2);
        assert_eq!(tx.recover_handing(id).expect("runs"), 0, "once is enough");
        let now = totals(&tx, id);
        assert_eq!((now.pending, now.handing, now.possible_duplicates), (3, 0, 2));
        let again = tx.find_delivery(id, person(2)).expect("runs").expect("a recipient");
        assert_eq!((again.attempt, again.possible_duplicates), (0, 1), "no relay answered");
    }

    #[test]
    fn nothing_is_handed_or_settled_out_of_turn() {
        use DeliveryState::{Delivered, Failed, Handing, Pending};
        let scratch = Scratch::new();
        let tx = scratch.tx();
        let id = notice(&tx).id;
        tx.insert_deliveries(id, &recipients(1..=2)).expect("adds");
        let settle = |number, state| tx.settle_deliveries(id, &[settlement(number, state)]);
        assert_eq!(code(settle(1, Delivered)), "stale", "it was not handed");
        tx.hand_deliveries(id, &[handing(1)]).expect("pending");
        assert_eq!(code(tx.hand_deliveries(id, &[handing(1)])), "stale", "twice");
        assert_eq!(code(settle(1, Handing)), "stale");
        settle(1, Failed).expect("handed");
        assert_eq!(code(settle(1, Pending)), "stale", "failed is the end");
        assert_eq!(code(settle(9, Failed)), "not-found");
        assert_eq!(code(tx.hand_deliveries(id, &[handing(9)])), "stale");
        let missing = NoticeId::from_u128(9);
        assert_eq!(code(tx.insert_deliveries(missing, &recipients(1..=1))), "not-found");
        assert_eq!(code(tx.delivery_totals(missing)), "not-found");
        assert_eq!(totals(&tx, id).audience, 2);
    }

    #[test]
    fn a_hundred_thousand_deliveries_are_inserted_handed_and_settled() {
        const PEOPLE: u128 = 100_000;
        let scratch = Scratch::new();
        let id = notice(&scratch.tx()).id;
        let everyone = recipients(1..=PEOPLE);
        scratch.connection.begin().expect("begins");
        let tx = scratch.tx();
        assert_eq!(tx.insert_deliveries(id, &everyone).expect("adds"), 100_000);
        for page in everyone.chunks(1_000) {
            let keys: Vec<_> = page.iter().map(|recipient| recipient.person).collect();
            let page = tx.pending_among(id, &keys).expect("runs");
            let handed: Vec<_> =
                page.iter().map(|due| Handing { person: due.person, message_id: None }).collect();
            tx.hand_deliveries(id, &handed).expect("pending");
            let settled: Vec<_> = page
                .iter()
                .map(|due| Settlement {
                    person: due.person,
                    ..settlement(0, DeliveryState::Delivered)
                })
                .collect();
            tx.settle_deliveries(id, &settled).expect("handed");
        }
        scratch.connection.commit().expect("commits");
        let now = totals(&scratch.tx(), id);
        assert_eq!((now.audience, now.delivered), (100_000, 100_000));
    }
}
