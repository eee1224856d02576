//! `mercer imports`: what was imported, and taking it out again.

use anyhow::{Context as _, Result, bail};
use mercer_common::escape;
use mercer_proto::v1::{
    GetImportRequest, Import, ImportState, ListImportsRequest, RebuildRegisterRequest, RowChoice,
    UndoImportRequest, import_service_client::ImportServiceClient,
};
use prost_types::Timestamp;
use serde::Serialize;
use tokio_stream::StreamExt as _;

use super::asking::{self, is_agreed};
use crate::{
    client::ClientArgs,
    progress,
    show::output::{self, Format},
};

/// Imports: list them, show one, take one out again.
#[derive(Debug, clap::Args)]
pub(crate) struct ImportsArgs {
    #[command(subcommand)]
    command: ImportsCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ImportsCommand {
    /// The imports, the newest first.
    List(ListArgs),
    /// One import.
    Show(ShowArgs),
    /// Take out what an import has loaded, as if it had never been. Every shard is folded again from
    /// the log; versions that were trained with it stay until the next training.
    Undo(UndoArgs),
    /// Build what a source knows of its loaded rows anew from the log, where it was lost or is damaged.
    /// An import of it that is not finished is taken out first.
    Rebuild(RebuildArgs),
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    /// Only of this source.
    #[arg(long, value_name = "NAME", default_value = "")]
    source: String,
    /// How many.
    #[arg(short, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    n: u32,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Debug, clap::Args)]
struct ShowArgs {
    /// Which one.
    import_id: String,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Debug, clap::Args)]
struct UndoArgs {
    /// Which one; it must be the newest of its source.
    import_id: String,
    /// Undo the later imports of its source, too.
    #[arg(long)]
    with_later: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Debug, clap::Args)]
struct RebuildArgs {
    /// Which source, as `mercer imports list` shows it.
    source: String,
    #[command(flatten)]
    client: ClientArgs,
}

/// A register that was built anew, for `--output json`.
#[derive(Debug, Serialize)]
struct Rebuilt {
    source: String,
    rows: u64,
}

/// An import, for `--output json`.
#[derive(Debug, Serialize)]
struct Shown {
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

/// What was undone.
#[derive(Debug, Serialize)]
struct Undone {
    undone: Vec<Shown>,
    token: String,
}

/// Runs the command.
pub(crate) async fn imports(args: ImportsArgs, format: Format) -> Result<()> {
    match args.command {
        ImportsCommand::List(args) => list(args, format).await,
        ImportsCommand::Show(args) => show(args, format).await,
        ImportsCommand::Undo(args) => undo(args, format).await,
        ImportsCommand::Rebuild(args) => rebuild(args, format).await,
    }
}

async fn list(args: ListArgs, format: Format) -> Result<()> {
    let mut service = ImportServiceClient::new(args.client.connect().await?);
    let request =
        ListImportsRequest { source_id: args.source, page_size: args.n, ..Default::default() };
    let listed = service.list_imports(args.client.request(request)).await?.into_inner();
    let shown: Vec<Shown> = listed.imports.iter().map(Shown::new).collect();
    output::print(format, &shown, |shown| {
        if shown.is_empty() {
            return "nothing was imported; `mercer import events FILE` does".to_owned();
        }
        let rows = shown.iter().map(|one| {
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
    })
}

async fn show(args: ShowArgs, format: Format) -> Result<()> {
    let mut service = ImportServiceClient::new(args.client.connect().await?);
    let request = GetImportRequest { import_id: args.import_id };
    let import = service.get_import(args.client.request(request)).await?.into_inner();
    output::print(format, &Shown::new(&import), Shown::text)
}

async fn undo(args: UndoArgs, format: Format) -> Result<()> {
    let asks_at = if args.yes { None } else { Some(asking::terminal("takes out events")?) };
    let mut service = ImportServiceClient::new(args.client.connect().await?);
    let request = GetImportRequest { import_id: args.import_id.clone() };
    let import = service.get_import(args.client.request(request)).await?.into_inner();
    if let Some(mut lines) = asks_at {
        let later = if args.with_later { ", and all later imports of its source" } else { "" };
        let question = format!(
            "{}\nTake out what it has loaded{later}? Every shard is folded again from the log.",
            Shown::new(&import).text()
        );
        if !is_agreed(&question, &mut lines)? {
            bail!("nothing was undone");
        }
    }
    let request = UndoImportRequest { import_id: args.import_id, with_later: args.with_later };
    let answer = service.undo_import(args.client.request(request)).await?.into_inner();
    let undone =
        Undone { undone: answer.imports.iter().map(Shown::new).collect(), token: answer.token };
    output::print(format, &undone, |undone| {
        let ids: Vec<&str> = undone.undone.iter().map(|one| one.import.as_str()).collect();
        format!(
            "undone: {}\nthe shards fold themselves again; `mercer status` shows when they have. \
             Train again where versions were trained with it",
            ids.join(", ")
        )
    })
}

async fn rebuild(args: RebuildArgs, format: Format) -> Result<()> {
    let mut service = ImportServiceClient::new(args.client.connect().await?);
    let request = RebuildRegisterRequest { source_id: args.source };
    let mut answers = service.rebuild_register(request).await?.into_inner();
    let bar = progress::bar("reading the log", 0, progress::Unit::Records);
    let mut built = None;
    while let Some(answer) = answers.next().await {
        let answer = match answer {
            Ok(answer) => answer,
            Err(status) => {
                bar.finish_and_clear();
                return Err(status.into());
            }
        };
        bar.set_length(answer.of.max(1));
        bar.set_position(answer.done);
        built = answer.source.or(built);
    }
    bar.finish_and_clear();
    let source = built.context("the server ended without an answer")?;
    let rebuilt = Rebuilt { source: source.source_id, rows: source.rows };
    output::print(format, &rebuilt, |rebuilt| {
        let rows = output::count(rebuilt.rows);
        format!("source {} knows {rows} rows that are loaded", rebuilt.source)
    })
}

impl Shown {
    fn new(import: &Import) -> Self {
        // To the second: nobody reads more.
        let whole = |time: &Timestamp| output::time(&Timestamp { nanos: 0, ..*time });
        let time = |time: &Option<Timestamp>| time.as_ref().map_or_else(String::new, whole);
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

    fn text(&self) -> String {
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

fn chosen(choice: RowChoice) -> &'static str {
    match choice {
        RowChoice::File => "the files are right",
        RowChoice::Keep => "what was loaded stays",
        RowChoice::Unspecified => "not decided",
    }
}
