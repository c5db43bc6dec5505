//! What a workload gave a vendor hour by hour, and which hour is usual. Pure: the hour comes in.

use model::{Hour, Volume, limits};

/// The present hour and those before it, of which the oldest fall out.
#[derive(Debug)]
pub(crate) struct History {
    present: Hour,
    /// By the hour's place; the present one among them.
    hours: Box<[Volume]>,
    /// The first hour of which anything is known.
    first: Option<Hour>,
    /// The usual hour, found once in each.
    usual: Usual,
}

/// What an hour of this workload usually has, by its own history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usual {
    /// Too little is known of it, so nothing counts as a burst.
    TooLittle,
    /// At most so many calls, and at most so many people, in 95 of 100 hours in which it called.
    Known(Volume),
}

const HOURS: i64 = limits::HISTORY_HOURS as i64 + 1;

impl History {
    /// Nothing is known, and it is this hour.
    pub fn new(present: Hour) -> Self {
        let hours = vec![Volume::default(); HOURS as usize].into();
        Self { present, hours, first: None, usual: Usual::TooLittle }
    }

    /// Goes on to this hour. A clock that was set back stays in the hour where it was: an hour
    /// does not begin anew.
    pub fn advance(&mut self, to: Hour) {
        let passed = to.since(self.present);
        if passed <= 0 {
            return;
        }
        for hour in 1..=passed.min(HOURS) {
            let place = place(to.plus(1 - hour));
            self.hours[place] = Volume::default();
        }
        self.present = to;
        self.usual = self.find_usual();
    }

    /// The hour that is counted now.
    pub fn present(&self) -> Hour {
        self.present
    }

    /// Adds what was given in an hour; one that fell out is no longer counted.
    pub fn add(&mut self, hour: Hour, volume: Volume) {
        if let Some(kept) = self.hour_mut(hour) {
            *kept = kept.plus(volume);
            self.first = Some(self.first.map_or(hour, |first| first.min(hour)));
            if hour < self.present {
                self.usual = self.find_usual();
            }
        }
    }

    /// Takes back what was added and did not leave after all.
    pub fn take_back(&mut self, hour: Hour, volume: Volume) {
        if let Some(kept) = self.hour_mut(hour) {
            *kept = kept.less(volume);
        }
    }

    /// What was given in an hour; nothing in one that fell out.
    pub fn hour(&self, hour: Hour) -> Volume {
        let age = self.present.since(hour);
        if (0..HOURS).contains(&age) { self.hours[place(hour)] } else { Volume::default() }
    }

    /// People in the present hour and so many before it.
    pub fn people_in(&self, hours: i64) -> u64 {
        (0..hours).map(|ago| self.hour(self.present.plus(-ago)).people).sum()
    }

    /// What is usual.
    pub fn usual(&self) -> Usual {
        self.usual
    }

    fn hour_mut(&mut self, hour: Hour) -> Option<&mut Volume> {
        let age = self.present.since(hour);
        (0..HOURS).contains(&age).then(|| &mut self.hours[place(hour)])
    }

    fn find_usual(&self) -> Usual {
        let earlier = (1..HOURS).map(|ago| self.hour(self.present.plus(-ago)));
        let active: Vec<Volume> = earlier.filter(|volume| volume.calls > 0).collect();
        let known_for = self.first.map_or(0, |first| self.present.since(first));
        if known_for < limits::HISTORY_LEAST_HOURS || active.len() < limits::HISTORY_LEAST_ACTIVE {
            return Usual::TooLittle;
        }
        Usual::Known(Volume {
            calls: high(active.iter().map(|volume| volume.calls)),
            people: high(active.iter().map(|volume| volume.people)),
        })
    }
}

fn place(hour: Hour) -> usize {
    hour.since(Hour::of(model::Timestamp::from_seconds(0))).rem_euclid(HOURS) as usize
}

/// The value that 95 of 100 do not exceed: the largest one when there are fewer than twenty.
fn high(values: impl Iterator<Item = u64>) -> u64 {
    let mut values: Vec<u64> = values.collect();
    values.sort_unstable();
    let rank = (values.len() * 95).div_ceil(100);
    values.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use model::Timestamp;

    use super::*;

    fn start() -> Hour {
        Hour::of(Timestamp::parse("2026-02-05T00:00:00Z").expect("a time"))
    }

    fn volume(calls: u64, people: u64) -> Volume {
        Volume { calls, people }
    }

    #[test]
    fn hours_fall_out_after_two_weeks_and_a_clock_that_is_set_back_begins_none_anew() {
        let mut history = History::new(start());
        history.add(start(), volume(1, 5));
        history.advance(start().plus(23));
        history.add(start().plus(23), volume(2, 7));
        assert_eq!((history.people_in(1), history.people_in(24)), (7, 12));
        history.advance(start());
        assert_eq!(history.present(), start().plus(23));
        history.advance(start().plus(24));
        assert_eq!((history.people_in(1), history.people_in(24)), (0, 7));
        history.advance(start().plus(limits::HISTORY_HOURS as i64));
        assert_eq!(history.hour(start()), volume(1, 5), "the oldest that is kept");
        history.advance(start().plus(HOURS));
        assert_eq!(history.hour(start()), Volume::default());
        assert_eq!(history.hour(start().plus(HOURS)), Volume::default(), "its place is empty");
        history.advance(start().plus(100 * HOURS));
        assert_eq!(history.people_in(HOURS), 0);
    }

    #[test]
    fn what_is_taken_back_was_not_given() {
        let mut history = History::new(start());
        history.add(start(), volume(2, 10));
        history.advance(start().plus(1));
        history.take_back(start(), volume(1, 4));
        assert_eq!(history.hour(start()), volume(1, 6));
    }

    #[test]
    fn too_little_history_makes_nothing_usual() {
        let mut history = History::new(start());
        for hour in 0..23 {
            history.advance(start().plus(hour));
            history.add(start().plus(hour), volume(1, 1));
        }
        history.advance(start().plus(23));
        assert_eq!(history.usual(), Usual::TooLittle, "not yet a day");
        history.advance(start().plus(24));
        assert_eq!(history.usual(), Usual::Known(volume(1, 1)));

        let mut rare = History::new(start());
        for week in 0..2 {
            rare.advance(start().plus(week * 168));
            rare.add(start().plus(week * 168), volume(1, 1_000));
        }
        rare.advance(start().plus(2 * 168 - 1));
        assert_eq!(rare.usual(), Usual::TooLittle, "two hours of two weeks");
    }

    #[test]
    fn what_is_usual_is_a_high_hour_and_not_the_highest_nor_the_present_one() {
        let mut history = History::new(start());
        for hour in 0..100 {
            history.advance(start().plus(hour));
            let people = if hour == 50 { 1_000_000 } else { hour + 1 };
            history.add(start().plus(hour), volume(1, people as u64));
        }
        history.advance(start().plus(100));
        history.add(start().plus(100), volume(1, 5_000_000));
        assert_eq!(history.usual(), Usual::Known(volume(1, 96)));
    }

    #[test]
    fn a_history_that_is_loaded_makes_hours_usual_at_once() {
        let mut history = History::new(start());
        for ago in 1..=30 {
            history.add(start().plus(-ago), volume(3, 30));
        }
        assert_eq!(history.usual(), Usual::Known(volume(3, 30)));
    }
}
