//! Pass 1: every row of every file is read and checked, before anything is sent.

use anyhow::Result;
use indexmap::IndexMap;
use mercer_common::rpc::status::Violation;
use mercer_proto::v1::Event;

use super::{
    ask::Question,
    plan::{Plan, Seen},
    rejects::{Reject, Rejects},
    report::Totals,
    rows::collector::{Asked, Collector, Outcome},
};

/// Records that are kept before they are dropped: they are read again when they are sent.
const KEPT: u64 = 1_024;
/// Unknown event types that are named.
const TYPES: usize = 20;

/// Where an event comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Of the files of the import, from 0.
    pub(crate) file: usize,
    pub(crate) line: u64,
}

/// What is done with every event that may be sent.
pub(crate) type OnEvent<'a> = dyn FnMut(&Event, Place) -> Result<()> + 'a;

/// What is known after pass 1.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    /// Rows and good rows, by file.
    pub(crate) files: Vec<(u64, u64)>,
    pub(crate) totals: Totals,
    seen: Seen,
    negatives: u64,
    first_negative: Option<u64>,
    types: IndexMap<String, (u64, u64)>,
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
                    if let Some(event) = collector.last_event() {
                        on_event(event, Place { file, line: visit.line })?;
                    }
                    if good % KEPT == 0 {
                        drop(collector.take());
                    }
                }
                Outcome::Skipped(_) => {}
                Outcome::Asked(asked) => {
                    let violation = Violation::new(asked.field(), asked.reason());
                    rejects.add(reject(plan, visit.line, vec![violation]))?;
                    self.ask(asked, visit.line);
                }
                Outcome::Refused(invalid) => rejects.add(reject(plan, visit.line, invalid))?,
            }
            Ok(())
        })?;
        self.files.push((rows, good));
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

    /// Whether some times name no zone.
    pub(crate) fn has_local_times(&self) -> bool {
        self.seen.local_times > 0
    }

    /// Rows of all files, and good ones.
    pub(crate) fn rows(&self) -> (u64, u64) {
        self.files.iter().fold((0, 0), |all, file| (all.0 + file.0, all.1 + file.1))
    }

    /// What only the user can say of the rows.
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
        if !self.types.is_empty() {
            let words: Vec<String> = self
                .types
                .iter()
                .map(|(name, (count, line))| format!("`{name}` ({count}, first in line {line})"))
                .collect();
            let about = format!("these event types are not known: {}", words.join(", "));
            let pairs = |to: &dyn Fn(&str) -> &'static str| {
                let pairs = self.types.keys().map(|name| format!("{name}={}", to(name)));
                super::ask::quoted(&pairs.collect::<Vec<_>>().join(","))
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

    /// For people: what was read in which way.
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
        notes.extend(self.seen.changed.iter().map(|(what, count)| format!("{count} {what}")));
        notes
    }
}

/// What an event type of this name often is; the user is asked all the same.
fn likely(name: &str) -> &'static str {
    let name = name.to_lowercase();
    for (part, known) in [
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
