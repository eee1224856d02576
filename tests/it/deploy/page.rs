//! A page for operators: its sections, each with the commands that it shows and what they print.

use std::{fs, path::Path};

use anyhow::{Context as _, ensure};

/// Commands of one block, and the texts of the block after it: parts of what they print.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) commands: Vec<String>,
    pub(crate) shown: Vec<String>,
}

/// A section by its heading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) heading: String,
    pub(crate) steps: Vec<Step>,
}

/// A page in Markdown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) sections: Vec<Section>,
}

impl Page {
    /// Reads a file below `deploy/`.
    pub(crate) fn read(name: &str) -> anyhow::Result<Self> {
        let path = super::deploy().join(name);
        Self::parse(&read(&path)?).with_context(|| path.display().to_string())
    }

    /// Fences are `sh` and `text`, also within lists; others are of no concern.
    fn parse(text: &str) -> anyhow::Result<Self> {
        let mut sections = Vec::<Section>::new();
        let mut fence: Option<&str> = None;
        for line in text.lines() {
            let line = line.trim();
            if let Some(language) = line.strip_prefix("```") {
                fence = match fence {
                    Some(_) => None,
                    None => Some(language),
                };
                if fence == Some("sh") {
                    let section = sections.last_mut().context("a block before any heading")?;
                    section.steps.push(Step::default());
                }
                continue;
            }
            match fence {
                None => {
                    if let Some(heading) = line.strip_prefix("## ") {
                        let heading = heading.to_owned();
                        sections.push(Section { heading, steps: Vec::new() });
                    }
                }
                Some(language @ ("sh" | "text")) => {
                    let step = sections.last_mut().and_then(|section| section.steps.last_mut());
                    let step = step.with_context(|| format!("no command prints `{line}`"))?;
                    let lines = if language == "sh" { &mut step.commands } else { &mut step.shown };
                    lines.push(line.to_owned());
                }
                Some(_) => {}
            }
        }
        ensure!(fence.is_none(), "a block does not end");
        Ok(Self { sections })
    }

    /// The section of this heading.
    pub(crate) fn section(&self, heading: &str) -> anyhow::Result<&Section> {
        let mut sections = self.sections.iter();
        let found = sections.find(|section| section.heading == heading);
        found.with_context(|| format!("there is no section `{heading}`"))
    }
}

/// The text of a file.
pub(crate) fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}

#[test]
fn blocks_belong_to_their_section() -> anyhow::Result<()> {
    let text = "# P\n## A\n```sh\none\n```\nwords\n   ```text\n   two\n   ```\n## B\n1. x\n\n   ```sh\n   three\n   four\n   ```\n";
    let page = Page::parse(text)?;
    let step = |commands: &[&str], shown: &[&str]| Step {
        commands: commands.iter().map(ToString::to_string).collect(),
        shown: shown.iter().map(ToString::to_string).collect(),
    };
    assert_eq!(page.section("A")?.steps, [step(&["one"], &["two"])]);
    assert_eq!(page.section("B")?.steps, [step(&["three", "four"], &[])]);
    assert!(Page::parse("## A\n```sh\none\n").is_err());
    assert!(Page::parse("## A\n```text\none\n```\n").is_err());
    Ok(())
}
