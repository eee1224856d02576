//! Imports as they are shown.

use mercer_common::escape;
use mercer_proto::v1::{Import, ImportState, RowChoice, UndoImportResponse};
use prost_types::Timestamp;
use serde::Serialize;

use crate::show::output;

/// A register that was built anew, for `--output json`.
#[derive(Debug, Serialize)]
pub(crate) struct Rebuilt {
    pub(crate) source: String,
    pub(crate) rows: u64,
}

/// An import, for `--output json`.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    import: String,
    source: String,
    /// What its records are; empty for events.
    kind: String,
    state: &'static str,
    files: Vec<String>,
    begun: String,
    ended: String,
    first_event: String,
    last_event: String,
    known: u64,
    new: u64,
    changed: u64,
    missing: u64,
    changed_rows: &'static str,
    missing_rows: &'static str,
}

/// Imports that were undone.
#[derive(Debug, Serialize)]
pub(crate) struct Undone {
    undone: Vec<Shown>,
    token: String,
}

impl Rebuilt {
    pub(crate) fn text(&self) -> String {
        let rows = output::count(self.rows);
        format!("source {} knows {rows} rows that are loaded", self.source)
    }
}

impl Undone {
    pub(crate) fn new(answer: UndoImportResponse) -> Self {
        Self { undone: answer.imports.iter().map(Shown::new).collect(), token: answer.token }
    }

    pub(crate) fn text(&self) -> String {
        let ids: Vec<&str> = self.undone.iter().map(|one| one.import.as_str()).collect();
        format!(
            "undone: {}\nthe shards fold themselves again; `mercer status` shows when they have. \
             Train again where versions were trained with it",
            ids.join(", ")
        )
    }
}

/// Several imports, a line each.
pub(crate) fn imports_table(imports: &[Shown]) -> String {
    if imports.is_empty() {
        return "nothing was imported; `mercer import events FILE` does".to_owned();
    }
    let rows = imports.iter().map(|one| {
        vec![
            one.import.clone(),
            one.state.to_owned(),
            one.begun.clone(),
            one.source.clone(),
            output::count(one.new),
            output::count(one.known),
            one.files.join(", "),
        ]
    });
    let headers = ["import", "state", "begun", "source", ">new", ">known", "files"];
    output::table(&headers, rows)
}

impl Shown {
    pub(crate) fn new(import: &Import) -> Self {
        Self {
            import: import.import_id.clone(),
            source: import.source_id.clone(),
            kind: import.kind.clone(),
            state: match import.state() {
                ImportState::Open => "unfinished",
                ImportState::Done => "done",
                ImportState::Undone => "undone",
                ImportState::Unspecified => "unknown",
            },
            files: import.files.clone(),
            begun: time(&import.begin_time),
            ended: time(&import.end_time),
            first_event: time(&import.first_time),
            last_event: time(&import.last_time),
            known: import.known,
            new: import.new,
            changed: import.changed,
            missing: import.missing,
            changed_rows: chosen(import.changed_choice()),
            missing_rows: chosen(import.missing_choice()),
        }
    }

    pub(crate) fn text(&self) -> String {
        let mut text = format!(
            "import {} of source {}: {}\nfiles    {}\nbegun    {}, ended {}",
            self.import,
            self.source,
            self.state,
            escape::text(&self.files.join(", ")),
            self.begun,
            if self.ended.is_empty() { "not yet" } else { &self.ended },
        );
        if !self.kind.is_empty() {
            let (rows, kind) = (output::count(self.new), escape::text(&self.kind));
            text.push_str(&format!("\nrows     {rows} of {kind}"));
            return text;
        }
        text.push_str(&format!(
            "\nevents   from {} to {}\nrows     {} new, {} known before",
            self.first_event,
            self.last_event,
            output::count(self.new),
            output::count(self.known),
        ));
        for (count, what, chosen) in [
            (self.changed, "changed", self.changed_rows),
            (self.missing, "missing", self.missing_rows),
        ] {
            if count > 0 {
                text.push_str(&format!("\n         {} {what}: {chosen}", output::count(count)));
            }
        }
        if self.state == "unfinished" {
            text.push_str(&format!(
                "\nimport the same files again to go on, or take it out: mercer imports undo {}",
                self.import
            ));
        }
        text
    }
}

/// A time to the second, for nobody reads more; empty where there is none.
fn time(time: &Option<Timestamp>) -> String {
    let Some(time) = time else { return String::new() };
    output::time(&Timestamp { nanos: 0, ..*time })
}

fn chosen(choice: RowChoice) -> &'static str {
    match choice {
        RowChoice::File => "the files are right",
        RowChoice::Keep => "what was loaded stays",
        RowChoice::Unspecified => "not decided",
    }
}
