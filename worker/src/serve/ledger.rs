//! What a user paid, as the API shows it.

use std::{cmp::Reverse, sync::Arc};

use mercer_common::money;
use mercer_proto::v1::{self, LedgerChannel, LedgerKind, LedgerRow, LedgerSums};

use crate::shard::{ChannelSums, Kept, KindSums, Ledger, LineKind};

/// A ledger with the `rows` newest of its rows.
pub(super) fn show(ledger: &Ledger, rows: u32, currency: &str) -> v1::Ledger {
    let summary = ledger.summary();
    let mut sums = Vec::new();
    for (kind, one) in LineKind::ALL.into_iter().zip(&summary.kinds) {
        if one.lines > 0 {
            sums.push(show_kind(kind, one, currency));
        }
    }
    let channels = summary.channels.iter();
    let kept = ledger.rows();
    v1::Ledger {
        sums,
        rows_since: summary.rows_since.map(|day| day.to_api()),
        orders: summary.orders,
        purchase_days: summary.purchase_days,
        last_purchase: summary.last_purchase.map(|day| day.to_api()),
        channels: channels.map(|channel| show_channel(channel, currency)).collect(),
        kept_rows: u32::try_from(kept.len()).unwrap_or(u32::MAX),
        rows: newest(kept, rows).iter().map(|row| show_row(row, currency)).collect(),
    }
}

/// The rows of the newest days. Those of a day stand in an order that does not hang on the numbers of
/// visits, which differ between clusters that were told the same.
fn newest<'a>(kept: impl Iterator<Item = Kept<'a>>, rows: u32) -> Vec<Kept<'a>> {
    let mut all: Vec<Kept<'a>> = kept.collect();
    let key = |row: &Kept<'a>| {
        let of_day = (row.channel, row.kind, Reverse(row.sums.units), Reverse(row.sums.money));
        (Reverse(row.day), of_day, row.visit)
    };
    all.sort_unstable_by(|left, right| key(left).cmp(&key(right)));
    all.truncate(rows as usize);
    all
}

fn show_kind(kind: LineKind, one: &KindSums, currency: &str) -> LedgerSums {
    LedgerSums {
        kind: kind_of(kind).into(),
        lines: one.lines,
        units: units(one.sums.units),
        money: Some(money::from_sum(one.sums.money, currency)),
    }
}

fn show_channel((name, sums): &(Arc<str>, ChannelSums), currency: &str) -> LedgerChannel {
    LedgerChannel {
        channel: name.to_string(),
        orders: sums.orders,
        units: units(sums.bought.units),
        money: Some(money::from_sum(sums.bought.money, currency)),
        returned_units: units(sums.returned.units),
        returned_money: Some(money::from_sum(sums.returned.money, currency)),
    }
}

fn show_row(row: &Kept<'_>, currency: &str) -> LedgerRow {
    LedgerRow {
        date: Some(row.day.to_api()),
        visit: row.visit,
        channel: row.channel.to_owned(),
        kind: kind_of(row.kind).into(),
        units: units(row.sums.units),
        money: Some(money::from_sum(row.sums.money, currency)),
    }
}

fn kind_of(kind: LineKind) -> LedgerKind {
    match kind {
        LineKind::Regular => LedgerKind::Regular,
        LineKind::Promoted => LedgerKind::Promoted,
        LineKind::Returned => LedgerKind::Returned,
        LineKind::WithoutAmount => LedgerKind::WithoutAmount,
    }
}

fn units(micros: i128) -> f64 {
    micros as f64 / 1e6
}
