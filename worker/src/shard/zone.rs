//! Local days without a walk through a time zone's rules at every event.

use jiff::tz::TimeZone;
use mercer_common::time::{Day, EventTime};

const DAY_SECONDS: i64 = 86_400;

/// A time zone with all changes of its clocks from 1990 to 2126: some 270 where summer time is
/// kept. An event's day is then a binary search and a division, where asking the rules would
/// cost as much as everything else that is done for the event.
#[derive(Debug)]
pub(crate) struct Zone {
    zone: TimeZone,
    /// From when the clocks are how many seconds ahead of UTC; the first entry is at 0.
    changes: Vec<(EventTime, i32)>,
}

impl Zone {
    pub(crate) fn new(zone: TimeZone) -> Self {
        let first = EventTime::default();
        let mut changes = vec![(first, zone.to_offset(first.timestamp()).seconds())];
        for change in zone.following(first.timestamp()) {
            // The rules go on for ever, event times do not.
            let Some(time) = EventTime::from_unix_seconds(change.timestamp().as_second()) else {
                break;
            };
            changes.push((time, change.offset().seconds()));
        }
        changes.dedup_by_key(|&mut (_, offset)| offset);
        Self { zone, changes }
    }

    /// The zone's rules.
    pub(crate) fn rules(&self) -> &TimeZone {
        &self.zone
    }

    /// As [`Day::of`].
    pub(crate) fn day(&self, time: EventTime) -> Day {
        let past = self.changes.partition_point(|&(since, _)| since <= time);
        let offset = self.changes[past.saturating_sub(1)].1;
        let local = (i64::from(time.0) + i64::from(offset)).div_euclid(DAY_SECONDS);
        // An event of the first hours of 1990 may lie in 1989 to the west.
        Day(u16::try_from(local).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_rules() {
        let names =
            ["UTC", "America/New_York", "Europe/Berlin", "Pacific/Apia", "Africa/Casablanca"];
        for name in names {
            let rules = TimeZone::get(name).expect("a zone");
            let zone = Zone::new(rules.clone());
            let changes = zone.changes.iter().flat_map(|&(time, _)| {
                [time.0.saturating_sub(1), time.0, time.0.saturating_add(1)]
            });
            let spread = (0..20_000_u32).map(|step| step.wrapping_mul(214_748_357));
            for time in changes.chain(spread).chain([0, u32::MAX]).map(EventTime) {
                assert_eq!(zone.day(time), Day::of(time, &rules), "{name} {time:?}");
            }
        }
    }
}
