//! Hands parcels to the carriers: deferred ones when they are due, new ones otherwise.
//!
//! Holds no more than the pace allows: when too many wait, no new ones are taken in.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use model::World;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::{Deliveries, Order, Parcel, Shared};
use crate::delivery::Stage;

struct Waiting {
    due: Instant,
    parcel: Parcel,
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.due.cmp(&other.due)
    }
}

impl Waiting {
    fn new(parcel: Parcel, world: &World) -> Self {
        let wait = parcel.delivery.not_before.seconds_since(world.now());
        let wait = Duration::try_from_secs_f64(wait).unwrap_or_default();
        Self { due: Instant::now() + wait, parcel }
    }
}

/// Until every parcel has come to an end, or the order is to stop, or no carrier is left.
pub(super) async fn run<D: Deliveries>(
    shared: &Shared<D>,
    mut parcels: mpsc::Receiver<Parcel>,
    to_carriers: mpsc::Sender<Parcel>,
    mut returned: mpsc::Receiver<Parcel>,
) {
    let mut orders = shared.control.0.subscribe();
    let mut waiting: BinaryHeap<Reverse<Waiting>> = BinaryHeap::new();
    let mut under_way = 0_usize;
    let mut open = true;
    while open || under_way > 0 || !waiting.is_empty() {
        if *orders.borrow_and_update() == Order::Stop {
            return;
        }
        let due = waiting.peek().map(|Reverse(first)| first.due);
        let room = waiting.len() + under_way < shared.pace.waiting.max(1);
        let parcel = tokio::select! {
            biased;
            _ = orders.changed() => continue,
            Some(parcel) = returned.recv() => {
                under_way -= 1;
                if parcel.delivery.stage == Stage::Pending {
                    waiting.push(Reverse(Waiting::new(parcel, &shared.world)));
                }
                continue;
            }
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                let Some(Reverse(first)) = waiting.pop() else { continue };
                first.parcel
            }
            parcel = parcels.recv(), if open && room => match parcel {
                Some(parcel) if parcel.delivery.is_due(shared.world.now()) => parcel,
                Some(parcel) => {
                    waiting.push(Reverse(Waiting::new(parcel, &shared.world)));
                    continue;
                }
                None => {
                    open = false;
                    continue;
                }
            },
        };
        let given = tokio::select! {
            given = to_carriers.send(parcel) => given.is_ok(),
            _ = orders.wait_for(|order| *order == Order::Stop) => false,
        };
        if !given {
            return;
        }
        under_way += 1;
    }
}
