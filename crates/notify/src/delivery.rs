//! What may become of one recipient's copy of a notice: a pure state machine, and the sums over it.
//!
//! ```text
//! pending ──handed──► handing ──accepted──► delivered ──a bounce comes back──► bounced
//!    ▲ ▲                │ │ │ ├─refused────► bounced
//!    │ └────deferred────┘ │ │ └─no tries left► failed
//!    ├───found at start───┘ └─reply lost───► unknown
//!    └──────────────an operator says so────────┘        pending ──► failed, suppressed
//! ```
//!
//! `handing` is durable before the message goes to the relay. Who finds a row in it at start cannot
//! know whether the relay got the message: it is handed over again under the same `Message-ID` and
//! counted as a possible duplicate. An unknown row stays unknown until an operator decides.

use std::fmt;

use model::{Coded, Timestamp, limits};
use serde::{Deserialize, Serialize};

macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant,)* }

        impl $name {
            /// Every value, in order.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its one name everywhere.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// Reads its name.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.name() == text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

named!(/** How far one copy has come. */ Stage {
    /** To be handed to the relay. */
    Pending = "pending",
    /** Being handed to the relay, or it was when the process died. */
    Handing = "handing",
    /** The relay has taken it. */
    Delivered = "delivered",
    /** It was refused for good, by the relay or by a later bounce. */
    Bounced = "bounced",
    /** It could not be written, or the relay deferred it until no try was left. */
    Failed = "failed",
    /** It is not to be sent. */
    Suppressed = "suppressed",
    /** The relay's reply to the whole message was lost. */
    Unknown = "unknown",
});

named!(/** Why a person is not sent a copy. */ Suppression {
    /** The directory has no mail address of them. */
    NoAddress = "no-address",
    /** The directory does not have them. */
    NotInDirectory = "not-in-directory",
    /** An operator took them out, or they were erased meanwhile. */
    TakenOut = "taken-out",
});

/// One recipient's row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// How far it has come.
    pub stage: Stage,
    /// How often it was handed to the relay.
    pub attempts: u32,
    /// It is not handed over before this.
    pub not_before: Timestamp,
    /// What the last change was due to: `5.1.1`, `relay-lost`, `no-address`.
    pub code: Option<String>,
    /// How often it went back to pending although an earlier copy may have arrived.
    pub resends: u32,
}

/// What came of one try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// The relay took it.
    Accepted,
    /// The relay refused it for good.
    Refused {
        /// The relay's status.
        code: &'a str,
    },
    /// It cannot go over this relay at all, so that nobody was asked.
    Impossible {
        /// What is in the way.
        code: &'a str,
    },
    /// The relay does not have it, and may take it later.
    Deferred {
        /// The relay's status, or what came between.
        code: &'a str,
    },
    /// It went out whole, and no reply came.
    Lost {
        /// What came between.
        code: &'a str,
    },
}

/// How often and after how long a deferred copy is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retries {
    /// Tries in all.
    pub attempts: u32,
    /// The wait after each try, in milliseconds; the last one holds for all that follow.
    pub waits_ms: Vec<i64>,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            attempts: limits::NOTICE_ATTEMPTS,
            waits_ms: limits::NOTICE_RETRY_SECONDS.map(|seconds| seconds * 1_000).to_vec(),
        }
    }
}

impl Retries {
    fn wait_micros(&self, attempts: u32) -> i64 {
        let after = usize::try_from(attempts).unwrap_or(usize::MAX).saturating_sub(1);
        let wait_ms = self.waits_ms.get(after).or(self.waits_ms.last()).copied();
        wait_ms.unwrap_or(0).saturating_mul(1_000)
    }
}

/// A change that the state of a row does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a delivery that is {stage} cannot be {to}")]
pub struct Misstep {
    /// The state that it is in.
    pub stage: Stage,
    /// What was to become of it.
    pub to: &'static str,
}

impl Coded for Misstep {
    fn code(&self) -> &'static str {
        "delivery-misstep"
    }

    fn blame(&self) -> model::Blame {
        model::Blame::Ours
    }
}

impl Delivery {
    /// A new row, to be handed over at once.
    pub const fn pending(now: Timestamp) -> Self {
        Self { stage: Stage::Pending, attempts: 0, not_before: now, code: None, resends: 0 }
    }

    /// A new row for somebody who is not sent a copy.
    pub fn suppressed(why: Suppression, now: Timestamp) -> Self {
        let code = Some(why.name().to_owned());
        Self { stage: Stage::Suppressed, code, ..Self::pending(now) }
    }

