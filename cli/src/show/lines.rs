//! Answers about many items, as they come.

use anyhow::Result;
use indicatif::ProgressBar;
use mercer_proto::google::rpc;
use serde::Serialize;
use tonic::Code;

use crate::show::{
    decision::Answer,
    output::{self, Format},
    progress,
};

/// Prints answers as they come: JSON line by line, a table in the end.
pub(crate) struct Lines<A> {
    format: Format,
    rows: Vec<Vec<String>>,
    answered: u64,
    failed: u64,
    bar: ProgressBar,
    answers: std::marker::PhantomData<A>,
}

/// The line of an item that has no answer.
#[derive(Serialize)]
struct Failed<'a> {
    item_id: &'a str,
    error: Failure<'a>,
}

#[derive(Serialize)]
struct Failure<'a> {
    code: String,
    message: &'a str,
}

impl<A: Answer> Lines<A> {
    /// Lines of about `total` answers; 0 when not known.
    pub(crate) fn new(format: Format, label: &str, total: u64) -> Self {
        let bar = match total {
            0 => progress::spinner(label),
            total => progress::bar(label, total, progress::Unit::Records),
        };
        let rows = Vec::new();
        Self { format, rows, answered: 0, failed: 0, bar, answers: std::marker::PhantomData }
    }

    /// An answer.
    pub(crate) fn answer(&mut self, answer: &A) -> Result<()> {
        self.answered += 1;
        self.bar.inc(1);
        match self.format {
            Format::Json => output::json(answer),
            Format::Table => {
                self.rows.push(answer.row());
                Ok(())
            }
        }
    }

    /// An item without an answer.
    pub(crate) fn error(&mut self, item_id: &str, status: &rpc::Status) -> Result<()> {
        self.failed += 1;
        self.bar.inc(1);
        match self.format {
            Format::Json => {
                let code = code_word(status.code.into());
                let error = Failure { code, message: &status.message };
                output::json(&Failed { item_id, error })
            }
            Format::Table => {
                let mut row = vec![String::new(); A::HEADERS.len()];
                item_id.clone_into(&mut row[0]);
                if let Some(last) = row.last_mut() {
                    *last = format!("error: {}", status.message);
                }
                self.rows.push(row);
                Ok(())
            }
        }
    }

    /// An answer that goes elsewhere.
    pub(crate) fn pass(&mut self) {
        self.bar.inc(1);
    }

    /// Ends without printing.
    pub(crate) fn clear(self) {
        self.bar.finish_and_clear();
    }

    /// Prints the table, if that is what is wanted, and says how many had no answer.
    pub(crate) fn finish(self) -> Result<()> {
        self.bar.finish_and_clear();
        if self.format == Format::Table {
            let table = output::Table::new(A::HEADERS, self.rows).dropping(A::DROPPING);
            output::line(&table.to_string())?;
        }
        if self.failed > 0 {
            output::note(&format!(
                "{} of {} items have no answer",
                output::count(self.failed),
                output::count(self.failed + self.answered)
            ));
        }
        Ok(())
    }
}

/// The code as gRPC writes it, such as `NOT_FOUND`.
fn code_word(code: Code) -> String {
    let mut word = String::new();
    for character in format!("{code:?}").chars() {
        if character.is_ascii_uppercase() && !word.is_empty() {
            word.push('_');
        }
        word.push(character.to_ascii_uppercase());
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_written_as_grpc_does() {
        assert_eq!(code_word(Code::NotFound), "NOT_FOUND");
        assert_eq!(code_word(Code::Ok), "OK");
    }
}
