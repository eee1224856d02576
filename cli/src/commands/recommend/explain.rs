//! Whether and how recommendations are explained.

use mercer_proto::v1::Reason;

use crate::show::sentence::{self, Language};

/// Why an item is recommended.
#[derive(Debug, clap::Args)]
pub(super) struct ExplainArgs {
    /// Say why: in a sentence, or with `=parts` by the parts that add up to each score.
    #[arg(
        long,
        value_name = "HOW",
        value_enum,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "sentence"
    )]
    explain: Option<How>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum How {
    Sentence,
    Parts,
}

impl ExplainArgs {
    pub(super) fn is_wanted(&self) -> bool {
        self.explain.is_some()
    }

    pub(super) fn telling(&self, this_year: i32) -> Telling {
        match self.explain {
            Some(How::Parts) => Telling::Parts,
            Some(How::Sentence) | None => {
                Telling::Sentence { language: sentence::spoken(), this_year }
            }
        }
    }
}

/// How reasons are told to people.
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
    pub(super) fn tell(self, reasons: &[Reason]) -> String {
        match self {
            Self::Sentence { language, this_year } => sentence::why(reasons, language, this_year),
            Self::Parts => reasons.iter().map(part).collect::<Vec<_>>().join(", "),
        }
    }
}

/// What a part is of, and how much it is.
fn part(reason: &Reason) -> String {
    use mercer_proto::v1::reason::Kind;
    let Reason { item_id, title, name, contribution, .. } = reason;
    let item = if title.is_empty() { item_id } else { title };
    let why = match reason.kind() {
        Kind::HistoryItem if name.is_empty() => format!("because of {item}"),
        Kind::HistoryItem => format!("because of {item} ({name})"),
        Kind::Other if name.is_empty() => "other events".to_owned(),
        Kind::Other => format!("other events ({name})"),
        _ if !name.is_empty() => name.clone(),
        kind => super::answer::kind_name(kind).to_owned(),
    };
    format!("{why} {contribution:+.4}")
}
