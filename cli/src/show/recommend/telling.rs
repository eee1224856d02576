//! Reasons of recommendations as they are told.

use mercer_proto::v1::Reason;

use crate::show::sentence::{self, Language};

/// Form in which reasons are told to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Telling {
    Sentence {
        language: Language,
        this_year: i32,
    },
    /// The numbers that add up to the score.
    Parts,
}

impl Telling {
    pub(crate) fn tell(self, reasons: &[Reason]) -> String {
        if reasons.is_empty() {
            return String::new();
        }
        match self {
            Self::Sentence { language, this_year } => sentence::why(reasons, language, this_year),
            Self::Parts => reasons.iter().map(part).collect::<Vec<_>>().join(", "),
        }
    }
}

/// Names what a part is of, and how much it is.
pub(crate) fn part(reason: &Reason) -> String {
    use mercer_proto::v1::reason::Kind;
    let Reason { item_id, title, name, contribution, .. } = reason;
    let item = if title.is_empty() { item_id } else { title };
    let why = match reason.kind() {
        Kind::HistoryItem if name.is_empty() => format!("because of {item}"),
        Kind::HistoryItem => format!("because of {item} ({name})"),
        Kind::Other if name.is_empty() => "other events".to_owned(),
        Kind::Other => format!("other events ({name})"),
        _ if !name.is_empty() => name.clone(),
        kind => super::kind_name(kind).to_owned(),
    };
    format!("{why} {contribution:+.4}")
}
