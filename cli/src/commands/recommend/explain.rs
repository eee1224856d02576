//! Whether and how recommendations are explained.

use crate::show::{recommend::Telling, sentence};

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
