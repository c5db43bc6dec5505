//! Disclosures → episodes: which disclosures of one person join to an interval without a gap.
//! Does not read or write files.
//!
//! An episode is keyed by (vendor, person, field set, list, operation) and half-open. Two join only
//! when they touch or overlap: folding across a gap would invent a holding that never was. An
//! episode keeps the times of its disclosures, so that an erasure with a date in the past, and the
//! first and last disclosure inside a window, come out as they would from the raw rows.
//!
//! Rows of a call without an outcome are episodes of their own that name the call: when the outcome
//! is that nothing was sent, they can still be taken out.

use std::ops::Range;

use model::{CallId, FieldSet, Interval, PersonKey, Timestamp};

use crate::disclosure::Settled;
use crate::tail::Tail;

/// One disclosure, names as the numbers of its tail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    pub vendor: u32,
    pub person: PersonKey,
    pub operation: u32,
    pub list: Option<u32>,
    pub fields: FieldSet,
    /// Only of a call without an outcome: its place in the tail.
    pub open: Option<u32>,
    pub at: Timestamp,
    pub held_until: Timestamp,
}

/// Rows in the order of their key, and which of them are one episode.
pub struct Episodes {
    pub rows: Vec<Row>,
    /// Ordered by (vendor number, person, from).
    pub episodes: Vec<Range<usize>>,
}

impl Episodes {
    /// The episodes of everything in a tail that counts as disclosed.
    pub fn of(tail: &Tail) -> Self {
        let mut rows: Vec<Row> = tail.rows.iter().filter_map(|row| row_of(tail, row)).collect();
        rows.sort_unstable();
        let mut episodes = Vec::new();
        let mut start = 0;
        for group in rows.chunk_by(|a, b| key(a) == key(b)) {
            let span = |row: &Row| Interval { from: row.at, until: row.held_until };
            let joined = joined(group, span);
            episodes.extend(joined.into_iter().map(|part| start + part.start..start + part.end));
            start += group.len();
        }
        episodes.sort_by_key(|part| {
            let first = &rows[part.start];
            (first.vendor, first.person, first.at)
        });
        Self { rows, episodes }
    }
}

fn key(row: &Row) -> (u32, PersonKey, u32, Option<u32>, FieldSet, Option<u32>) {
    (row.vendor, row.person, row.operation, row.list, row.fields, row.open)
}

fn row_of(tail: &Tail, row: &crate::tail::TailRow) -> Option<Row> {
    let call = &tail.calls[row.call as usize];
    let settled = call.settled();
    settled.counts().then(|| Row {
        vendor: call.vendor,
        person: row.person,
        operation: call.operation,
        list: row.list,
        fields: row.fields,
        open: (settled == Settled::Open).then_some(row.call),
        at: call.at,
        held_until: call.held_until,
    })
}

/// Which of these, ordered by their start, touch or overlap.
pub fn joined<T>(ordered: &[T], span: impl Fn(&T) -> Interval) -> Vec<Range<usize>> {
    let mut parts: Vec<Range<usize>> = Vec::new();
    let mut until = Timestamp::MIN;
    for (place, item) in ordered.iter().enumerate() {
        let next = span(item);
        match parts.last_mut() {
            Some(part) if next.from <= until => part.end = place + 1,
            _ => {
                parts.push(place..place + 1);
                until = next.from;
            }
        }
        until = until.max(next.until);
    }
    parts
}

/// The calls of a tail that an open episode may name.
pub fn call_of(tail: &Tail, row: &Row) -> Option<CallId> {
    row.open.map(|call| tail.calls[call as usize].call)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spans in order, and how many of them make up each episode.
    fn check(spans: &[(i64, i64)], expected: &[usize]) {
        let joined = joined(spans, |&(from, until)| Interval {
            from: Timestamp::from_micros(from),
            until: Timestamp::from_micros(until),
        });
        assert_eq!(joined.iter().map(ExactSizeIterator::len).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn intervals_join_only_when_they_touch_or_overlap() {
        check(&[], &[]);
        check(&[(0, 5), (5, 9)], &[2]);
        check(&[(0, 5), (6, 9)], &[1, 1]);
        check(&[(0, 9), (2, 3), (8, 12), (13, 14)], &[3, 1]);
        check(&[(0, i64::MAX), (7, 8)], &[2]);
        check(&[(5, 5), (5, 5), (6, 2), (6, 7)], &[2, 2]);
    }
}
