//! Asks before something is done that cannot be undone, or takes long.

use std::io::{self, BufRead};

use anyhow::{Context as _, Result, bail};

use crate::show::output;

/// Where the answer to a question comes from.
///
/// # Errors
/// When there is nobody to ask: `does` says what the command does.
pub(super) fn terminal(does: &str) -> Result<io::StdinLock<'static>> {
    if !output::can_ask() {
        bail!("this {does}, and there is no terminal to ask at; add --yes");
    }
    Ok(io::stdin().lock())
}

/// Asks, and tells whether the answer is yes.
pub(super) fn is_agreed(question: &str, lines: &mut impl BufRead) -> Result<bool> {
    output::note(&format!("{question} [y/N]"));
    let mut line = String::new();
    lines.read_line(&mut line).context("reading the answer")?;
    Ok(matches!(line.trim().to_lowercase().as_str(), "y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_one() {
        for (answer, expected) in [
            ("y\n", true),
            ("YES\n", true),
            ("n\n", false),
            ("\n", false),
            ("", false),
            ("yess", false),
        ] {
            let agreed = is_agreed("Delete it?", &mut answer.as_bytes());
            assert_eq!(agreed.expect("read"), expected, "{answer:?}");
        }
    }
}
