//! Calendars of legal clocks: holidays by rule, business days, and what a limit adds to a start. It
//! knows no law; which limit counts from where stands in `regimes.toml`.
//!
//! Holidays that are ordered for a single day (mourning, a day before Christmas) follow no rule and
//! are not here. A missing holiday makes a deadline earlier, never later.

use std::fmt;

use jiff::ToSpan as _;
use jiff::civil::{Date, Weekday, date};
use jiff::tz::TimeZone;
use model::Timestamp;
use model::error::Malformed;
use serde::{Deserialize, Serialize};

/// Years for which a test has every holiday written out.
pub const CHECKED_YEARS: std::ops::RangeInclusive<i16> = 2024..=2032;

/// Which days are no business days, beside Saturday and Sunday.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Calendar {
    /// Every day counts.
    #[default]
    Calendar,
    /// United States federal holidays (5 U.S.C. 6103), with the days on which they are observed.
    UsFederal,
    /// Brazil's national holidays (Lei 662/1949, 6.802/1980, 9.093/1995, 14.759/2023). Carnival and
    /// Corpus Christi are optional days and count as business days.
    Brazil,
}

impl Calendar {
    /// Whether this day is a holiday.
    pub fn is_holiday(self, day: Date) -> bool {
        match self {
            Self::Calendar => false,
            Self::UsFederal => is_us_federal_holiday(day),
            Self::Brazil => is_brazilian_holiday(day),
        }
    }

    /// Whether this day is a business day.
    pub fn is_business_day(self, day: Date) -> bool {
        !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday) && !self.is_holiday(day)
    }

    /// The day on which the `count`th business day after `start` falls; `start` itself never
    /// counts. `None` past the end of the calendar.
    pub fn after(self, start: Date, count: u32) -> Option<Date> {
        (0..count).try_fold(start, |day, _| {
            let mut next = day.tomorrow().ok()?;
            while !self.is_business_day(next) {
                next = next.tomorrow().ok()?;
            }
            Some(next)
        })
    }
}

/// A day on the calendar, as `2026-02-05`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Day(pub Date);

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl From<Day> for String {
    fn from(day: Day) -> Self {
        day.to_string()
    }
}

impl TryFrom<String> for Day {
    type Error = Malformed;
    fn try_from(text: String) -> Result<Self, Malformed> {
        const WHY: Malformed = Malformed::new("day", "write it as 2026-02-05");
        if text.len() != 10 {
            return Err(WHY);
        }
        text.parse().map(Self).map_err(|_| WHY)
    }
}

/// An IANA time zone by its name, such as `Europe/Berlin`. The default is `UTC`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

impl Zone {
    /// Reads the zone's name.
    ///
    /// # Errors
    /// When the time zone database has no such name.
    pub fn parse(name: &str) -> Result<Self, Malformed> {
        TimeZone::get(name)
            .map(|zone| Self { name: name.to_owned(), zone })
            .map_err(|_| Malformed::new("time zone", "use an IANA name such as `Europe/Berlin`"))
    }

    /// Which day it is there.
    pub fn day_of(&self, at: Timestamp) -> Date {
        at.to_jiff().to_zoned_datetime(self.zone.clone()).date()
    }

    /// The last instant of a day there.
    pub fn end_of(&self, day: Date) -> Option<Timestamp> {
        let next = day.tomorrow().ok()?.to_zoned_datetime(self.zone.clone()).ok()?;
        Some(Timestamp::from_micros(next.timestamp().as_microsecond()).plus_micros(-1))
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self { name: "UTC".to_owned(), zone: TimeZone::UTC }
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.name
    }
}

impl TryFrom<String> for Zone {
    type Error = Malformed;
    fn try_from(name: String) -> Result<Self, Malformed> {
        Self::parse(&name)
    }
}

fn is_us_federal_holiday(day: Date) -> bool {
    let nth = |nth, weekday| day.nth_weekday_of_month(nth, weekday).is_ok_and(|d| d == day);
    let by_weekday = match day.month() {
        // Martin Luther King, Washington, Memorial, Labor, Columbus, Thanksgiving.
        1 | 2 => nth(3, Weekday::Monday),
        5 => nth(-1, Weekday::Monday),
        9 => nth(1, Weekday::Monday),
        10 => nth(2, Weekday::Monday),
        11 => nth(4, Weekday::Thursday),
        _ => false,
    };
    by_weekday || is_us_fixed(day) || observes_neighbour(day)
}

/// New Year, Juneteenth, Independence, Veterans, Christmas.
fn is_us_fixed(day: Date) -> bool {
    matches!((day.month(), day.day()), (1, 1) | (6, 19) | (7, 4) | (11, 11) | (12, 25))
}

/// A holiday on Saturday is observed on Friday, one on Sunday on Monday (5 U.S.C. 6103(b), E.O.
/// 11582).
fn observes_neighbour(day: Date) -> bool {
    match day.weekday() {
        Weekday::Friday => day.tomorrow().is_ok_and(is_us_fixed),
        Weekday::Monday => day.yesterday().is_ok_and(is_us_fixed),
        _ => false,
    }
}

