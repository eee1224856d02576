//! What a process says about itself, on standard error: one line an event, whatever the values of
//! its fields hold.

use std::{
    fmt::{self, Debug},
    io::{self, IsTerminal as _},
    str::FromStr,
};

use thiserror::Error;
use tracing::{Subscriber, field::Field};
use tracing_subscriber::{
    EnvFilter,
    field::MakeExt as _,
    filter::ParseError,
    fmt::{
        MakeWriter,
        format::{Writer, debug_fn},
    },
    util::SubscriberInitExt as _,
};

use crate::escape::{self, JsonWriter};

/// The variable with the filter, such as `info,mercer_worker=debug`.
pub const FILTER: &str = "MERCER_LOG";
const DEFAULT_FILTER: &str = "info";

/// Form of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Lines for people.
    #[default]
    Text,
    /// One object a line, for collectors.
    Json,
}

/// A form that is neither `text` nor `json`.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("`{0}` is not a log format; use `text` or `json`")]
pub struct UnknownFormat(String);

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        match name {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(UnknownFormat(name.to_owned())),
        }
    }
}

/// The filter in `MERCER_LOG` cannot be read.
#[derive(Debug, Error)]
#[error("{FILTER}=`{filter}` is not a filter such as `info,mercer_worker=debug`")]
pub struct FilterError {
    filter: String,
    source: ParseError,
}

/// Begins to write log lines to standard error, filtered by `MERCER_LOG` (default `info`).
/// Does nothing when the process logs already.
///
/// # Errors
/// [`FilterError`].
pub fn init(format: Format) -> Result<(), FilterError> {
    let filter = std::env::var(FILTER).unwrap_or_else(|_| DEFAULT_FILTER.to_owned());
    let filter = EnvFilter::try_new(&filter).map_err(|source| FilterError { filter, source })?;
    let is_terminal = io::stderr().is_terminal();
    // An error means that somebody else has installed a subscriber, in tests for example.
    let _ = match format {
        Format::Text => text(filter, io::stderr, is_terminal).try_init(),
        Format::Json => json(filter, || JsonWriter(io::stderr())).try_init(),
    };
    Ok(())
}

fn text<W>(filter: EnvFilter, writer: W, colours: bool) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(colours)
        .fmt_fields(debug_fn(write_field).delimited(" "))
        .finish()
}

fn json<W>(filter: EnvFilter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .json()
        .flatten_event(true)
        .finish()
}

/// A field as `name=value`, on the event's line. Values are often what a client sent or a file is
/// named, and `Debug` of a text has escaped most of it already.
fn write_field(writer: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> fmt::Result {
    // Where a record of the `log` crate comes from; the line says it already.
    if field.name().starts_with("log.") {
        return Ok(());
    }
    let value = format!("{value:?}");
    let value = escape::block(&value).replace('\n', "\\n");
    match field.name() {
        "message" => writer.write_str(&value),
        name if writer.has_ansi_escapes() => {
            write!(writer, "\u{1b}[3m{name}\u{1b}[0m\u{1b}[2m=\u{1b}[0m{value}")
        }
        name => write!(writer, "{name}={value}"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    #[test]
    fn can_be_called_again() {
        init("text".parse().expect("a format")).expect("a filter");
        init("json".parse().expect("a format")).expect("a filter");
        assert!("xml".parse::<Format>().is_err());
    }

    #[test]
    fn no_value_makes_a_line_or_steers_a_terminal() {
        let written = Arc::new(Mutex::new(Vec::new()));
        let log = || {
            let (id, error) = ("item\u{1b}[2J\n", "no file `a\nERROR b\r\u{9b}2J\u{202e}`");
            tracing::warn!(id, %error, path = ?id, "not read: {id}");
        };
        let take = || String::from_utf8(std::mem::take(&mut *written.lock())).expect("UTF-8");
        let filter = || EnvFilter::new("info");

        let writer = Sink(Arc::clone(&written));
        tracing::subscriber::with_default(text(filter(), move || writer.clone(), false), log);
        let line = take();
        assert!(
            line.ends_with(concat!(
                r"not read: item\u{1b}[2J\n ",
                r#"id="item\u{1b}[2J\n" error=no file `a\nERROR b\u{d}\u{9b}2J\u{202e}` "#,
                r#"path="item\u{1b}[2J\n""#,
                "\n"
            )),
            "{line}"
        );
        assert_eq!(line.lines().count(), 1, "{line}");
        assert!(!line.trim_end().chars().any(char::is_control), "{line:?}");

        let writer = Sink(Arc::clone(&written));
        let subscriber = json(filter(), move || JsonWriter(writer.clone()));
        tracing::subscriber::with_default(subscriber, log);
        let line = take();
        assert_eq!(line.lines().count(), 1, "{line}");
        assert!(!line.trim_end().chars().any(char::is_control), "{line:?}");
        assert!(line.contains(r"b\r\u009b2J\u202e`"), "{line}");
        let document: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(document["id"], "item\u{1b}[2J\n");
    }

    #[derive(Clone)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}
