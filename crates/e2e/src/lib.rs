//! What stories are told with: the real program on a temporary folder, its command line, a sandbox
//! vendor, a mailbox for everybody. **Invariant:** shipped to nobody, and asks the program nothing
//! but what anybody could ask it.

mod company;
pub mod faults;
mod postfix;
mod program;
pub mod vault;
pub mod web;

pub use company::{Company, LIST, Shop, receipt};
pub use postfix::Postfix;
pub use program::{Program, Said, binary, output};

use std::time::Duration;

/// How long anything in a story may take.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Asks until the answer is there.
///
/// # Panics
/// When it does not come in time.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let asking = async {
        loop {
            if let Some(found) = ask().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    };
    let found = tokio::time::timeout(PATIENCE, asking).await;
    found.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}
