//! What the user sees: data on stdout as a table or as JSON, notes on stderr. Nothing else prints.
//!
//! Much of it was chosen by others: ids, titles, names of files, messages that quote them. Cells of
//! a table are escaped here; what stands in other lines is put through [`escape::text`] where the
//! line is made, so that no title makes a line of its own. Everything passes [`escape::block`] last.
//!
//! On a terminal tables and lines keep to its width; what programs read is never folded.

mod fold;
pub(crate) mod screen;
mod table;

use std::io::{self, IsTerminal as _, Write as _};

use anyhow::{Context as _, Result};
use mercer_common::{escape, money::MinorUnit};
use mercer_proto::google::r#type::{Date, Money};
use serde::Serialize;

pub(crate) use table::Table;

/// How data is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs: one JSON document, or one a line where there are many answers.
    Json,
}

/// Prints `value` as JSON, or what `table` makes of it.
pub(crate) fn print<T: Serialize>(
    format: Format,
    value: &T,
    table: impl FnOnce(&T) -> String,
) -> Result<()> {
    match format {
        Format::Table => line(&table(value)),
        Format::Json => json(value),
    }
}

/// Prints one line of JSON, which holds none of the characters that [`escape`] is about.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<()> {
    write(&escape::json(&serde_json::to_string(value)?))
}

/// Prints one line, or a block of lines, for people.
pub(crate) fn line(text: &str) -> Result<()> {
    write(&fit(text))
}

/// A block of lines, folded where the screen is narrower.
fn fit(text: &str) -> String {
    match screen::width() {
        Some(width) => fold::block(text, width),
        None => text.to_owned(),
    }
}

/// Prints data. A reader that has gone away ends the process quietly, as with other tools in a pipe.
fn write(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{}", escape::block(text)).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        result => result.context("writing to standard output"),
    }
}

/// Tells the user something that is not data.
pub(crate) fn note(text: &str) {
    // Nobody is left to tell when stderr is gone.
    let _ = writeln!(io::stderr().lock(), "{}", escape::block(text));
}

/// Whether a person sees what [`note`] says and can answer.
pub(crate) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// A table of text, escaped, that fits the screen; columns whose header starts with `>` are aligned
/// right.
pub(crate) fn table(headers: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    Table::new(headers, rows).to_string()
}

