//! What only the user can say: questions, each with the options that answer it.

use std::fmt::Write as _;

use thiserror::Error;

use super::reading::cell::shorten;

/// One question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    /// In a sentence.
    pub(crate) about: String,
    /// Options and what they mean.
    pub(crate) choices: Vec<(String, String)>,
}

impl Question {
    /// A question with its choices.
    pub(crate) fn new<const N: usize>(about: String, choices: [(&str, String); N]) -> Self {
        let choices = choices.into_iter().map(|(flags, means)| (flags.to_owned(), means)).collect();
        Self { about, choices }
    }
}

/// Nothing was loaded, because what the files mean cannot be known from them alone.
#[derive(Debug, Error)]
#[error("nothing was loaded: the files can be read in several ways")]
pub(crate) struct Unanswered {
    pub(crate) questions: Vec<Question>,
}

impl Unanswered {
    /// The questions and the commands that answer them, for people. `command` is what was typed.
    pub(crate) fn text(&self, command: &[String]) -> String {
        let mut text = String::from("nothing was loaded: the files can be read in several ways");
        for question in &self.questions {
            let _ = write!(text, "\n\n{}", question.about);
            let width = question.choices.iter().map(|(flags, _)| flags.len()).max().unwrap_or(0);
            for (flags, means) in &question.choices {
                let _ = write!(text, "\n  {flags:width$}  {means}");
            }
        }
        let typed = command.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
        text.push_str("\n\nSay what is meant and run it again:");
        let most = self.questions.iter().map(|question| question.choices.len()).max().unwrap_or(0);
        for choice in 0..most {
            let answers: Vec<&str> = (self.questions.iter())
                .filter_map(|question| question.choices.get(choice).or(question.choices.first()))
                .map(|(flags, _)| flags.as_str())
                .collect();
            let _ = write!(text, "\n  {typed} {}", answers.join(" "));
        }
        text
    }
}

/// A word as a shell takes it.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// A cell as it is written, for questions.
pub(crate) fn shown(text: &str, line: u64) -> String {
    format!("`{}` (line {line})", shorten(text))
}
