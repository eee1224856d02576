//! `mercer import inspect`: a file as the import would read it, and the command that imports it; and
//! `mercer import presets`.

mod guess;
mod profile;
#[cfg(test)]
mod tests;

use std::{fmt::Write as _, path::PathBuf};

use anyhow::Result;
use mercer_common::escape;
use serde::Serialize;

use self::profile::Profile;
use super::{
    Kind, ReadingArgs,
    ask::{self, Question},
    mapping::{
        Preset,
        recipe::{Preparing, Recipe},
    },
    options::Options,
    pass::Checked,
    prepare::Preparation,
    reading::{Form, Input, Table},
    rejects::{ReasonCount, Reject, Rejects},
    rows::{
        Context,
        collector::{Collector, Outcome},
    },
    survey::Survey,
};
use crate::show::output::{self, Format};

/// Rows that are shown as they would load.
const SHOWN: usize = 10;

/// Look at a file.
#[derive(Debug, clap::Args)]
pub(crate) struct InspectArgs {
    /// The file; `-` is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What the file holds; guessed if not given.
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    #[command(flatten)]
    reading: ReadingArgs,
}

/// A column of the file.
#[derive(Debug, Serialize)]
struct Column {
    name: String,
    holds: &'static str,
    filled: u64,
    example: String,
    /// Fields that it goes into.
    fields: Vec<String>,
    /// Numbers far outside of what it holds otherwise, and their lines.
    far_out: Vec<(f64, u64)>,
}

/// What a file holds and how it would load.
#[derive(Debug, Serialize)]
struct Inspection {
    file: String,
    rows: u64,
    notes: Vec<String>,
    columns: Vec<Column>,
    kind: String,
    /// Fields without which it cannot be imported and that no column was found for.
    lacking: Vec<String>,
    accepted: u64,
    skipped: u64,
    rejected: u64,
    reasons: Vec<ReasonCount>,
    rejects: Vec<Reject>,
    /// The first rows as they would load: names of fields and values.
    first: Vec<Vec<(&'static str, String)>>,
    questions: Vec<Asked>,
    /// What makes a file of events of it, where it is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    preparing: Option<Preparing>,
    /// Command that imports the file.
    command: String,
    /// The command with each answer, if there are questions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    commands: Vec<String>,
}

/// A question and the options that answer it.
#[derive(Debug, Serialize)]
struct Asked {
    about: String,
    choices: Vec<(String, String)>,
}

/// Runs the command.
pub(crate) fn run(args: InspectArgs, format: Format) -> Result<()> {
    let inspection = Inspection::of(args, std::env::args())?;
    output::print(format, &inspection, Inspection::text)
}

impl Inspection {
    fn of(args: InspectArgs, typed: impl Iterator<Item = String>) -> Result<Self> {
        let InspectArgs { file, kind, mut reading } = args;
        let input = Input::open(&file)?;
        let form = Form { delimiter: reading.delimiter, encoding: reading.encoding };
        let mut table = Table::read_from(&input, form)?;
        let names = table.columns().to_vec();
        let as_it_is = kind.is_none() && reading.preset.is_none() && reading.map.is_empty();
        let preparing = if as_it_is { Recipe::of(input.name(), &names)? } else { None };
        let guess = match &preparing {
            Some(_) => guess::Guess::default(),
            None => guess::guess(&names, kind, &reading)?,
        };
        let (mut profiles, rows) = Profile::of(&mut table)?;
        let typed = TypedOptions::of(typed);
        reading.preset = reading.preset.or_else(|| guess.preset.clone());
        reading.set.extend(guess.set.iter().cloned());
        reading.map.extend(guess.taken.iter().cloned());
        let columns = |fields: &dyn Fn(usize) -> Vec<String>, profiles: &mut [Profile]| {
            let columns = names.iter().zip(profiles).enumerate();
            columns
                .map(|(index, (name, profile))| Column {
                    name: name.clone(),
                    holds: profile.holds(),
                    filled: profile.filled,
                    example: profile.example.clone(),
                    fields: fields(index),
                    far_out: profile.far_out(),
                })
                .collect()
        };
        let mut found = Self {
            file: input.name().to_owned(),
            rows,
            notes: table.notes().to_vec(),
            columns: Vec::new(),
            kind: guess.kind.to_string(),
            lacking: guess.lacking.clone(),
            accepted: 0,
            skipped: 0,
            rejected: 0,
            reasons: Vec::new(),
            rejects: Vec::new(),
            first: Vec::new(),
            questions: Vec::new(),
            command: String::new(),
            commands: Vec::new(),
            preparing,
        };
        let words = typed.words(&guess, &file);
        found.command = match &found.preparing {
            Some(preparing) => preparing.command.clone(),
            None => ask::commands(&words, &[]).swap_remove(0),
        };
        if found.preparing.is_some() || !guess.lacking.is_empty() {
            found.columns = columns(&|_| Vec::new(), &mut profiles);
            return Ok(found);
        }
        let (mapping, layout, options) = reading.resolve(guess.kind)?;
        let context = Context {
            rows: None,
            currency: String::new(),
            category_separator: reading.category_separator.clone(),
            event_types: options.event_types.clone(),
            negative: options.negative,
            blank: options.blank.clone().unwrap_or_default(),
        };
        let zone = Options::zone(options.time_zone.as_deref().unwrap_or("UTC"))?;
        let rejects = Rejects::new(None)?;
        let ready =
            Preparation { kind: guess.kind, mapping, layout, options, zone, context, rejects };
        let mut plan = ready.plan(input)?;
        let mut survey = Survey::default();
        survey.look(&plan, &|_| ())?;
        let decided = survey.decide(&ready.options);
        plan.readings = decided.readings(&plan);
        found.columns = columns(&|index| plan.fields.of_column(index), &mut profiles);
        found.notes.extend(plan.guesses().into_iter().chain(decided.notes));
        found.notes.extend(plan.without_amounts().filter(|_| guess.kind == Kind::Events));
        let mut checked = Checked::default();
        let mut rejects = ready.rejects;
        checked.read(&plan, &mut rejects, &mut |_, _| Ok(()), &|_| ())?;
        let questions = guess.questions.into_iter().chain(decided.questions);
        let questions: Vec<Question> = questions.chain(checked.questions()).collect();
        if !questions.is_empty() {
            found.commands = ask::commands(&words, &questions);
        }
        let read_in = ready.options.time_zone.as_deref();
        let read_in = read_in.unwrap_or("the cluster's time zone, and shown here in UTC");
        found.notes.extend(checked.notes(read_in, false));
        let questions = questions.into_iter();
        found.questions =
            questions.map(|Question { about, choices }| Asked { about, choices }).collect();
        found.accepted = checked.rows().1;
        found.skipped = checked.totals.skipped();
        found.rejected = rejects.total();
        (found.reasons, found.rejects) = rejects.finish()?;
        found.first = first_rows(&plan)?;
        Ok(found)
    }

