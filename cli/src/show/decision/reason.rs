//! Why an answer is what it is.

use mercer_common::escape;
use mercer_proto::v1::{Note, NoteCode, note::Kind};
use serde::Serialize;
use serde_json::{Map, Value};
use unicode_width::UnicodeWidthStr as _;

use crate::show::{
    output,
    sentence::{self, notes},
};

/// What a person who reads an answer must know.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Reason {
    kind: &'static str,
    /// The datum or rule.
    #[serde(skip_serializing_if = "String::is_empty")]
    field: String,
    /// Sentence in the language that was asked for.
    message: String,
    /// Empty for a server that has no codes.
    #[serde(skip_serializing_if = "String::is_empty")]
    code: String,
    #[serde(skip_serializing_if = "Map::is_empty")]
    arguments: Map<String, Value>,
}

impl Reason {
    pub(crate) fn all(notes: Vec<Note>) -> Vec<Self> {
        notes.into_iter().map(Self::new).collect()
    }

    fn new(note: Note) -> Self {
        let kind = match note.kind() {
            Kind::Declined => "declined",
            Kind::DefaultUsed => "default_used",
            Kind::DataIgnored => "data_ignored",
            Kind::WeakEvidence => "weak_evidence",
            Kind::RuleBinding => "rule_binding",
            Kind::RuleRelaxed => "rule_relaxed",
            Kind::Explanation => "explanation",
            Kind::Unspecified => "unspecified",
        };
        let code = match note.code() {
            NoteCode::Unspecified => String::new(),
            code => output::word(code.as_str_name(), "NOTE_CODE_"),
        };
        let (message, arguments) = (notes::tell(&note), notes::arguments(&note));
        Self { kind, field: note.field, message, code, arguments }
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// What a person reads in front of the message.
    fn label(&self) -> &'static str {
        sentence::label(self.kind)
    }

    /// What was done for want of a datum, or with one that was of no use.
    fn is_assumption(&self) -> bool {
        matches!(self.kind, "default_used" | "data_ignored")
    }

    /// All of them, a line each, aligned; what was declined comes first, what was assumed last.
    pub(super) fn lines(reasons: &[Self]) -> Vec<String> {
        let all: Vec<&Self> = reasons.iter().collect();
        let (assumed, others): (Vec<&Self>, Vec<&Self>) =
            all.into_iter().partition(|reason| reason.is_assumption());
        aligned(&declined_first(others).into_iter().chain(assumed).collect::<Vec<_>>())
    }

    /// What led to the answer, a line each; what was declined comes first.
    pub(super) fn why(reasons: &[Self]) -> Vec<String> {
        let why = reasons.iter().filter(|reason| !reason.is_assumption()).collect();
        aligned(&declined_first(why))
    }

    /// What was assumed, or is missing.
    pub(super) fn assumed(reasons: &[Self]) -> Vec<String> {
        aligned(&reasons.iter().filter(|reason| reason.is_assumption()).collect::<Vec<_>>())
    }
}

fn declined_first(reasons: Vec<&Reason>) -> Vec<&Reason> {
    let (declined, others): (Vec<&Reason>, Vec<&Reason>) =
        reasons.into_iter().partition(|reason| reason.kind == "declined");
    declined.into_iter().chain(others).collect()
}

/// A line each, the messages below one another.
fn aligned(reasons: &[&Reason]) -> Vec<String> {
    let width = reasons.iter().map(|reason| reason.label().width()).max().unwrap_or_default();
    let mut lines = Vec::new();
    for reason in reasons {
        let (label, message) = (reason.label(), escape::text(&reason.message));
        lines.push(format!("{label:<width$}  {message}"));
    }
    lines
}

/// Why a decision was declined; `None` when none was.
pub(super) fn declined(reasons: &[Reason]) -> Option<String> {
    let declined = reasons.iter().filter(|reason| reason.kind == "declined");
    let messages: Vec<&str> = declined.map(|reason| reason.message.as_str()).collect();
    (!messages.is_empty()).then(|| messages.join(" "))
}

/// The one message that says most: why it was declined, else which rule bound and so on.
pub(super) fn brief(reasons: &[Reason]) -> String {
    let order = ["declined", "rule_relaxed", "rule_binding", "weak_evidence"];
    let found = order.iter().find_map(|kind| reasons.iter().find(|reason| reason.kind == *kind));
    found.or(reasons.last()).map(|reason| reason.message.clone()).unwrap_or_default()
}
