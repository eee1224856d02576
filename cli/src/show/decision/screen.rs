//! A decision as a person reads it: first what to do, then why, then the details, and in one block
//! what was assumed or is missing.

use std::fmt::Write as _;

use mercer_common::escape;

use super::reason::Reason;
use crate::show::sentence;

/// Screen of one decision.
pub(super) struct Screen<'a> {
    /// Subject of the decision.
    pub(super) subject: String,
    /// Decision in one line.
    pub(super) decision: String,
    pub(super) reasons: &'a [Reason],
    /// Named lines; one without a name belongs to the one above it.
    pub(super) details: Vec<(&'static str, String)>,
    /// A table, escaped; or nothing.
    pub(super) picture: String,
}

impl Screen<'_> {
    pub(super) fn text(&self) -> String {
        let headings = sentence::headings();
        let mut text = escape::text(&self.subject).into_owned();
        let _ = write!(text, "\n{}", escape::text(&self.decision));
        block(&mut text, headings.why, &Reason::why(self.reasons));
        let width = self.details.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        let mut details = Vec::new();
        for (name, line) in &self.details {
            details.push(format!("{name:<width$}  {}", escape::text(line)));
        }
        block(&mut text, headings.details, &details);
        if !self.picture.is_empty() {
            let _ = write!(text, "\n\n{}", self.picture);
        }
        block(&mut text, headings.assumed, &Reason::assumed(self.reasons));
        text
    }
}

/// Adds lines under a heading, if there are any.
fn block(text: &mut String, heading: &str, lines: &[String]) {
    if !lines.is_empty() {
        let _ = write!(text, "\n\n{heading}");
    }
    for line in lines {
        let _ = write!(text, "\n  {line}");
    }
}
