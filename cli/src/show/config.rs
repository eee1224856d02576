//! The effective configuration as it is shown.

use std::{collections::BTreeMap, fmt::Write as _};

use mercer_common::escape;
use serde::Serialize;
use serde_json::Value;

/// A value and where it comes from.
#[derive(Debug, Serialize)]
pub(crate) struct Setting {
    pub(crate) value: Value,
    pub(crate) source: String,
}

/// TOML with one comment a line. JSON's forms of texts, numbers and truth values are TOML's too.
pub(crate) fn toml(settings: &BTreeMap<String, Setting>) -> String {
    let mut text = String::new();
    let mut tables: BTreeMap<&str, Vec<(&str, &Setting)>> = BTreeMap::new();
    for (key, setting) in settings {
        let (table, name) = key.rsplit_once('.').unwrap_or(("", key));
        tables.entry(table).or_default().push((name, setting));
    }
    for (table, entries) in tables {
        if !text.is_empty() {
            text.push('\n');
        }
        let _ = writeln!(text, "[{table}]");
        let lines: Vec<String> =
            entries.iter().map(|(name, setting)| format!("{name} = {}", setting.value)).collect();
        let width = lines.iter().map(String::len).max().unwrap_or_default();
        for (line, (_, setting)) in lines.iter().zip(entries) {
            let _ = writeln!(text, "{line:<width$}  # {}", escape::text(&setting.source));
        }
    }
    text.trim_end().to_owned()
}
