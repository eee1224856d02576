//! Reads files to their ends and checks them, before anything is sent.

use std::{path::PathBuf, sync::Arc};

use anyhow::{Context as _, Result};
use indicatif::ProgressBar;

use super::{
    ask::Unanswered,
    identity::{Rows, Sorter},
    mapping::{Fields, Kind, Mapping, preset::Layout, recipe::Recipe},
    options::Options,
    pass::Checked,
    plan::Plan,
    reading::{Input, Table},
    rejects::Rejects,
    remembered::{self, Entries},
    rows::Context,
    survey::Survey,
};

/// Files that are ready to be sent.
pub(super) struct Ready {
    pub(super) plans: Vec<Plan>,
    pub(super) checked: Checked,
    pub(super) rejects: Rejects,
    pub(super) notes: Vec<String>,
    /// Source of events, how they are read, and their rows.
    pub(super) source: Source,
    pub(super) reading: Entries,
    pub(super) sorter: Sorter,
}

/// Knowledge of a cluster about a source of events.
#[derive(Clone, Debug, Default)]
pub(crate) struct Source {
    pub(crate) id: String,
    /// The source has loaded nothing yet.
    pub(crate) is_new: bool,
    /// Hashes that stand for the source's rows.
    pub(crate) rows: Option<Rows>,
    /// Readings of the source's files before these.
    pub(crate) reading: Entries,
}

/// Finds the source of files with these columns.
pub(crate) type Identify = dyn Fn(&[String]) -> Result<Source> + Send;

/// Reads and checks files, before anything is sent.
pub(crate) struct Preparation {
    pub(crate) kind: Kind,
    pub(crate) mapping: Mapping,
    pub(crate) layout: Option<Layout>,
    pub(crate) options: Options,
    pub(crate) zone: jiff::tz::TimeZone,
    pub(crate) context: Context,
    pub(crate) rejects: Rejects,
}

impl Preparation {
    /// Opens a file and finds its fields.
    pub(crate) fn plan(&self, input: Input) -> Result<Plan> {
        let (context, zone) = (self.context.clone(), self.zone.clone());
        Plan::new(
            self.kind,
            Arc::new(input),
            &|name, columns| self.resolve(name, columns),
            &self.options,
            context,
            zone,
        )
    }

    /// Finds the fields of a file with these columns.
    fn resolve(&self, name: &str, columns: &[String]) -> Result<Fields> {
        if let Some(layout) = &self.layout {
            layout.check(name, columns)?;
        }
        self.mapping.resolve(self.kind, name, columns).or_else(|error| {
            let recipe = Recipe::of(name, columns)?;
            let recipe = recipe.filter(|_| self.kind == Kind::Events && self.layout.is_none());
            Err(recipe.map_or(error, Into::into))
        })
    }

    pub(super) fn run(
        mut self,
        files: &[PathBuf],
        bar: &ProgressBar,
        identify: &Identify,
    ) -> Result<Ready> {
        let inputs = files.iter().map(|path| Input::open(path));
        let inputs: Vec<Input> = inputs.collect::<Result<_>>()?;
        let mut source = Source::default();
        if self.kind == Kind::Events
            && let Some(first) = inputs.first()
        {
            let columns = Table::read_from(first, self.options.form)?.columns().to_vec();
            source = identify(&columns)?;
            remembered::fill(&source.reading, &columns, &mut self.mapping, &mut self.options);
            self.context.rows.clone_from(&source.rows);
            self.context.event_types = self.options.event_types.clone();
            self.context.negative = self.options.negative;
            if let Some(zone) = &self.options.time_zone {
                self.zone = Options::zone(zone)?;
            }
        }
        // All files are opened before the first is read: a wrong column in the third one is told at
        // once.
        let plans = inputs.into_iter().map(|input| self.plan(input));
        let mut plans: Vec<Plan> = plans.collect::<Result<_>>()?;
        bar.set_length(plans.iter().map(|plan| plan.input.bytes()).sum());
        let mut survey = Survey::default();
        let mut done = 0;
        for plan in &plans {
            survey.look(plan, &|position| bar.set_position(done + position / 2))?;
            done += plan.input.bytes();
        }
        let decided = survey.decide(&self.options);
        if !decided.questions.is_empty() {
            return Err(Unanswered { questions: decided.questions }.into());
        }
        let mut notes: Vec<String> = Vec::new();
        let mut checked = Checked::default();
        let mut sorter = Sorter::default();
        bar.set_position(0);
        let mut done = 0;
        for plan in &mut plans {
            plan.readings = decided.readings(plan);
            for note in plan.notes.iter().cloned().chain(plan.guesses()) {
                if !notes.contains(&note) {
                    notes.push(note);
                }
            }
            checked
                .read(
                    plan,
                    &mut self.rejects,
                    &mut |event, _| sorter.add(event).context("sorting rows in temporary files"),
                    &|position| bar.set_position(done + position),
                )
                .with_context(|| format!("reading {}", plan.input.name()))?;
            done += plan.input.bytes();
        }
        let questions = checked.questions();
        if !questions.is_empty() {
            return Err(Unanswered { questions }.into());
        }
        let local_zone = checked.has_local_times().then(|| self.zone.iana_name()).flatten();
        let reading = plans.first().map(|plan| remembered::entries(plan, &decided, local_zone));
        let reading = reading.unwrap_or_default();
        notes.extend(decided.notes);
        if self.kind == Kind::Events {
            notes.extend(plans.first().and_then(Plan::without_amounts));
        }
        Ok(Ready { plans, checked, rejects: self.rejects, notes, source, reading, sorter })
    }
}
