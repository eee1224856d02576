//! Pass 1: every row of every file is read and checked, before anything is sent.

use std::collections::HashSet;

use anyhow::Result;
use indexmap::IndexMap;
use mercer_common::rpc::status::Violation;
use mercer_proto::v1::Event;

use super::{
    ask::Question,
    mapping::Source,
    options::FillDown,
    plan::{Plan, Seen},
    rejects::{Reject, Rejects},
    report::Totals,
    rows::collector::{Amounts, Asked, Collector, Outcome},
    shell::quoted,
};

/// Records that are kept before they are dropped: they are read again when they are sent.
const KEPT: u64 = 1_024;
/// Records that are compared with each other: 16 MiB of them at most.
const KEYS: usize = 1 << 20;
/// Unknown event types that are named.
const TYPES: usize = 20;

/// Origin of an event in the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Number of the file among the import's, from 0.
    pub(crate) file: usize,
    pub(crate) line: u64,
}

/// Receiver of every event that may be sent.
pub(crate) type OnEvent<'a> = dyn FnMut(&Event, Place) -> Result<()> + 'a;

/// Rows that lack what the row above of the same order has.
#[derive(Debug)]
struct Unfilled {
    rows: u64,
    /// The first.
    line: u64,
    /// Argument of `--fill-down` that would fill the cells.
    flag: String,
}

/// Findings of pass 1.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    /// Rows and good rows, by file.
    pub(crate) files: Vec<(u64, u64)>,
    pub(crate) totals: Totals,
    seen: Seen,
    /// Cells that look as if they had swallowed rows, and the line of the first.
    swallowing: Option<(u64, u64)>,
    /// Rows that lack what the row above of the same order has.
    unfilled: Option<Unfilled>,
    /// The basket and whether it has a user, of the last event.
    above: Option<String>,
    /// What records were about so far, and those that were about the same again: how many, and the
    /// line of the first.
    keys: HashSet<u64>,
    repeated: Option<(u64, u64)>,
    negatives: u64,
    first_negative: Option<u64>,
    types: IndexMap<String, (u64, u64)>,
    price: Option<OpenPrice>,
}

/// The first row that tells the readings of an open price apart.
#[derive(Clone, Debug, PartialEq)]
struct OpenPrice {
    column: String,
    line: u64,
    units: f64,
    micros: i64,
}

impl Checked {
    /// Reads a whole file.
    pub(crate) fn read(
        &mut self,
        plan: &Plan,
        rejects: &mut Rejects,
        on_event: &mut OnEvent<'_>,
        progress: &dyn Fn(u64),
    ) -> Result<()> {
        let file = self.files.len();
        let mut collector = Collector::new(plan.kind, &plan.fields, plan.context.clone());
        let (mut rows, mut good) = (0, 0);
        let seen = plan.read(&mut collector, &mut |collector, visit| {
            rows += 1;
            if rows % KEPT == 0 {
                progress(visit.position);
            }
            self.totals.add(&visit.outcome, visit.amounts);
            match visit.outcome {
                Outcome::Taken { .. } => {
                    good += 1;
                    if let Some(column) = &plan.open_price {
                        self.see_price(column, visit.line, visit.amounts);
                    }
                    if let Some(event) = collector.last_event() {
                        self.unfilled_user(plan, event, visit.line);
                        on_event(event, Place { file, line: visit.line })?;
                    }
                    if let Some(key) = collector.last_key() {
                        self.repeated(key, visit.line);
                    }
                    if good % KEPT == 0 {
                        collector.clear();
                    }
                }
                Outcome::Skipped(_) => {}
                Outcome::Asked(asked) => {
                    let violation = Violation::new(asked.field(), asked.reason());
                    rejects.add(reject(plan, visit.line, vec![violation]))?;
                    self.ask(asked, visit.line);
                }
                Outcome::Refused(invalid) => {
                    let reject = reject(plan, visit.line, invalid);
                    if reject.field == "timestamp" && reject.reason == "is missing" {
                        self.unfilled(plan, visit.line);
                    }
                    rejects.add(reject)?;
                }
            }
            Ok(())
        })?;
        self.files.push((rows, good));
        if let Some((cells, line)) = seen.swallowing {
            self.swallowing.get_or_insert((0, line)).0 += cells;
        }
        self.seen.local_times += seen.local_times;
        self.seen.shifted += seen.shifted;
        for (what, count) in seen.changed {
            match self.seen.changed.iter_mut().find(|(known, _)| *known == what) {
                Some((_, all)) => *all += count,
                None => self.seen.changed.push((what, count)),
            }
        }
        Ok(())
    }

