//! The one door to the clock and to randomness; everything else is handed a [`World`].

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use model::world::Source;
use model::{Timestamp, World};

/// The machine's clock and the system's random bytes.
struct Machine;

/// The real world.
pub fn world() -> World {
    World::new(Machine)
}

impl Source for Machine {
    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    fn fill(&self, bytes: &mut [u8]) {
        aws_lc_rs::rand::fill(bytes).expect("the system gives random bytes");
    }
}