    /// Whether it waits for its turn, and that has come.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.stage == Stage::Pending && self.not_before <= now
    }

    /// It is about to go to the relay.
    ///
    /// # Errors
    /// When it is not pending.
    pub fn handed(&self) -> Result<Self, Misstep> {
        self.must_be(Stage::Pending, "handed over")?;
        Ok(Self { stage: Stage::Handing, attempts: self.attempts + 1, ..self.clone() })
    }

    /// The relay has replied, or the connection is gone.
    ///
    /// # Errors
    /// When it is not being handed over.
    pub fn settled(
        &self,
        outcome: Outcome<'_>,
        retries: &Retries,
        now: Timestamp,
    ) -> Result<Self, Misstep> {
        self.must_be(Stage::Handing, "settled")?;
        let (stage, code) = match outcome {
            Outcome::Accepted => (Stage::Delivered, None),
            Outcome::Refused { code } => (Stage::Bounced, Some(code)),
            Outcome::Impossible { code } => (Stage::Failed, Some(code)),
            Outcome::Deferred { code } if self.attempts >= retries.attempts => {
                (Stage::Failed, Some(code))
            }
            Outcome::Deferred { code } => (Stage::Pending, Some(code)),
            Outcome::Lost { code } => (Stage::Unknown, Some(code)),
        };
        let not_before = match stage {
            Stage::Pending => now.plus_micros(retries.wait_micros(self.attempts)),
            _ => self.not_before,
        };
        Ok(Self { stage, not_before, code: code.map(str::to_owned), ..self.clone() })
    }

    /// Its text cannot be written or may not be sent.
    ///
    /// # Errors
    /// When it is not pending.
    pub fn unwritten(&self, code: &str) -> Result<Self, Misstep> {
        self.must_be(Stage::Pending, "given up")?;
        Ok(Self { stage: Stage::Failed, code: Some(code.to_owned()), ..self.clone() })
    }

    /// It is not to be sent after all.
    ///
    /// # Errors
    /// When it is not pending.
    pub fn taken_out(&self, why: Suppression) -> Result<Self, Misstep> {
        self.must_be(Stage::Pending, "suppressed")?;
        Ok(Self { stage: Stage::Suppressed, code: Some(why.name().to_owned()), ..self.clone() })
    }

    /// It was being handed over when the process died. The try does not count against it; that a
    /// copy may have arrived does.
    ///
    /// # Errors
    /// When it is not being handed over.
    pub fn recovered(&self, now: Timestamp) -> Result<Self, Misstep> {
        self.must_be(Stage::Handing, "recovered")?;
        Ok(Self { attempts: self.attempts.saturating_sub(1), ..self.back(now, "found-handing") })
    }

    /// An operator has an unknown copy sent again.
    ///
    /// # Errors
    /// When it is not unknown.
    pub fn again(&self, now: Timestamp) -> Result<Self, Misstep> {
        self.must_be(Stage::Unknown, "sent again")?;
        Ok(self.back(now, "sent-again"))
    }

    /// A bounce came back for a copy that the relay had taken, or may have.
    ///
    /// # Errors
    /// When it is neither delivered nor unknown.
    pub fn bounced_later(&self, code: &str) -> Result<Self, Misstep> {
        if self.stage != Stage::Unknown {
            self.must_be(Stage::Delivered, "bounced")?;
        }
        Ok(Self { stage: Stage::Bounced, code: Some(code.to_owned()), ..self.clone() })
    }

    fn back(&self, now: Timestamp, code: &str) -> Self {
        Self {
            stage: Stage::Pending,
            not_before: now,
            code: Some(code.to_owned()),
            resends: self.resends + 1,
            ..self.clone()
        }
    }

    fn must_be(&self, stage: Stage, to: &'static str) -> Result<(), Misstep> {
        if self.stage == stage { Ok(()) } else { Err(Misstep { stage: self.stage, to }) }
    }
}

/// Recipients per state. What is being handed over at this moment counts as pending to the outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Totals {
    /// Everybody of the scope.
    pub audience: u64,
    /// Taken by the relay.
    pub delivered: u64,
    /// Refused for good.
    pub bounced: u64,
    /// Given up.
    pub failed: u64,
    /// Not to be sent.
    pub suppressed: u64,
    /// Still to come, those being handed over included.
    pub pending: u64,
    /// Of the pending ones, those being handed over.
    pub handing: u64,
    /// Nobody knows.
    pub unknown: u64,
    /// Copies that went out although an earlier one may have arrived.
    pub possible_duplicates: u64,
}

/// Recipients are missing in the sum, or there are too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{accounted} of {audience} recipients are accounted for")]
pub struct TotalsOff {
    /// Everybody of the scope.
    pub audience: u64,
    /// The sum over all states.
    pub accounted: u64,
}

impl Coded for TotalsOff {
    fn code(&self) -> &'static str {
        "totals-off"
    }

    fn blame(&self) -> model::Blame {
        model::Blame::Ours
    }
}

impl Totals {
    /// From the size of the audience as it was fixed, the number of rows per state, and the sum of
    /// their resends.
    pub fn new(audience: u64, rows: impl IntoIterator<Item = (Stage, u64)>, resends: u64) -> Self {
        let mut totals = Self { audience, possible_duplicates: resends, ..Self::default() };
        for (stage, count) in rows {
            totals.add(stage, count);
        }
        totals
    }