/// A whole number with thousands separators.
pub(crate) fn count(number: impl Into<u128>) -> String {
    let digits = number.into().to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// So many rows, such as `1 row` or `2,500 rows`.
pub(crate) fn rows(number: u64) -> String {
    let noun = if number == 1 { "row" } else { "rows" };
    format!("{} {noun}", count(number))
}

/// An amount in units of the currency, such as `12.50` or, in yen, `1250`.
pub(crate) fn money(money: &Money) -> String {
    let micros = i128::from(money.units) * 1_000_000 + i128::from(money.nanos) / 1_000;
    let sign = if micros < 0 { "-" } else { "" };
    let (units, fraction) = (micros.unsigned_abs() / 1_000_000, micros.unsigned_abs() % 1_000_000);
    let minor = MinorUnit::of(&money.currency_code);
    let step = u128::from(minor.micros().unsigned_abs());
    match (fraction % step, minor.digits()) {
        (0, 0) => format!("{sign}{units}"),
        (0, digits) => {
            format!("{sign}{units}.{:0width$}", fraction / step, width = digits as usize)
        }
        _ => format!("{sign}{units}.{fraction:06}"),
    }
}

/// An amount rounded for people: as it is where it is whole in the currency's smallest unit, else to
/// hundredths, or to hundredths of these below 1.
pub(crate) fn rounded(amount: &str) -> String {
    match amount.parse::<f64>() {
        Ok(_) if amount.split_once('.').is_none_or(|(_, digits)| digits.len() != 6) => {
            amount.to_owned()
        }
        Ok(number) if number.abs() >= 1.0 => format!("{number:.2}"),
        Ok(number) => format!("{number:.4}"),
        Err(_) => amount.to_owned(),
    }
}

/// A number of units: two decimals below 10, one below 1,000, then none; none for whole numbers.
pub(crate) fn units(number: f64) -> String {
    match number.abs() {
        size @ ..1e3 if size.fract() == 0.0 => format!("{number:.0}"),
        ..9.995 => format!("{number:.2}"),
        ..999.95 => format!("{number:.1}"),
        size @ ..1e18 => {
            let sign = if number < 0.0 { "-" } else { "" };
            format!("{sign}{}", count(size.round() as u64))
        }
        _ => format!("{number:e}"),
    }
}

/// A share as a percentage: `95 %`, `12.5 %`.
pub(crate) fn percent(share: f64) -> String {
    let text = format!("{:.1}", share * 100.0);
    format!("{} %", text.strip_suffix(".0").unwrap_or(&text))
}

/// A change as a percentage: `+8.3 %`.
pub(crate) fn change(share: f64) -> String {
    format!("{:+.1} %", share * 100.0)
}

/// A name of the API without what stands before it in every one, such as `often_bought_after`.
pub(crate) fn word(name: &str, prefix: &str) -> String {
    name.trim_start_matches(prefix).to_ascii_lowercase()
}

/// A date such as `2026-01-31`.
pub(crate) fn date(date: &Date) -> String {
    format!("{:04}-{:02}-{:02}", date.year, date.month, date.day)
}

/// A time in UTC, such as `2026-01-31T12:00:00Z`.
pub(crate) fn time(time: &prost_types::Timestamp) -> String {
    match jiff::Timestamp::new(time.seconds, time.nanos) {
        Ok(time) => time.to_string(),
        Err(_) => format!("{} s", time.seconds),
    }
}

/// `0-7, 9` for ascending numbers.
pub(crate) fn ranges(numbers: &[u32]) -> String {
    let runs = numbers.chunk_by(|left, right| left + 1 == *right);
    runs.map(|run| match run {
        [only] => only.to_string(),
        [first, .., last] => format!("{first}-{last}"),
        [] => String::new(),
    })
    .collect::<Vec<_>>()
    .join(", ")
}

/// Bytes in a unit that people read.
pub(crate) fn bytes(number: u64) -> String {
    let mut value = number as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return if unit == "B" { format!("{value} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}

#[cfg(test)]
mod tests {
    use mercer_common::money::from_micros;

    use super::*;

    #[test]
    fn groups_digits() {
        assert_eq!([0u32, 999, 1_000, 1_469_307].map(count), ["0", "999", "1,000", "1,469,307"]);
    }

    #[test]
    fn units_have_the_decimals_that_matter() {
        let shown = [0.0, 0.125, 9.996, -42.06, 84.0, 999.96, 1e6, f64::INFINITY].map(units);
        assert_eq!(shown, ["0", "0.12", "10.0", "-42.1", "84", "1,000", "1,000,000", "inf"]);
        assert_eq!([0.95, 0.125, 1.0].map(percent), ["95 %", "12.5 %", "100 %"]);
        assert_eq!(change(-0.0512), "-5.1 %");
        let amounts = ["1234.567891", "0.50", "0.123456", "-53.125159"].map(rounded);
        assert_eq!(amounts, ["1234.57", "0.50", "0.1235", "-53.13"]);
        let of = |code: &str, micros| rounded(&money(&from_micros(micros, code)));
        assert_eq!([of("JPY", 264_000_000), of("JPY", 1_500_000)], ["264", "1.50"]);
        assert_eq!([of("KWD", 330_000), of("USD", 330_000)], ["0.330", "0.33"]);
    }

    #[test]
    fn scales_bytes() {
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(1 << 50), "1024.0 TiB");
    }

    #[test]
    fn aligns_columns() {
        let text =
            table(&["name", ">n"], [vec!["a".into(), "1".into()], vec!["bb".into(), "10".into()]]);
        assert_eq!(text, "name   n\na      1\nbb    10");
    }

    #[test]
    fn shows_runs_of_shards() {
        assert_eq!(ranges(&[]), "");
        assert_eq!(ranges(&[0, 1, 2, 4, 6, 7]), "0-2, 4, 6-7");
    }
}
