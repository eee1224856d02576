//! What only the user can say: questions, each with the options that answer it.

use std::fmt::Write as _;

use mercer_common::escape;
use thiserror::Error;

use super::{reading::cell::shorten, shell::quoted};

/// Question that only the user can answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    /// Subject of the question, in a sentence.
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
            let _ = write!(text, "\n\n{}", escape::text(&question.about));
            let width = question.choices.iter().map(|(flags, _)| flags.len()).max().unwrap_or(0);
            for (flags, means) in &question.choices {
                let (flags, means) = (escape::text(flags), escape::text(means));
                let _ = write!(text, "\n  {flags:width$}  {means}");
            }
        }
        text.push_str("\n\nSay what is meant and run it again:");
        for command in commands(command, &self.questions) {
            let _ = write!(text, "\n  {}", escape::text(&command));
        }
        if command.iter().any(|word| is_stream(word)) {
            text.push_str("\nFILE stands for what was given as a stream");
        }
        text
    }
}

/// A command for each choice, as a shell takes it; where one question has fewer choices than another,
/// its first one stands in. Without questions the command itself.
pub(crate) fn commands(typed: &[String], questions: &[Question]) -> Vec<String> {
    let words: Vec<String> = typed
        .iter()
        .map(|word| if is_stream(word) { "-".to_owned() } else { quoted(word) })
        .collect();
    let stream = if typed.iter().any(|word| is_stream(word)) { " < FILE" } else { "" };
    let most = questions.iter().map(|question| question.choices.len()).max().unwrap_or(0);
    let mut commands = Vec::new();
    for choice in 0..most.max(1) {
        let mut words = words.clone();
        for question in questions {
            let chosen = question.choices.get(choice).or(question.choices.first());
            // Several columns may ask the same.
            words.extend(chosen.map(|(flags, _)| flags.clone()).filter(|f| !words.contains(f)));
        }
        commands.push(words.join(" ") + stream);
    }
    commands
}

/// Whether a word names a stream that is gone when the command is run again.
fn is_stream(word: &str) -> bool {
    word == "-" || word.starts_with("/dev/fd/") || word.starts_with("/proc/self/fd/")
}

/// A cell as it is written, for questions.
pub(crate) fn shown(text: &str, line: u64) -> String {
    format!("`{}` (line {line})", shorten(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_work_when_they_are_pasted() {
        let words = |text: &str| text.split(' ').map(String::from).collect::<Vec<_>>();
        let dates = Question::new(
            "dates".into(),
            [("--dates dmy", String::new()), ("--dates mdy", String::new())],
        );
        let sign = Question::new("sign".into(), [("--negative skip", String::new())]);
        let typed = words("mercer import events my(file).csv");
        assert_eq!(
            commands(&typed, &[dates.clone(), sign]),
            [
                "mercer import events 'my(file).csv' --dates dmy --negative skip",
                "mercer import events 'my(file).csv' --dates mdy --negative skip",
            ]
        );
        let twice = commands(&typed, &[dates.clone(), dates.clone()]);
        assert_eq!(twice[1], "mercer import events 'my(file).csv' --dates mdy");
        assert_eq!(commands(&typed, &[]), ["mercer import events 'my(file).csv'"]);
        for stream in ["-", "/dev/fd/63", "/proc/self/fd/12"] {
            let typed = words(&format!("mercer import events {stream}"));
            let commands = commands(&typed, std::slice::from_ref(&dates));
            assert_eq!(commands[0], "mercer import events - --dates dmy < FILE");
            let unanswered = Unanswered { questions: vec![dates.clone()] };
            assert!(unanswered.text(&typed).ends_with("what was given as a stream"));
        }
    }
}