fn is_brazilian_holiday(day: Date) -> bool {
    // Good Friday is the one that moves; the 20th of November is national since 2024.
    let good_friday = easter(day.year()).checked_sub(2.days());
    let fixed = matches!(
        (day.month(), day.day()),
        (1, 1) | (4, 21) | (5, 1) | (9, 7) | (10, 12) | (11, 2) | (11, 15) | (12, 25)
    );
    let consciousness = day.year() >= 2024 && (day.month(), day.day()) == (11, 20);
    fixed || consciousness || good_friday.is_ok_and(|friday| friday == day)
}

/// Easter Sunday of the Gregorian calendar (the rule in New Scientist, 30 March 1961).
fn easter(year: i16) -> Date {
    let y = i32::from(year);
    let (a, b, c) = (y % 19, y / 100, y % 100);
    let (d, e) = (b / 4, b % 4);
    let g = (8 * b + 13) / 25;
    let h = (19 * a + b - d - g + 15) % 30;
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k) % 7;
    let m = (a + 11 * h + 19 * l) / 433;
    let month = (h + l - 7 * m + 90) / 25;
    let day = (h + l - 7 * m + 33 * month + 19) % 32;
    date(year, month as i8, day as i8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holidays(calendar: Calendar, year: i16) -> String {
        let mut day = date(year, 1, 1);
        let mut found = Vec::new();
        while day.year() == year {
            if calendar.is_holiday(day) {
                found.push(day.strftime("%m-%d").to_string());
            }
            day = day.tomorrow().expect("within the calendar");
        }
        found.join(" ")
    }

    #[test]
    fn federal_holidays_fall_and_are_observed_on_these_days() {
        // A holiday on a Saturday or Sunday stands here beside the day on which it is observed.
        let listed = [
            (2024, "01-01 01-15 02-19 05-27 06-19 07-04 09-02 10-14 11-11 11-28 12-25"),
            (2025, "01-01 01-20 02-17 05-26 06-19 07-04 09-01 10-13 11-11 11-27 12-25"),
            (2026, "01-01 01-19 02-16 05-25 06-19 07-03 07-04 09-07 10-12 11-11 11-26 12-25"),
            (
                2027,
                "01-01 01-18 02-15 05-31 06-18 06-19 07-04 07-05 09-06 10-11 11-11 11-25 12-24 \
                 12-25 12-31",
            ),
            (2029, "01-01 01-15 02-19 05-28 06-19 07-04 09-03 10-08 11-11 11-12 11-22 12-25"),
            (2030, "01-01 01-21 02-18 05-27 06-19 07-04 09-02 10-14 11-11 11-28 12-25"),
            (2031, "01-01 01-20 02-17 05-26 06-19 07-04 09-01 10-13 11-11 11-27 12-25"),
            (
                2032,
                "01-01 01-19 02-16 05-31 06-18 06-19 07-04 07-05 09-06 10-11 11-11 11-25 12-24 \
                 12-25 12-31",
            ),
            (2028, "01-01 01-17 02-21 05-29 06-19 07-04 09-04 10-09 11-10 11-11 11-23 12-25"),
        ];
        for (year, days) in listed {
            assert_eq!(holidays(Calendar::UsFederal, year), days, "{year}");
        }
    }

    #[test]
    fn brazilian_holidays_move_with_easter_and_have_the_one_that_was_added() {
        let fridays = [
            (2024, "03-29"),
            (2025, "04-18"),
            (2026, "04-03"),
            (2027, "03-26"),
            (2028, "04-14"),
            (2029, "03-30"),
            (2030, "04-19"),
            (2031, "04-11"),
            (2032, "03-26"),
        ];
        for (year, friday) in fridays {
            let mut days = vec![
                "01-01", friday, "04-21", "05-01", "09-07", "10-12", "11-02", "11-15", "11-20",
                "12-25",
            ];
            days.sort_unstable();
            assert_eq!(holidays(Calendar::Brazil, year), days.join(" "), "{year}");
        }
        assert!(!Calendar::Brazil.is_holiday(date(2023, 11, 20)), "not national before 2024");
    }

    #[test]
    fn business_days_start_on_the_next_day_and_skip_weekends_and_holidays() {
        let check = |calendar: Calendar, start, count, due| {
            assert_eq!(calendar.after(start, count), Some(due), "{start} and {count}");
        };
        check(Calendar::UsFederal, date(2026, 2, 12), 4, date(2026, 2, 19));
        check(Calendar::Brazil, date(2026, 2, 5), 3, date(2026, 2, 10));
        check(Calendar::Brazil, date(2026, 4, 1), 3, date(2026, 4, 7));
        check(Calendar::Brazil, date(2026, 2, 7), 0, date(2026, 2, 7));
    }

    #[test]
    fn a_day_ends_where_the_company_is() {
        let berlin = Zone::parse("Europe/Berlin").expect("a zone");
        let at = Timestamp::parse("2026-02-05T23:30:00Z").expect("a time");
        assert_eq!(berlin.day_of(at), date(2026, 2, 6));
        let end = berlin.end_of(date(2026, 3, 29)).expect("within the calendar");
        assert_eq!(end.to_string(), "2026-03-29T21:59:59.999999Z", "the clock went forward");
        assert!(Zone::parse("Middle/Earth").is_err());
    }
}
