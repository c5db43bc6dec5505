//! Numbers, spans of time and names as a person reads them. It decides no wording of its own.

use maud::{Markup, html};
use model::Timestamp;

/// `1 234 567`, with narrow no-break spaces.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let first = digits.len() % 3;
    let mut out = String::from(&digits[..first]);
    for chunk in digits.as_bytes()[first..].chunks(3) {
        if !out.is_empty() {
            out.push('\u{202f}');
        }
        out.extend(chunk.iter().map(|&digit| char::from(digit)));
    }
    out
}

/// `4 to 1 885`, or one number when the bounds meet.
pub fn between(lower: u64, upper: u64) -> String {
    if lower == upper {
        grouped(upper)
    } else {
        format!("{} to {}", grouped(lower), grouped(upper))
    }
}

/// `1 finding`, `13 findings`.
pub fn counted(count: usize, thing: &str) -> String {
    format!("{} {thing}{}", grouped(count as u64), if count == 1 { "" } else { "s" })
}

/// A span of time in its two largest units: `4.0 s`, `12 min`, `5 h 12 min`, `2 d 23 h`.
pub fn span(seconds: f64) -> String {
    let seconds = seconds.abs();
    let (minutes, hours) = ((seconds / 60.0) as u64, (seconds / 3_600.0) as u64);
    match hours {
        _ if seconds < 60.0 => format!("{seconds:.1} s"),
        0 => format!("{minutes} min"),
        1..48 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{} d {} h", hours / 24, hours % 24),
    }
}

/// `after 4.0 s`, or `4.0 s before` when it came first.
pub fn after(at: Timestamp, start: Timestamp) -> String {
    let seconds = at.seconds_since(start);
    let span = span(seconds);
    if seconds < 0.0 { format!("{span} before") } else { format!("after {span}") }
}

/// `+4.0 s`, or `−4.0 s` when it came first.
pub fn offset(at: Timestamp, start: Timestamp) -> String {
    let seconds = at.seconds_since(start);
    format!("{}{}", if seconds < 0.0 { '−' } else { '+' }, span(seconds))
}

/// A name of ours as words: `government_id` is `government id`.
pub fn plain(name: &str) -> String {
    name.replace(['_', '-'], " ")
}

/// A sentence in which names stand in backticks.
pub fn quoted(sentence: &str) -> Markup {
    html! {
        @for (index, part) in sentence.split('`').enumerate() {
            @if index % 2 == 0 { (part) } @else { code { (part) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_bounds_that_meet_are_one() {
        assert_eq!(grouped(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!((grouped(0), grouped(999)), ("0".into(), "999".into()));
        assert_eq!((counted(1, "step"), counted(0, "step")), ("1 step".into(), "0 steps".into()));
        assert_eq!((between(4, 1_885), between(7, 7)), ("4 to 1\u{202f}885".into(), "7".into()));
    }

    #[test]
    fn a_span_has_its_two_largest_units() {
        let spans = [0.04, 59.9, 60.0, 3_599.0, 3_600.0, 172_799.0, 172_800.0, 260_000.0].map(span);
        assert_eq!(
            spans,
            [
                "0.0 s",
                "59.9 s",
                "1 min",
                "59 min",
                "1 h 0 min",
                "47 h 59 min",
                "2 d 0 h",
                "3 d 0 h"
            ]
        );
        let (early, late) = (Timestamp::from_seconds(0), Timestamp::from_seconds(90));
        assert_eq!(after(late, early), "after 1 min");
        assert_eq!(after(early, late), "1 min before");
        assert_eq!((offset(late, early), offset(early, late)), ("+1 min".into(), "−1 min".into()));
    }

    #[test]
    fn what_stands_in_backticks_is_a_name() {
        let written = quoted("`a` <b> `c").into_string();
        assert_eq!(written, "<code>a</code> &lt;b&gt; <code>c</code>");
    }
}
