//! `mercer import`: files of events, catalogue, stock, terms and prices into a cluster.
//!
//! Files are read to their ends three times, row by row, on a thread of their own. First the cells are
//! looked at: what can mean two things is decided for a whole column, or asked (`survey.rs`). Then
//! every row is checked by the same code as on the server, so that a bad row is named with its line
//! (`pass.rs`). Nothing is sent before. Then good rows are sent (`send/`). Event batches are cut by the
//! rows of the file alone, good or bad (`chunk.rs`): the same file always gives the same batches under
//! the same numbers, which is what makes a re-run idempotent.

mod ask;
mod chunk;
mod frequent;
mod identity;
mod inspect;
mod load;
mod mapping;
mod options;
mod pass;
mod plan;
mod prepare;
mod reading;
mod records;
pub(crate) mod rejects;
mod remembered;
pub(crate) mod report;
mod rows;
mod send;
mod shell;
mod survey;
#[cfg(test)]
mod tests;
mod uses;
mod values;

use std::path::PathBuf;

use anyhow::{Result, anyhow};

pub(crate) use self::{
    ask::Unanswered,
    identity::{Choice, RowsChoice},
    load::{Import, Target},
    mapping::{Kind, Unresolved, recipe::Preparing},
    reading::{Table, cell::Cell, silence_decoder},
    records::Records,
    rejects::ReasonCount,
    report::Report,
    rows::api_time,
    send::{send, send_items, send_users},
};
use self::{
    mapping::{Mapping, Preset, amount::AmountIs},
    options::{FillDown, MaxRejects, Options, Skip, Usual},
    reading::{Form, encoding},
    rows::{Blank, Negative},
    values::{Dates, Decimals, TimeFormat, words::EventTypes},
};
use crate::{
    client::ClientArgs,
    show::output::{self, Format},
};

/// Import files of events, items, users, stock, supply terms, competitors' prices and so on.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Fields (a column of the same name is taken by itself):
  events     item_id, type, timestamp; user_id, quantity, amount, list_price, promotion,
             location_id, basket_id, session_id, channel, rating, event_id, attribution_token
  items      item_id; title, description, category or category_1..8, brand, list_price,
             unit_cost, status (active, inactive), attribute.NAME, embedding (numbers, separated
             by spaces, commas or semicolons, brackets or not)
  users      user_id; denied_item_ids (separated by |), attribute.NAME
  stock      item_id, on_hand; location_id, on_order, backordered, as_of
  supply     item_id; location_id (empty or *: all that have no terms of their own),
             supplier_id, TERMS
  suppliers  supplier_id; name, TERMS, which hold where supply does not say
  locations  location_id; name, time_zone (IANA), decrement_on_purchase
  competitor-prices
             item_id, competitor_id; price (empty: no longer known), as_of
  TERMS      lead_time_days, lead_time_deviation_days, review_period_days, order_cost,
             holding_rate (a year, share of the cost), minimum_order_quantity, pack_size,
             maximum_cover_days, and either cycle_service or fill_rate

Examples:
  mercer import events orders.csv --map user_id=customer,item_id=sku,timestamp=ordered_at \\
      --set type=purchase --time-zone Europe/Berlin
  mercer import items products.parquet --map title=name,list_price=price
  mercer import events transactions.parquet --preset complete-journey
  mercer import supply terms.csv --map lead_time_days=days --set supplier_id=acme
  mercer import events lines.csv.gz --map 'amount=UnitPrice*Quantity' --negative return
  mercer import inspect orders.csv             looks at a file and says how to import it
  mercer import presets                        known layouts

