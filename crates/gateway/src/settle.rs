//! Settle: what came of a call, on record; and the reply for the caller.

use ledger::Outcome;
use model::Coded as _;

use crate::cx::Cx;
use crate::dispatch::Answer;
use crate::record::Recorded;
use crate::refused::Refused;
use crate::reply::Reply;
use crate::seen::{Account, Left};
use crate::trace::Phase;

/// Records the outcome. When that fails the call counts as disclosed, and the caller still learns
/// what happened.
pub(crate) async fn settle(
    cx: &Cx,
    account: &mut Account,
    recorded: Recorded,
    answer: Answer,
) -> Result<Reply, Refused> {
    account.enter(Phase::Settle);
    let (left, outcome, reply) = match answer {
        Answer::Sent { status, message, reply } => {
            (Left::Sent(status), Outcome::Sent { status, message }, reply)
        }
        Answer::NotSent(refused) => {
            (Left::NotSent, Outcome::NotSent { code: refused.code() }, Err(refused))
        }
        Answer::Unknown(refused) => {
            (Left::Unknown, Outcome::Unknown { code: refused.code() }, Err(refused))
        }
    };
    account.seen.outcome = left;
    if let Some(taken) = account.taken.take()
        && left != Left::NotSent
    {
        taken.keep();
    }
    if cx.ledger.settle(account.seen.call, outcome).await.is_err() {
        account.warn("not-settled");
        tracing::error!(call = %account.seen.call, "the outcome of a call could not be recorded");
    }
    drop(recorded);
    reply
}
