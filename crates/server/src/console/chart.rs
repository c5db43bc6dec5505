//! Bars as SVG, drawn on the server: light upper bound, dark lower bound, a table beside it.

use maud::{Markup, html};

/// One bar: a name, at least so many, at most so many.
pub struct Bar {
    /// What it counts.
    pub name: String,
    /// At least.
    pub lower: u64,
    /// At most.
    pub upper: u64,
}

const WIDTH: u64 = 640;
const ROW: u64 = 28;
const NAME: u64 = 150;
const VALUE: u64 = 110;

/// Horizontal bars, one below the other, as wide as their numbers.
pub fn bars(title: &str, bars: &[Bar]) -> Markup {
    let most = bars.iter().map(|bar| bar.upper).max().unwrap_or(0).max(1);
    let room = WIDTH - NAME - VALUE;
    let length = |count: u64| count * room / most;
    let height = ROW * bars.len() as u64;
    html! {
        svg .chart viewBox={ "0 0 " (WIDTH) " " (height) } role="img" aria-label=(title) {
            title { (title) }
            @for (index, bar) in bars.iter().enumerate() {
                @let top = ROW * index as u64;
                text x="0" y=(top + 19) { (bar.name) }
                rect .upper x=(NAME) y=(top + 5) width=(length(bar.upper)) height="18" rx="3" {}
                rect .lower x=(NAME) y=(top + 5) width=(length(bar.lower)) height="18" rx="3" {}
                text .value x=(NAME + length(bar.upper) + 8) y=(top + 19) { (grouped(bar.upper)) }
            }
        }
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_bars_are_as_long_as_they() {
        assert_eq!(grouped(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!((grouped(0), grouped(999)), ("0".into(), "999".into()));
        let two = [
            Bar { name: "email".into(), lower: 0, upper: 100 },
            Bar { name: "name".into(), lower: 25, upper: 50 },
        ];
        let drawn = bars("persons per field", &two).into_string();
        assert!(drawn.contains("width=\"380\"") && drawn.contains("width=\"190\""), "{drawn}");
    }
}
