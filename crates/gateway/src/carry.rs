//! The life of an outgoing request, phase by phase.

use crate::admit::{Arrival, admit};
use crate::cx::Cx;
use crate::decide::decide;
use crate::dispatch::dispatch;
use crate::hold::hold;
use crate::limit::limit;
use crate::read::read;
use crate::record::record;
use crate::refused::Refused;
use crate::reply::Reply;
use crate::seen::Account;
use crate::settle::settle;
use crate::transform::transform;

/// Carries one request to its vendor, or says why not.
pub(crate) async fn carry(
    cx: &Cx,
    account: &mut Account,
    arrival: Arrival,
) -> Result<Reply, Refused> {
    let request = admit(cx, account, arrival).await?; // who is calling, within limits
    let reading = read(account, &request)?; // which operation, which people, which fields
    let verdict = decide(account, &request, &reading)?; // allow, drop, pseudonymise, refuse
    limit(cx, account, &request, &reading, &verdict)?; // within what it may send in this time
    let outgoing = transform(cx, account, &request, &reading, &verdict)?; // what is to leave
    if request.waits {
        return hold(cx, account, &request).await; // in the spool; decided again when it leaves
    }
    let intent = record(cx, account, &request, &reading, &verdict).await?; // durable BEFORE that
    let answer = dispatch(cx, account, &request, outgoing).await; // one attempt, one write
    settle(cx, account, intent, answer).await // and what came of it
}
