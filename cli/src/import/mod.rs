//! `mercer import`: files of events, catalogue, stock, terms and prices into a cluster.
//!
//! A file is read once, row by row, on a thread of its own. Rows are checked here by the same
//! code as on the server, so that a bad row is named with its line and does not hold up its
//! batch. Event batches are cut at fixed numbers of rows, good or bad: the same file always gives
//! the same batches under the same numbers, which is what makes a re-run idempotent.

mod catalog;
mod cell;
mod check;
mod chunk;
mod csv;
mod guard;
mod load;
mod mapping;
mod market;
mod parquet;
mod preset;
mod records;
pub(crate) mod rejects;
pub(crate) mod report;
mod rows;
mod supply;
mod table;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use anyhow::Result;

pub(crate) use self::{
    catalog::{send, send_items, send_users},
    cell::Cell,
    guard::silence_decoder,
    load::{Import, Target},
    records::Records,
    rejects::ReasonCount,
    report::Report,
    rows::api_time,
    table::Table,
};
pub(crate) use self::{mapping::Kind, preset::Preset};
use crate::{
    client::ClientArgs,
    output::{self, Format},
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
             supplier_id, TERMS; a row with item and location alone removes what is known
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

Whole numbers become decimal ids. `amount` is the money paid for the whole line. Importing the
same events again with the same options changes nothing.")]
pub(crate) struct ImportArgs {
    /// What the files hold.
    #[arg(value_enum)]
    kind: Kind,
    /// CSV files with a header line, or Parquet files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Where fields come from: `field=column`; `a+b` adds numbers and joins text, `a/b` divides.
    #[arg(long, value_name = "FIELD=COLUMN,...", value_delimiter = ',')]
    map: Vec<String>,
    /// One value for all rows: `field=value`.
    #[arg(long, value_name = "FIELD=VALUE,...", value_delimiter = ',')]
    set: Vec<String>,
    /// The columns of a known data set.
    #[arg(long, value_enum)]
    preset: Option<Preset>,
    /// IANA time zone of times that name none.
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    time_zone: String,
    /// Rows per batch; part of what makes a re-run of an event file the same import.
    #[arg(long, value_name = "ROWS", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    batch: u32,
    /// Batches on their way at the same time.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=64))]
    in_flight: u8,
    /// Between the fields of a CSV line: one character, or `tab`.
    #[arg(long, value_name = "CHAR", default_value = ",", value_parser = delimiter)]
    delimiter: u8,
    /// Between the levels of a `category` column.
    #[arg(long, value_name = "TEXT", default_value = ">")]
    category_separator: String,
    /// Write all rejected rows with their reasons to this CSV file.
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    #[command(flatten)]
    client: ClientArgs,
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
    cell::Cell::text(text).to_micros().ok().flatten()
}

/// Runs the command.
pub(crate) async fn run(args: ImportArgs, format: Format) -> Result<()> {
    let import = Import {
        kind: args.kind,
        mapping: mapping::Mapping::new(args.kind, args.preset, &args.map, &args.set)?,
        time_zone: args.time_zone,
        batch: args.batch as usize,
        in_flight: args.in_flight.into(),
        delimiter: args.delimiter,
        category_separator: args.category_separator,
        rejects: args.rejects,
    };
    let channel = args.client.connect().await?;
    let target = Target::describe(channel).await?;
    let report = import.run(&target, &args.files).await?;
    output::print(format, &report, Report::table)
}
