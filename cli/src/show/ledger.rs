//! What a user paid, as `mercer user` shows it.

use mercer_proto::v1::{Ledger, LedgerChannel, LedgerKind, LedgerRow, LedgerSums};
use serde::Serialize;

use crate::show::output::{self, date, money, units};

#[derive(Debug, Serialize)]
pub(crate) struct LedgerAnswer {
    by_kind: Vec<Kind>,
    /// The first day of which every row is kept; null where all of them are.
    rows_since: Option<String>,
    orders: u64,
    purchase_days: u32,
    last_purchase: Option<String>,
    by_channel: Vec<Channel>,
    kept_rows: u32,
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Kind {
    kind: &'static str,
    lines: u64,
    units: f64,
    money: Option<String>,
}

#[derive(Debug, Serialize)]
struct Channel {
    channel: String,
    orders: u64,
    units: f64,
    money: Option<String>,
    returned_units: f64,
    returned_money: Option<String>,
}

#[derive(Debug, Serialize)]
struct Row {
    date: Option<String>,
    visit: String,
    channel: String,
    kind: &'static str,
    units: f64,
    money: Option<String>,
}

impl Kind {
    fn new(sums: LedgerSums) -> Self {
        Self {
            kind: name(sums.kind()),
            lines: sums.lines,
            units: sums.units,
            money: sums.money.as_ref().map(money),
        }
    }
}

impl Channel {
    fn new(channel: LedgerChannel) -> Self {
        Self {
            orders: channel.orders,
            units: channel.units,
            money: channel.money.as_ref().map(money),
            returned_units: channel.returned_units,
            returned_money: channel.returned_money.as_ref().map(money),
            channel: channel.channel,
        }
    }
}

impl Row {
    fn new(row: LedgerRow) -> Self {
        Self {
            kind: name(row.kind()),
            date: row.date.as_ref().map(date),
            visit: format!("{:08x}", row.visit),
            units: row.units,
            money: row.money.as_ref().map(money),
            channel: row.channel,
        }
    }
}

fn name(kind: LedgerKind) -> &'static str {
    match kind {
        LedgerKind::Unspecified => "unspecified",
        LedgerKind::Regular => "regular",
        LedgerKind::Promoted => "promoted",
        LedgerKind::Returned => "returned",
        LedgerKind::WithoutAmount => "without-amount",
    }
}

impl LedgerAnswer {
    pub(crate) fn new(ledger: Ledger) -> Self {
        Self {
            by_kind: ledger.sums.into_iter().map(Kind::new).collect(),
            rows_since: ledger.rows_since.as_ref().map(date),
            orders: ledger.orders,
            purchase_days: ledger.purchase_days,
            last_purchase: ledger.last_purchase.as_ref().map(date),
            by_channel: ledger.channels.into_iter().map(Channel::new).collect(),
            kept_rows: ledger.kept_rows,
            rows: ledger.rows.into_iter().map(Row::new).collect(),
        }
    }

    /// Lines of a name and what stands beside it.
    pub(crate) fn lines(&self, kept_since: Option<&str>) -> Vec<(&'static str, String)> {
        let since = self.rows_since.as_deref().or(kept_since);
        let since = since.map(|since| format!(" since {since}")).unwrap_or_default();
        let mut lines = vec![
            ("orders", format!("{}{since}", output::count(self.orders))),
            ("purchase days", output::count(self.purchase_days)),
            ("last purchase", self.last_purchase.clone().unwrap_or_default()),
        ];
        lines.extend(kept_since.map(|since| ("paid since", since.to_owned())));
        lines
    }

    /// Sums by kind, by channel where any is named, and the latest rows.
    pub(crate) fn tables(&self) -> String {
        let paid = |money: &Option<String>| money.clone().unwrap_or_default();
        let by_kind = self.by_kind.iter().map(|one| {
            vec![one.kind.to_owned(), output::count(one.lines), units(one.units), paid(&one.money)]
        });
        let mut tables = vec![output::table(&["kind", ">lines", ">units", ">money"], by_kind)];
        if self.by_channel.iter().any(|one| !one.channel.is_empty()) {
            let by_channel = self.by_channel.iter().map(|one| {
                vec![
                    one.channel.clone(),
                    output::count(one.orders),
                    units(one.units),
                    paid(&one.money),
                    units(one.returned_units),
                    paid(&one.returned_money),
                ]
            });
            let heads = ["channel", ">orders", ">units", ">money", ">returned", ">money back"];
            tables.push(output::table(&heads, by_channel));
        }
        if !self.rows.is_empty() {
            let rows = self.rows.iter().map(|row| {
                vec![
                    row.date.clone().unwrap_or_default(),
                    row.visit.clone(),
                    row.channel.clone(),
                    row.kind.to_owned(),
                    units(row.units),
                    paid(&row.money),
                ]
            });
            let heads = ["date", "visit", "channel", "kind", ">units", ">money"];
            tables.push(output::table(&heads, rows));
        }
        tables.iter().map(|table| format!("\n\n{table}")).collect()
    }
}