    /// Counts a record about what an earlier one is about.
    fn repeated(&mut self, key: u64, line: u64) {
        if self.keys.contains(&key) {
            self.repeated.get_or_insert((0, line)).0 += 1;
        } else if self.keys.len() < KEYS {
            self.keys.insert(key);
        }
    }

    /// Counts an event without user whose basket is that of the row above, which has one.
    fn unfilled_user(&mut self, plan: &Plan, event: &Event, line: u64) {
        match (&event.user_id, &event.basket_id) {
            (Some(_), Some(basket)) => {
                if self.above.as_ref() != Some(basket) {
                    self.above = Some(basket.clone());
                }
            }
            (None, Some(basket)) if self.above.as_ref() == Some(basket) => {
                self.unfilled(plan, line);
            }
            _ => self.above = None,
        }
    }

    fn unfilled(&mut self, plan: &Plan, line: u64) {
        if let Some(unfilled) = &mut self.unfilled {
            unfilled.rows += 1;
            return;
        }
        let column = |field: &str| match plan.fields.source(field) {
            Some(Source::Cell(cell)) => Some(plan.column(cell)),
            _ => None,
        };
        let Some(key) = column("basket_id") else { return };
        let columns: Vec<&str> = ["timestamp", "user_id"].into_iter().filter_map(column).collect();
        let flag = quoted(&FillDown::written(&columns, key));
        self.unfilled = Some(Unfilled { rows: 1, line, flag });
    }

    fn see_price(&mut self, column: &str, line: u64, amounts: Amounts) {
        if let (Some(units), Some(micros), None) = (amounts.units, amounts.micros, &self.price)
            && units.abs() != 1.0
            && micros != 0
        {
            self.price = Some(OpenPrice { column: column.to_owned(), line, units, micros });
        }
    }

    fn ask(&mut self, asked: Asked, line: u64) {
        match asked {
            Asked::Negative => {
                self.negatives += 1;
                self.first_negative.get_or_insert(line);
            }
            Asked::Type(name) => {
                if self.types.len() < TYPES || self.types.contains_key(&name) {
                    self.types.entry(name).or_insert((0, line)).0 += 1;
                }
            }
        }
    }

    /// Tells whether some times name no zone.
    pub(crate) fn has_local_times(&self) -> bool {
        self.seen.local_times > 0
    }

    /// Rows of all files, and good ones.
    pub(crate) fn rows(&self) -> (u64, u64) {
        self.files.iter().fold((0, 0), |all, file| (all.0 + file.0, all.1 + file.1))
    }