    fn add(&mut self, stage: Stage, count: u64) {
        match stage {
            Stage::Pending => self.pending += count,
            Stage::Handing => {
                self.pending += count;
                self.handing += count;
            }
            Stage::Delivered => self.delivered += count,
            Stage::Bounced => self.bounced += count,
            Stage::Failed => self.failed += count,
            Stage::Suppressed => self.suppressed += count,
            Stage::Unknown => self.unknown += count,
        }
    }

    /// Whether everybody is accounted for.
    ///
    /// # Errors
    /// When audience ≠ delivered + bounced + failed + suppressed + pending + unknown.
    pub fn check(&self) -> Result<(), TotalsOff> {
        let audience = self.audience;
        let accounted = self.delivered
            + self.bounced
            + self.failed
            + self.suppressed
            + self.pending
            + self.unknown;
        if accounted == audience { Ok(()) } else { Err(TotalsOff { audience, accounted }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_000);

    fn handing() -> Delivery {
        Delivery::pending(NOW).handed().expect("it was pending")
    }

    fn settle(delivery: &Delivery, outcome: Outcome<'_>) -> Delivery {
        delivery.settled(outcome, &Retries::default(), NOW).expect("it was being handed over")
    }

    #[test]
    fn a_reply_decides_what_became_of_a_copy() {
        let check = |outcome, stage| assert_eq!(settle(&handing(), outcome).stage, stage);
        check(Outcome::Accepted, Stage::Delivered);
        check(Outcome::Refused { code: "5.1.1" }, Stage::Bounced);
        check(Outcome::Impossible { code: "relay-no-smtputf8" }, Stage::Failed);
        check(Outcome::Deferred { code: "4.2.1" }, Stage::Pending);
        check(Outcome::Lost { code: "relay-lost" }, Stage::Unknown);
    }

    #[test]
    fn a_deferred_copy_waits_longer_each_time_and_fails_when_no_try_is_left() {
        let mut delivery = Delivery::pending(NOW);
        let mut waits = Vec::new();
        while delivery.stage == Stage::Pending {
            let handed = delivery.handed().expect("it is pending");
            delivery = settle(&handed, Outcome::Deferred { code: "4.2.1" });
            waits.push(delivery.not_before.seconds() - NOW.seconds());
        }
        assert_eq!(waits[..4], limits::NOTICE_RETRY_SECONDS);
        assert_eq!((delivery.stage, delivery.attempts), (Stage::Failed, limits::NOTICE_ATTEMPTS));
        assert_eq!(delivery.code.as_deref(), Some("4.2.1"));
    }

    #[test]
    fn a_copy_found_half_way_is_sent_again_and_counted_without_losing_a_try() {
        let recovered = handing().recovered(NOW).expect("it was being handed over");
        assert_eq!(
            (recovered.stage, recovered.attempts, recovered.resends),
            (Stage::Pending, 0, 1)
        );
        assert!(recovered.is_due(NOW));
        let unknown = settle(&handing(), Outcome::Lost { code: "relay-lost" });
        assert_eq!(unknown.again(NOW).expect("it was unknown").resends, 1);
    }

    #[test]
    fn no_copy_leaves_a_final_state_but_by_a_bounce_or_an_operator() {
        for &stage in Stage::ALL {
            let delivery = Delivery { stage, ..Delivery::pending(NOW) };
            let settled = delivery.settled(Outcome::Accepted, &Retries::default(), NOW);
            assert_eq!(delivery.handed().is_ok(), stage == Stage::Pending);
            assert_eq!(delivery.unwritten("x").is_ok(), stage == Stage::Pending);
            assert_eq!(delivery.taken_out(Suppression::TakenOut).is_ok(), stage == Stage::Pending);
            assert_eq!(settled.is_ok(), stage == Stage::Handing);
            assert_eq!(delivery.recovered(NOW).is_ok(), stage == Stage::Handing);
            assert_eq!(delivery.again(NOW).is_ok(), stage == Stage::Unknown);
            assert_eq!(
                delivery.bounced_later("5.1.1").is_ok(),
                matches!(stage, Stage::Delivered | Stage::Unknown)
            );
        }
    }

    #[test]
    fn totals_notice_a_recipient_who_is_missing() {
        let rows = Stage::ALL.iter().map(|&stage| (stage, 2));
        let totals = Totals::new(14, rows.clone(), 3);
        assert_eq!(totals.check(), Ok(()));
        assert_eq!((totals.pending, totals.handing, totals.possible_duplicates), (4, 2, 3));
        let off = Totals::new(15, rows, 0).check().expect_err("one is missing");
        assert_eq!((off.audience, off.accounted), (15, 14));
    }

    #[test]
    fn names_read_back() {
        for &stage in Stage::ALL {
            assert_eq!(Stage::parse(stage.name()), Some(stage));
        }
        assert_eq!(Suppression::parse("no-address"), Some(Suppression::NoAddress));
    }
}