--map FIELD=EXPRESSION: a column by its exact name, or numbers, 'text', `columns`, + - * / with
brackets, coalesce(a, b) and concat(a, ' ', b).
A blank cell and a column that is not there keep what is known of items, users, stock, terms, suppliers
and locations; see --blank, and `mercer delete`.
Files are CSV, TSV, JSON lines, Parquet or xlsx, plain or packed with gzip, zstd or zip; `-` is standard
input. `amount` is the money paid for the whole line. What can be read in two ways (03/04/2024,
1,234, units below 0) is asked: nothing is loaded then, the exit code is 3, and the options that
answer are printed. Each row of events counts once within its --source: the same file again, a longer
one, one in another order or one that overlaps loads only what is new. Rows that were changed, or that
the files lack, are asked about. A source keeps how its files were read: what was answered once is
not asked again. `mercer imports` shows what was imported and takes it out again.")]
#[command(
    subcommand_negates_reqs = true,
    args_conflicts_with_subcommands = true,
    args_override_self = true
)]
pub(crate) struct ImportArgs {
    #[command(subcommand)]
    look: Option<Look>,
    /// What the files hold.
    #[arg(value_enum, required = true)]
    kind: Option<Kind>,
    /// Files with named columns; several are one import. `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    reading: ReadingArgs,
    /// How many rows may be rejected, or which share of them, before nothing is loaded; 10 % (and 10
    /// rows of any file) if not given.
    #[arg(long, value_name = "N|P%", value_parser = MaxRejects::parse)]
    max_rejects: Option<MaxRejects>,
    /// Rows per batch, at most: large rows make shorter ones. Who resumes an import names the same.
    #[arg(long, value_name = "ROWS", default_value_t = chunk::ROWS, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    batch: u16,
    /// The export that event files come from, 1 to 64 of a-z, 0-9, - and _: rows count once within it.
    /// Files with the same columns are of one if not given.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Rows that were changed since they were loaded, and rows that the files lack, stay as they were
    /// loaded.
    #[arg(long, group = "choice")]
    keep: bool,
    /// Changed rows replace what was loaded; rows that the files lack stay.
    #[arg(long, group = "choice")]
    correct: bool,
    /// Changed rows replace what was loaded, and rows that the files lack are taken out.
    #[arg(long, group = "choice")]
    complete: bool,
    /// The files are to be read so from now on, although those of the source were read otherwise.
    #[arg(long)]
    reread: bool,
    /// Rows that another source has loaded are others than these, although they look alike.
    #[arg(long)]
    apart: bool,
    /// Batches on their way at the same time.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=64))]
    in_flight: u8,
    /// Write all rejected rows with their reasons to this CSV file.
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    #[command(flatten)]
    client: ClientArgs,
}

/// What only looks.
#[derive(Debug, clap::Subcommand)]
enum Look {
    /// Look at a file: what it holds, how its rows would load, and the command that imports it.
    Inspect(Box<inspect::InspectArgs>),
    /// Known layouts and what each expects.
    Presets,
}

/// How files are read.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Reading")]
pub(crate) struct ReadingArgs {
    /// Where fields come from: `field=column` or `field=expression`.
    #[arg(long, value_name = "FIELD=EXPRESSION,...")]
    map: Vec<String>,
    /// One value for all rows: `field=value`.
    #[arg(long, value_name = "FIELD=VALUE,...")]
    set: Vec<String>,
    /// A known layout (`mercer import presets`), or a file of one.
    #[arg(long, value_name = "NAME|FILE")]
    preset: Option<String>,
    /// IANA time zone of times that name none; the cluster's if not given.
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// How times are written: as of strftime, or epoch, epoch-ms, epoch-us, excel, excel-1904. May be
    /// given several times.
    #[arg(long, value_name = "FORMAT", value_parser = TimeFormat::parse)]
    time_format: Vec<TimeFormat>,
    /// Order of dates such as 03/04/2024.
    #[arg(long, value_enum)]
    dates: Option<Dates>,
    /// Commas stand before decimals: 1.234,50.
    #[arg(long, conflicts_with = "decimal_point")]
    decimal_comma: bool,
    /// Points stand before decimals: 1,234.50.
    #[arg(long)]
    decimal_point: bool,
    /// Words that stand for nothing, instead of NULL, NA, nan and so on.
    #[arg(long, value_name = "WORD,...", value_delimiter = ',')]
    null: Option<Vec<String>>,
    /// What the file's event types are; `*=skip` leaves all other ones out.
    #[arg(long, value_name = "FROM=TO,...", value_delimiter = ',', value_parser = pair)]
    event_types: Vec<(String, String)>,
    /// What purchases with a quantity below 0 are.
    #[arg(long, value_enum)]
    negative: Option<Negative>,
    /// What the column that makes `amount` holds, where its name does not say.
    #[arg(long, value_enum, value_name = "WHAT")]
    amount_is: Option<AmountIs>,
    /// Fill blank cells from above while the key is the same: `COLUMN, ... by KEY`.
    #[arg(long, value_name = "COLUMN by KEY", value_parser = FillDown::parse)]
    fill_down: Vec<FillDown>,
    /// Blank cells clear what is known, of all fields that the file has or of some; otherwise they
    /// keep it. A cell `<clear>` always clears.
    #[arg(long, value_name = "clears[=FIELD,...]", value_parser = Blank::parse)]
    blank: Option<Blank>,
    /// Leave out rows with one of these values: `COLUMN=VALUE|VALUE`.
    #[arg(long, value_name = "COLUMN=VALUE|...", value_parser = Skip::parse)]
    skip: Vec<Skip>,
    /// The column that names each row of events, such as an order line: what else changes in a row is
    /// then a correction. Without it a row is known by type, item, time, user, basket, session and
    /// location.
    #[arg(long, value_name = "COLUMN")]
    row_id: Option<String>,
    /// Separator of the fields of a CSV line: one character, or `tab`; found out if not given.
    #[arg(long, value_name = "CHAR", value_parser = delimiter)]
    delimiter: Option<u8>,
    /// Encoding of text that is not UTF-8 and has no byte order mark, such as windows-1252.
    #[arg(long, value_name = "NAME", value_parser = encoding)]
    encoding: Option<&'static encoding_rs::Encoding>,
    /// Separator of the levels of a `category` column.
    #[arg(long, value_name = "TEXT", default_value = ">")]
    category_separator: String,
}