    /// Questions about the rows that only the user can answer.
    pub(crate) fn questions(&self) -> Vec<Question> {
        let mut questions = Vec::new();
        if let Some(line) = self.first_negative {
            let count = self.negatives;
            let about = format!(
                "{count} purchases have a negative quantity, the first in line {line}: what are they?"
            );
            let write_offs = "returns; at price 0 without a user write-offs, which are left out";
            let choices = [
                ("--negative return", write_offs.to_owned()),
                ("--negative skip", "nothing: their rows are left out and counted".to_owned()),
                ("--negative refuse", "mistakes: their rows are refused".to_owned()),
            ];
            questions.push(Question::new(about, choices));
        }
        questions.extend(self.price.as_ref().map(OpenPrice::question));
        if !self.types.is_empty() {
            let words: Vec<String> = self
                .types
                .iter()
                .map(|(name, (count, line))| format!("`{name}` ({count}, first in line {line})"))
                .collect();
            let about = format!("these event types are not known: {}", words.join(", "));
            let pairs = |to: &dyn Fn(&str) -> &'static str| {
                let pairs = self.types.keys().map(|name| format!("{name}={}", to(name)));
                quoted(&pairs.collect::<Vec<_>>().join(","))
            };
            let named = format!("--event-types {}", pairs(&likely));
            let skipped = format!("--event-types {}", pairs(&|_| "skip"));
            let choices = [
                (
                    named.as_str(),
                    "what each of them is: view, click, favourite, add_to_cart, purchase, return, \
                     rating or skip"
                        .to_owned(),
                ),
                (skipped.as_str(), "nothing: their rows are left out and counted".to_owned()),
            ];
            questions.push(Question::new(about, choices));
        }
        questions
    }

    /// Notes for people on what was read in which way.
    pub(crate) fn notes(&self, zone: &str, of_cluster: bool) -> Vec<String> {
        let mut notes = Vec::new();
        if self.seen.local_times > 0 {
            let whose = if of_cluster { ", the cluster's time zone" } else { "" };
            notes.push(format!(
                "{} times name no zone: they are read in {zone}{whose}",
                self.seen.local_times
            ));
        }
        if self.seen.shifted > 0 {
            notes.push(format!(
                "{} of them are skipped or repeated by a change of the clocks: the offset before it \
                 is taken",
                self.seen.shifted
            ));
        }
        if let Some(Unfilled { rows, line, flag }) = &self.unfilled {
            notes.push(format!(
                "{rows} rows lack the time or the user, the first in line {line}: if only the first \
                 line of an order has them, say --fill-down {flag}"
            ));
        }
        if let Some((rows, line)) = self.repeated {
            notes.push(format!(
                "{rows} rows are about what an earlier row is about, the first in line {line}: what \
                 they say replaces it, and nothing is added up"
            ));
        }
        if let Some((cells, line)) = self.swallowing {
            notes.push(format!(
                "{cells} quoted cells hold lines that look like rows, the first from line {line} \
                 on: a stray quote may have swallowed them"
            ));
        }
        notes.extend(self.seen.changed.iter().map(|(what, count)| format!("{count} {what}")));
        notes
    }
}

impl OpenPrice {
    fn question(&self) -> Question {
        let Self { column, line, units, micros } = self;
        let price = *micros as f64 / 1e6;
        let about = format!(
            "`{column}` holds {price:.2} for {units} units (line {line}): is it the price of one, or \
             what was paid for all of them?"
        );
        let choices = [
            ("--amount-is unit-price", format!("of one: {:.2} were paid", price * units)),
            ("--amount-is line-total", format!("of all: {price:.2} were paid")),
        ];
        Question::new(about, choices)
    }
}

/// What an event type of this name often is; the user is asked all the same.
fn likely(name: &str) -> &'static str {
    let name = name.to_lowercase();
    for (part, known) in [
        // Taking out of a basket is no adding to it, and a cancelled order no order.
        ("remove", "skip"),
        ("cancel", "skip"),
        ("delete", "skip"),
        ("empty", "skip"),
        ("unlike", "skip"),
        ("refund", "return"),
        ("return", "return"),
        ("cart", "add_to_cart"),
        ("basket", "add_to_cart"),
        ("buy", "purchase"),
        ("order", "purchase"),
        ("transaction", "purchase"),
        ("sale", "purchase"),
        ("purchase", "purchase"),
        ("checkout", "skip"),
        ("wish", "favourite"),
        ("like", "favourite"),
        ("rate", "rating"),
        ("click", "click"),
        ("view", "view"),
        ("detail", "view"),
    ] {
        if name.contains(part) {
            return known;
        }
    }
    "skip"
}

/// The first trouble of a row is enough to find it.
pub(crate) fn reject(plan: &Plan, line: u64, invalid: Vec<Violation>) -> Reject {
    let (field, reason) = match invalid.into_iter().next() {
        Some(violation) => (violation.field, violation.description),
        None => (String::new(), "is refused".to_owned()),
    };
    // The file's names of fields, not the message's.
    let field = if field == "event_time" { "timestamp".to_owned() } else { field };
    Reject { file: plan.input.short_name().to_owned(), line, field, reason }
}