    /// Text for people.
    fn text(&self) -> String {
        let mut text = format!(
            "{}: {}, {} columns; read as {}",
            escape::text(&self.file),
            output::rows(self.rows),
            self.columns.len(),
            self.kind
        );
        for note in &self.notes {
            let _ = write!(text, "\n{}", escape::text(note));
        }
        let columns = self.columns.iter().map(|column| {
            vec![
                column.name.clone(),
                column.holds.to_owned(),
                output::count(column.filled),
                column.example.clone(),
                column.fields.join(", "),
            ]
        });
        text.push_str("\n\n");
        text.push_str(&output::table(&["column", "holds", ">filled", "first", "field"], columns));
        for column in &self.columns {
            for (number, line) in &column.far_out {
                let name = escape::text(&column.name);
                let _ = write!(text, "\n`{name}`: {number} (line {line}) lies far out");
            }
        }
        if !self.first.is_empty() {
            text.push_str("\n\nthe first rows as they would load:\n");
            text.push_str(&self.first_table());
        }
        if let Some(preparing) = &self.preparing {
            let what = preparing.to_string();
            let _ = write!(text, "\n\n{}\n{}", escape::text(&what), preparing.steps());
            return text;
        }
        if self.lacking.is_empty() {
            let _ = write!(
                text,
                "\n\n{} would load, {} would be left out, {} would be rejected",
                output::rows(self.accepted),
                output::count(self.skipped),
                output::count(self.rejected)
            );
        }
        for reason in &self.reasons {
            let (count, reason) = (output::count(reason.count), escape::text(&reason.reason));
            let _ = write!(text, "\n  {count}  {reason}");
        }
        for question in &self.questions {
            let _ = write!(text, "\n\n{}", escape::text(&question.about));
            for (flags, means) in &question.choices {
                let _ = write!(text, "\n  {}  {}", escape::text(flags), escape::text(means));
            }
        }
        if !self.lacking.is_empty() {
            let _ = write!(text, "\n\nno column was found for {}", self.lacking.join(", "));
        }
        if self.commands.is_empty() {
            let _ = write!(text, "\n\n{}", escape::text(&self.command));
            return text;
        }
        text.push_str("\n\nsay what is meant:");
        for command in &self.commands {
            let _ = write!(text, "\n{}", escape::text(command));
        }
        text
    }

