//! What users paid, in the model: every line is kept, and added up at the end.

use std::collections::{BTreeMap, BTreeSet};

use mercer_common::{limits, time::Day};
use mercer_proto::{internal::Interaction, v1::EventType};

use crate::shard::{ChannelSums, Kept, Ledger, LineKind, Sums};

/// Day, visit, channel, kind.
type Key = (Day, u32, String, LineKind);

/// The lines of one user.
#[derive(Clone, Debug, Default)]
pub(super) struct Paid(Vec<(Key, Sums)>);

impl Paid {
    /// Enters what a record says of a purchase or return on this day, if it does.
    pub(super) fn enter(&mut self, record: &Interaction, day: Day) {
        let Some(units) = record.quantity_micros else { return };
        let kind = if record.r#type() == EventType::Return {
            LineKind::Returned
        } else if record.amount_micros.is_none() {
            LineKind::WithoutAmount
        } else if record.promotion {
            LineKind::Promoted
        } else {
            LineKind::Regular
        };
        let money = record.amount_micros.unwrap_or(0).max(0);
        let key = (day, record.visit.unwrap_or(0), record.channel.clone(), kind);
        self.push(key, Sums { money: money.into(), units: units.into() });
    }

    pub(super) fn push(&mut self, key: Key, sums: Sums) {
        self.0.push((key, sums));
    }

    /// A ledger is what the lines add up to.
    pub(super) fn compare(&self, ledger: Option<&Ledger>) {
        if self.0.is_empty() {
            assert!(ledger.is_none(), "nothing was entered");
            return;
        }
        let ledger = ledger.expect("something was entered");
        let mut all: BTreeMap<Key, Sums> = BTreeMap::new();
        for (key, sums) in &self.0 {
            add(all.entry(key.clone()).or_default(), *sums);
        }
        let first = all.len().saturating_sub(limits::LEDGER_ROWS);
        let kept: Vec<(&Key, &Sums)> = all.iter().skip(first).collect();
        let found: Vec<Kept<'_>> = ledger.rows().collect();
        assert_eq!(found.len(), kept.len());
        for (found, (key, sums)) in found.iter().zip(&kept) {
            let of = (found.day, found.visit, found.channel.to_owned(), found.kind);
            assert_eq!((&of, &found.sums), (*key, *sums));
        }
        let summary = ledger.summary();
        for (kind, found) in LineKind::ALL.into_iter().zip(&summary.kinds) {
            let (mut lines, mut sums) = (0, Sums::default());
            for (_, of) in self.0.iter().filter(|(key, _)| key.3 == kind) {
                lines += 1;
                add(&mut sums, *of);
            }
            assert_eq!((found.lines, found.sums), (lines, sums), "{kind:?}");
        }
        let days: BTreeSet<Day> =
            all.keys().filter(|key| key.3 != LineKind::Returned).map(|key| key.0).collect();
        let newest = days.last().copied();
        let told = days.iter().filter(|day| {
            let newest = newest.expect("a day");
            newest.0 - day.0 < limits::PURCHASE_DAYS
        });
        let told = u32::try_from(told.count()).expect("few");
        assert_eq!((summary.purchase_days, summary.last_purchase), (told, newest));
        // From the day on of which no line lies below the rows, everything is told as it is.
        let since = (first > 0).then(|| Day(kept[0].0.0.0 + 1));
        assert_eq!(summary.rows_since, since);
        let (mut orders, mut channels) = (BTreeSet::new(), BTreeMap::new());
        let mut by_channel: BTreeMap<String, BTreeSet<(Day, u32)>> = BTreeMap::new();
        for ((day, visit, channel, kind), sums) in &all {
            if *day < since.unwrap_or_default() {
                continue;
            }
            let of: &mut ChannelSums = channels.entry(channel.clone()).or_default();
            if *kind == LineKind::Returned {
                add(&mut of.returned, *sums);
                continue;
            }
            add(&mut of.bought, *sums);
            orders.insert((*day, *visit));
            by_channel.entry(channel.clone()).or_default().insert((*day, *visit));
        }
        for (channel, orders) in by_channel {
            channels.entry(channel).or_default().orders = orders.len() as u64;
        }
        channels.retain(|_, sums| *sums != ChannelSums::default());
        let found = summary.channels.into_iter().map(|(name, sums)| (name.to_string(), sums));
        assert_eq!(found.collect::<BTreeMap<_, _>>(), channels);
        assert_eq!(summary.orders, orders.len() as u64);
    }
}

fn add(sum: &mut Sums, other: Sums) {
    sum.money += other.money;
    sum.units += other.units;
}
