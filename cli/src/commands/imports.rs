//! `mercer imports`: what was imported, and taking it out again.

use anyhow::{Context as _, Result, bail};
use mercer_proto::v1::{
    GetImportRequest, ListImportsRequest, RebuildRegisterRequest, UndoImportRequest,
    import_service_client::ImportServiceClient,
};
use tokio_stream::StreamExt as _;

use super::asking::{self, is_agreed};
use crate::{
    client::ClientArgs,
    show::{
        imports::{Rebuilt, Shown, Undone, imports_table},
        output::{self, Format},
        progress,
    },
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
    output::print(format, &shown, |shown| imports_table(shown))
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
    output::print(format, &Undone::new(answer), Undone::text)
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
    output::print(format, &rebuilt, Rebuilt::text)
}