    fn first_table(&self) -> String {
        let mut headers: Vec<&str> = Vec::new();
        for row in &self.first {
            for (name, _) in row {
                if !headers.contains(name) {
                    headers.push(name);
                }
            }
        }
        let mut rows = Vec::new();
        for row in &self.first {
            let mut cells = Vec::new();
            for header in &headers {
                let found = row.iter().find(|(name, _)| name == header);
                cells.push(found.map_or_else(String::new, |(_, value)| value.clone()));
            }
            rows.push(cells);
        }
        output::table(&headers, rows)
    }
}

/// The first good rows.
fn first_rows(plan: &super::plan::Plan) -> Result<Vec<Vec<(&'static str, String)>>> {
    let mut collector = Collector::new(plan.kind, &plan.fields, plan.context.clone());
    let mut first = Vec::new();
    let stopped = plan.read(&mut collector, &mut |collector, visit| {
        if let Outcome::Taken { .. } = visit.outcome {
            first.extend(collector.last_shown());
        }
        if first.len() == SHOWN { Err(Enough.into()) } else { Ok(()) }
    });
    match stopped {
        Err(error) if !error.is::<Enough>() => Err(error),
        _ => Ok(first),
    }
}

/// Ends a reading early.
#[derive(Debug, thiserror::Error)]
#[error("enough rows were read")]
struct Enough;

/// The options that the user typed, to print them again.
struct TypedOptions(Vec<String>);

impl TypedOptions {
    fn of(words: impl Iterator<Item = String>) -> Self {
        let mut typed = Vec::new();
        let mut words = words.skip_while(|word| word != "inspect").skip(1).peekable();
        // Everything but the file and the kind is an option of reading.
        while let Some(word) = words.next() {
            if !word.starts_with("--") {
                continue;
            }
            let value =
                if word.contains('=') { None } else { words.next_if(|w| !w.starts_with("--")) };
            if word.starts_with("--kind") || word.starts_with("--output") {
                continue;
            }
            typed.push(word);
            typed.extend(value);
        }
        Self(typed)
    }

    /// The command that imports the file, word by word.
    fn words(&self, guess: &guess::Guess, file: &std::path::Path) -> Vec<String> {
        let mut words = vec!["mercer".to_owned(), "import".to_owned(), guess.kind.to_string()];
        words.push(file.display().to_string());
        words.extend(self.0.iter().cloned());
        if let Some(preset) = &guess.preset {
            words.extend(["--preset".to_owned(), preset.clone()]);
        }
        let mut pairs = |flag: &str, pairs: &[String]| {
            if !pairs.is_empty() {
                words.extend([flag.to_owned(), pairs.join(",")]);
            }
        };
        let lacking: Vec<String> =
            guess.lacking.iter().map(|field| format!("{field}=COLUMN")).collect();
        pairs("--map", &[guess.map.as_slice(), &lacking].concat());
        pairs("--set", &guess.set);
        words
    }
}

/// A preset, for people and programs.
#[derive(Debug, Serialize)]
struct Known {
    name: String,
    about: String,
    /// Kinds and the columns that each must have.
    layouts: Vec<(String, Vec<String>)>,
}

/// Prints all presets and recipes, and what each expects.
pub(crate) fn presets(format: Format) -> Result<()> {
    let mut known: Vec<Known> = Preset::shipped()?
        .into_iter()
        .map(|preset| Known {
            layouts: (preset.layouts())
                .map(|(kind, layout)| (kind.to_owned(), layout.required.clone()))
                .collect(),
            name: preset.name,
            about: preset.about,
        })
        .collect();
    known.extend(Recipe::shipped()?.into_iter().map(|recipe| Known {
        layouts: vec![("files".to_owned(), recipe.files())],
        about: format!(
            "Holds {}: `mercer import inspect` prints a query of DuckDB that makes events of it.",
            recipe.about
        ),
        name: recipe.name,
    }));
    output::print(format, &known, |known| {
        let lines = known.iter().map(|preset| {
            let mut text = format!("{}\n  {}", preset.name, preset.about);
            for (kind, required) in &preset.layouts {
                let _ = write!(text, "\n  {kind}: {}", required.join(", "));
            }
            text
        });
        lines.collect::<Vec<_>>().join("\n\n")
    })
}
