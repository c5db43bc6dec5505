//! Bars as SVG, drawn on the server, beside the numbers that they show: pictures for the eye,
//! the table for everybody. Lengths are in percent, so that they fit any width.

use maud::{Markup, html};

use super::words::grouped;

/// One bar: a name, at least so many, at most so many.
pub struct Bar {
    /// What it counts.
    pub name: String,
    /// At least.
    pub lower: u64,
    /// At most.
    pub upper: u64,
}

/// Horizontal bars in a table, as wide as their numbers.
pub fn bars(caption: &str, of: &str, bars: &[Bar]) -> Markup {
    let most = bars.iter().map(|bar| bar.upper).max().unwrap_or(0);
    html! {
        table .bars {
            caption { (caption) }
            thead { tr {
                th scope="col" { (of) }
                td .picture {}
                th .number scope="col" { "at least" }
                th .number scope="col" { "at most" }
            } }
            tbody {
                @for bar in bars {
                    tr {
                        th scope="row" { (bar.name) }
                        td .picture {
                            svg height="14" aria-hidden="true" {
                                rect .upper width=(percent(bar.upper, most)) height="14" rx="3" {}
                                rect .lower width=(percent(bar.lower, most)) height="14" rx="3" {}
                            }
                        }
                        td .number { (grouped(bar.lower)) }
                        td .number { (grouped(bar.upper)) }
                    }
                }
            }
        }
    }
}

/// Parts of a whole in one bar, each with its class; what is left stays empty.
pub fn stack(whole: u64, parts: &[(&str, u64)]) -> Markup {
    let placed = parts.iter().scan(0, |end, &(class, count)| {
        *end += count;
        Some((class, *end - count, count))
    });
    html! {
        svg .stack height="16" aria-hidden="true" {
            @for (class, start, count) in placed {
                rect class=(class) x=(percent(start, whole)) width=(percent(count, whole))
                    height="16" {}
            }
        }
    }
}

/// A small number still shows: a length is nothing only for nothing.
fn percent(count: u64, whole: u64) -> String {
    const LEAST: f64 = 0.6;
    match count {
        0 => "0".to_owned(),
        _ => format!("{:.1}%", (count as f64 * 100.0 / whole.max(count) as f64).max(LEAST)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_numbers_and_a_small_one_still_shows() {
        let two = [
            Bar { name: "email".into(), lower: 1, upper: 1_000 },
            Bar { name: "name".into(), lower: 0, upper: 500 },
        ];
        let drawn = bars("persons per field", "field", &two).into_string();
        for part in ["width=\"100.0%\"", "width=\"0.6%\"", "width=\"50.0%\"", "width=\"0\""] {
            assert!(drawn.contains(part), "{part}: {drawn}");
        }
    }

    #[test]
    fn parts_stand_one_after_the_other() {
        let drawn = stack(200, &[("delivered", 150), ("undelivered", 10)]).into_string();
        assert!(drawn.contains(r#"class="delivered" x="0" width="75.0%""#), "{drawn}");
        assert!(drawn.contains(r#"class="undelivered" x="75.0%" width="5.0%""#), "{drawn}");
    }
}
