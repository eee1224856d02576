//! What a process says about itself, on standard error.

use std::{
    io::{self, IsTerminal as _},
    str::FromStr,
};

use thiserror::Error;
use tracing_subscriber::{EnvFilter, filter::ParseError};

/// The variable with the filter, such as `info,mercer_worker=debug`.
pub const FILTER: &str = "MERCER_LOG";
const DEFAULT_FILTER: &str = "info";

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One object a line, for collectors.
    Json,
}

/// Neither `text` nor `json`.
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
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    // An error means that somebody else has installed a subscriber, in tests for example.
    let _ = match format {
        Format::Text => builder.try_init(),
        Format::Json => builder.json().flatten_event(true).try_init(),
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn can_be_called_again() {
        init("text".parse().expect("a format")).expect("a filter");
        init("json".parse().expect("a format")).expect("a filter");
        assert!("xml".parse::<Format>().is_err());
    }
}