impl ReadingArgs {
    /// Mapping, layout and options for files of a kind.
    fn resolve(&self, kind: Kind) -> Result<(Mapping, Option<mapping::preset::Layout>, Options)> {
        let preset = self.preset.as_deref().map(Preset::find).transpose()?;
        let layout = preset.map(|preset| preset.layout(kind).cloned()).transpose()?;
        let decimals = match (self.decimal_comma, self.decimal_point) {
            (true, _) => Some(Decimals::Comma),
            (_, true) => Some(Decimals::Point),
            _ => None,
        };
        let own = Options {
            form: Form { delimiter: self.delimiter, encoding: self.encoding },
            time_zone: self.time_zone.clone(),
            formats: self.time_format.clone(),
            dates: self.dates,
            decimals,
            nulls: self.null.clone(),
            event_types: EventTypes::new(&self.event_types).map_err(|text| anyhow!(text))?,
            negative: self.negative,
            amount_is: self.amount_is,
            blank: self.blank.clone(),
            fill_down: self.fill_down.clone(),
            skips: self.skip.clone(),
            row_id: self.row_id.clone(),
            usual: Usual::default(),
        };
        let options = match &layout {
            Some(layout) => own.or(Options::of_preset(&layout.reading)?),
            None => own,
        };
        let mapping = Mapping::new(kind, layout.as_ref(), &self.map, &self.set)?;
        Ok((mapping, layout, options))
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (from, to) = text.split_once('=').ok_or_else(|| format!("`{text}` is not from=to"))?;
    Ok((from.trim().to_owned(), to.trim().to_owned()))
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"tab" | b"\\t" => Ok(b'\t'),
        &[byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Ok(byte),
        _ => Err("is not one character or `tab`".into()),
    }
}

/// Millionths of an amount such as `12.50`.
pub(crate) fn parse_micros(text: &str) -> Option<i64> {
    Cell::text(text).to_micros().ok().flatten()
}

/// Runs the command.
pub(crate) async fn run(args: ImportArgs, format: Format) -> Result<()> {
    match args.look {
        Some(Look::Inspect(args)) => return inspect::run(*args, format),
        Some(Look::Presets) => return inspect::presets(format),
        None => {}
    }
    let kind = args.kind.ok_or_else(|| anyhow!("say what the files hold"))?;
    let (mapping, layout, options) = args.reading.resolve(kind)?;
    let import = Import {
        kind,
        mapping,
        layout,
        options,
        batch: args.batch.into(),
        in_flight: args.in_flight.into(),
        category_separator: args.reading.category_separator,
        max_rejects: args.max_rejects,
        rejects: args.rejects,
        source: args.source,
        choice: Choice {
            rows: match (args.keep, args.correct, args.complete) {
                (true, ..) => RowsChoice::Keep,
                (_, true, _) => RowsChoice::Correct,
                (.., true) => RowsChoice::Complete,
                _ => RowsChoice::Ask,
            },
            reread: args.reread,
            apart: args.apart,
        },
    };
    let channel = args.client.connect().await?;
    let target = Target::describe(channel).await?;
    let report = import.run(&target, &args.files).await?;
    output::print(format, &report, Report::table)?;
    report.failure().map_or(Ok(()), |failure| Err(anyhow!(failure)))
}
