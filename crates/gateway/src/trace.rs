//! The phases of a call as time goes on, and the trace that its caller is in (W3C Trace Context).

use model::crypto;

/// In which header a caller names its trace. It ends here: a vendor learns nothing of it.
pub(crate) const TRACEPARENT: &str = "traceparent";

/// A phase of a call, in the order of `carry`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Who is calling.
    Admit,
    /// What it says of whom.
    Read,
    /// What policy makes of it.
    Decide,
    /// Whether it is within its limits.
    Limit,
    /// What is to leave.
    Transform,
    /// Until it is on record.
    Record,
    /// At the vendor.
    Dispatch,
    /// Until what came of it is on record.
    Settle,
}

impl Phase {
    /// Every phase, in order.
    pub const ALL: [Self; 8] = [
        Self::Admit,
        Self::Read,
        Self::Decide,
        Self::Limit,
        Self::Transform,
        Self::Record,
        Self::Dispatch,
        Self::Settle,
    ];

    /// Its name, which is also that of its file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admit => "admit",
            Self::Read => "read",
            Self::Decide => "decide",
            Self::Limit => "limit",
            Self::Transform => "transform",
            Self::Record => "record",
            Self::Dispatch => "dispatch",
            Self::Settle => "settle",
        }
    }
}

/// When each phase of a call began, in microseconds since the call did. A phase ends where the next
/// one begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Phases {
    began: [Option<u64>; Phase::ALL.len()],
    ended: u64,
}

impl Phases {
    pub(crate) fn enter(&mut self, phase: Phase, micros: u64) {
        self.began[phase as usize] = Some(micros);
    }

    pub(crate) fn end(&mut self, micros: u64) {
        self.ended = micros;
    }

    /// When the call ended.
    pub fn ended(&self) -> u64 {
        self.ended
    }

    /// Every phase that the call reached, with its beginning and its end.
    pub fn reached(&self) -> impl Iterator<Item = (Phase, u64, u64)> {
        Phase::ALL.into_iter().enumerate().filter_map(|(place, phase)| {
            let began = self.began[place]?;
            let next = self.began[place + 1..].iter().find_map(|next| *next);
            Some((phase, began, next.unwrap_or(self.ended)))
        })
    }
}

/// The trace of a caller, and the span in it that made the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace.
    pub trace: [u8; 16],
    /// The caller's span.
    pub span: [u8; 8],
    /// Whether the caller records it.
    pub sampled: bool,
}

impl TraceParent {
    /// Reads `traceparent`, of version 00 or a later one that begins like it. What is malformed is
    /// no trace (W3C Trace Context, §3.2.2).
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let version = parts.next().filter(|version| is_hex(version, 2) && *version != "ff")?;
        let trace = crypto::from_hex(parts.next().filter(|part| is_hex(part, 32))?)?;
        let span = crypto::from_hex(parts.next().filter(|part| is_hex(part, 16))?)?;
        let flags = crypto::from_hex::<1>(parts.next().filter(|part| is_hex(part, 2))?)?;
        let whole = version != "00" || parts.next().is_none();
        let sampled = flags[0] & 1 == 1;
        let known = trace != [0; 16] && span != [0; 8] && whole;
        known.then_some(Self { trace, span, sampled })
    }
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_read_as_the_standard_writes_it_and_anything_else_is_none() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let read = TraceParent::parse(text).expect("the standard's own example");
        assert_eq!((read.trace[0], read.span[7], read.sampled), (0x4b, 0xb7, true));
        assert!(!TraceParent::parse(&text.replace("-01", "-00")).expect("a trace").sampled);
        assert!(TraceParent::parse(&format!("{}-later", text.replacen("00", "cc", 1))).is_some());
        for wrong in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        ] {
            assert_eq!(TraceParent::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_phase_ends_where_the_next_one_that_was_reached_begins() {
        let mut phases = Phases::default();
        phases.enter(Phase::Admit, 0);
        phases.enter(Phase::Read, 30);
        phases.enter(Phase::Record, 50);
        phases.end(90);
        let reached: Vec<_> = phases.reached().collect();
        assert_eq!(
            reached,
            [(Phase::Admit, 0, 30), (Phase::Read, 30, 50), (Phase::Record, 50, 90)]
        );
    }
}
