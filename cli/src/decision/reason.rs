//! Why an answer is what it is.

use std::fmt::Write as _;

use mercer_common::escape;
use mercer_proto::v1::{Note, note::Kind};
use serde::Serialize;

/// What a person who reads an answer must know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Reason {
    kind: &'static str,
    /// The datum or rule.
    #[serde(skip_serializing_if = "String::is_empty")]
    field: String,
    message: String,
}

impl Reason {
    pub(super) fn all(notes: Vec<Note>) -> Vec<Self> {
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
        Self { kind, field: note.field, message: note.message }
    }

    /// What a person reads in front of the message.
    fn label(&self) -> String {
        self.kind.replace('_', " ")
    }

    /// A line each, aligned; what was declined comes first.
    pub(super) fn lines(reasons: &[Self]) -> Vec<String> {
        let width = reasons.iter().map(|reason| reason.kind.len()).max().unwrap_or_default();
        let line = |reason: &Self| {
            let message = escape::text(&reason.message);
            format!("{:<width$}  {message}", reason.label())
        };
        let (declined, others): (Vec<&Self>, Vec<&Self>) =
            reasons.iter().partition(|reason| reason.kind == "declined");
        declined.into_iter().chain(others).map(line).collect()
    }

    /// All lines, below one another.
    pub(super) fn text(reasons: &[Self]) -> String {
        let mut text = String::new();
        for line in Self::lines(reasons) {
            let _ = write!(text, "\n  {line}");
        }
        text
    }
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
