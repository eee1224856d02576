//! What a file holds and how it would be imported, as far as its columns tell.

use anyhow::Result;
use clap::ValueEnum as _;

use crate::import::{
    ReadingArgs,
    mapping::{Kind, Mapping, Preset},
};

/// A guess, with the options that it adds to what the user gave.
#[derive(Clone, Debug, Default)]
pub(super) struct Guess {
    pub(super) kind: Kind,
    /// Name of the preset that fits.
    pub(super) preset: Option<String>,
    pub(super) map: Vec<String>,
    pub(super) set: Vec<String>,
    /// Fields that no column was found for.
    pub(super) lacking: Vec<String>,
}

/// The preset, of those that fit, that asks for most columns.
fn preset(columns: &[String], kind: Option<Kind>) -> Result<Option<(Kind, String)>> {
    let mut best: Option<(usize, Kind, String)> = None;
    for preset in Preset::shipped()? {
        for found in Kind::value_variants().iter().copied() {
            let Ok(layout) = preset.layout(found) else { continue };
            let fits = layout.check("", columns).is_ok() && kind.is_none_or(|kind| kind == found);
            let required = layout.required.len();
            // Two columns are what many files have.
            if fits && required > 2 && best.as_ref().is_none_or(|(most, ..)| required > *most) {
                best = Some((required, found, preset.name.clone()));
            }
        }
    }
    Ok(best.map(|(_, kind, name)| (kind, name)))
}

/// Guesses, unless the user says.
pub(super) fn guess(
    columns: &[String],
    kind: Option<Kind>,
    reading: &ReadingArgs,
) -> Result<Guess> {
    let given = reading.preset.is_some() || !reading.map.is_empty();
    if !given && let Some((kind, name)) = preset(columns, kind)? {
        let (map, set, lacking) = (Vec::new(), Vec::new(), Vec::new());
        return Ok(Guess { kind, preset: Some(name), map, set, lacking });
    }
    let mut best: Option<((usize, usize), Guess)> = None;
    for candidate in Kind::value_variants().iter().copied() {
        if kind.is_some_and(|kind| kind != candidate) {
            continue;
        }
        let Some((score, guess)) = of_kind(candidate, columns, reading)? else { continue };
        if best.as_ref().is_none_or(|(most, _)| score > *most) {
            best = Some((score, guess));
        }
    }
    let none = Guess { kind: kind.unwrap_or_default(), ..Guess::default() };
    Ok(best.map_or(none, |(_, guess)| guess))
}

/// How well a kind fits: fewest required fields that lack, then most fields that are found.
fn of_kind(
    kind: Kind,
    columns: &[String],
    reading: &ReadingArgs,
) -> Result<Option<((usize, usize), Guess)>> {
    let Ok((mapping, ..)) = reading.resolve(kind) else { return Ok(None) };
    let (required, optional) = kind.fields();
    // Whatever lacks is given a value, so that the rest is found.
    let mut set = reading.set.clone();
    let mut lacking = Vec::new();
    let mut found = None;
    for _ in 0..=required.len() {
        let trial = Mapping::new(kind, None, &reading.map, &set)?;
        match trial.resolve(kind, "", columns) {
            Ok(fields) => {
                found = Some(fields);
                break;
            }
            Err(error) => {
                let text = error.to_string();
                let Some(next) = required.iter().find(|field| {
                    !lacking.contains(&(**field).to_owned())
                        && text.contains(&format!("--map {field}=COLUMN"))
                }) else {
                    return Ok(None);
                };
                lacking.push((*next).to_owned());
                set.push(format!("{next}=1"));
            }
        }
    }
    let Some(fields) = found else { return Ok(None) };
    drop(mapping);
    let has = |field: &str| fields.source(field).is_some();
    let count = required.iter().chain(optional).filter(|field| has(field)).count() - lacking.len();
    let map = fields.guessed.iter().map(|(field, column)| format!("{field}={column}")).collect();
    let mut set = Vec::new();
    if kind == Kind::Events {
        let purchase = ["quantity", "amount", "basket_id"].iter().any(|field| has(field));
        let type_of = if has("rating") { Some("rating") } else { purchase.then_some("purchase") };
        if let (Some(place), Some(name)) =
            (lacking.iter().position(|field| field == "type"), type_of)
        {
            lacking.remove(place);
            set.push(format!("type={name}"));
            if name == "purchase" && !has("quantity") {
                set.push("quantity=1".to_owned());
            }
        }
    }
    let score = (usize::MAX - lacking.len(), count);
    Ok(Some((score, Guess { kind, preset: None, map, set, lacking })))
}
