//! The rows of a notice, kept in the store as the courier reports them.

use std::collections::HashSet;

use anyhow::Result;
use model::id::Id as _;
use model::{DeliveryId, NoticeId, PersonKey};
use notify::{Deliveries, DeliveriesDown, Delivery, Stage, Suppression};
use store::{DeliveryState, Handing, Settlement, Store};

/// The rows of one notice.
pub struct Rows {
    /// Where they are.
    pub store: Store,
    /// Whose rows.
    pub notice: NoticeId,
}

impl Deliveries for Rows {
    async fn record(&self, rows: Vec<(DeliveryId, Delivery)>) -> Result<(), DeliveriesDown> {
        let notice = self.notice;
        let (handed, settled): (Vec<_>, Vec<_>) =
            rows.into_iter().partition(|(_, row)| row.stage == Stage::Handing);
        let handed: Vec<_> = handed
            .iter()
            .map(|(id, _)| Handing { person: PersonKey(id.to_u128()), message_id: None })
            .collect();
        let settled: Vec<_> = settled.iter().map(|(id, row)| settlement(*id, row)).collect();
        let kept = self
            .store
            .write(move |tx| {
                tx.hand_deliveries(notice, &handed)?;
                tx.settle_deliveries(notice, &settled)
            })
            .await;
        kept.map_err(|error| {
            tracing::error!(notice.id = %notice, error = format!("{error:#}"), "rows were not kept");
            DeliveriesDown
        })
    }
}

fn settlement(id: DeliveryId, row: &Delivery) -> Settlement {
    let code = row.code.as_deref().unwrap_or_default();
    Settlement {
        person: PersonKey(id.to_u128()),
        state: state(row.stage),
        not_before: (row.stage == Stage::Pending).then_some(row.not_before),
        reply_code: None,
        reply_enhanced: (!code.is_empty()).then(|| code.to_owned()),
    }
}

const fn state(stage: Stage) -> DeliveryState {
    match stage {
        Stage::Pending => DeliveryState::Pending,
        Stage::Handing => DeliveryState::Handing,
        Stage::Delivered => DeliveryState::Delivered,
        Stage::Bounced => DeliveryState::Bounced,
        Stage::Failed => DeliveryState::Failed,
        Stage::Suppressed => DeliveryState::Suppressed,
        Stage::Unknown => DeliveryState::Unknown,
    }
}

/// Settles those whom mail cannot reach and who are still pending.
///
/// # Errors
/// Faults of the store.
pub async fn suppress(
    store: &Store,
    notice: NoticeId,
    unreached: &[(PersonKey, Suppression)],
) -> Result<()> {
    for chunk in unreached.chunks(model::limits::SCOPE_MEMBERS_PER_CHANGE) {
        let chunk = chunk.to_vec();
        store
            .write(move |tx| {
                let keys: Vec<_> = chunk.iter().map(|(person, _)| *person).collect();
                let pending: HashSet<PersonKey> =
                    tx.pending_among(notice, &keys)?.iter().map(|row| row.person).collect();
                let settled = chunk.iter().filter(|(person, _)| pending.contains(person));
                let settled: Vec<_> =
                    settled.map(|(person, why)| suppressed(*person, *why)).collect();
                tx.settle_deliveries(notice, &settled)
            })
            .await?;
    }
    Ok(())
}

fn suppressed(person: PersonKey, why: Suppression) -> Settlement {
    Settlement {
        person,
        state: DeliveryState::Suppressed,
        not_before: None,
        reply_code: None,
        reply_enhanced: Some(why.name().to_owned()),
    }
}
