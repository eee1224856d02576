//! Presets: how known layouts are read, as data. Those that come with Mercer are the files beside
//! this one; `--preset FILE` reads another.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use super::{Kind, Unresolved};

/// The version of the format.
const VERSION: u32 = 1;
/// Bytes of a preset.
const BYTES: u64 = 1 << 20;

const SHIPPED: [&str; 8] = [
    include_str!("presets/complete-journey.toml"),
    include_str!("presets/shopify-orders.toml"),
    include_str!("presets/online-retail.toml"),
    include_str!("presets/retailrocket.toml"),
    include_str!("presets/hm-transactions.toml"),
    include_str!("presets/movielens.toml"),
    include_str!("presets/amazon-reviews.toml"),
    include_str!("presets/ga4-events.toml"),
];

/// How the files of one source are read.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Preset {
    version: u32,
    pub(crate) name: String,
    /// Description of the layout, in a sentence.
    pub(crate) about: String,
    /// Layouts by what the file holds.
    layouts: BTreeMap<String, Layout>,
}

/// Layout of a file of one kind.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Layout {
    /// Columns that the file must have.
    pub(crate) required: Vec<String>,
    /// Sources of fields, as `--map` takes them.
    #[serde(default)]
    pub(crate) map: BTreeMap<String, String>,
    /// Values of fields, as `--set` takes them.
    #[serde(default)]
    pub(crate) set: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) reading: Reading,
    /// A file of the layout and what it must give, for tests.
    #[cfg_attr(not(test), expect(dead_code, reason = "tests read it"))]
    pub(crate) sample: Option<Sample>,
}

/// Options as on the command line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Reading {
    pub(crate) time_zone: Option<String>,
    pub(crate) time_format: Vec<String>,
    pub(crate) dates: Option<String>,
    pub(crate) decimal_comma: Option<bool>,
    pub(crate) encoding: Option<String>,
    pub(crate) null: Option<Vec<String>>,
    pub(crate) event_types: BTreeMap<String, String>,
    pub(crate) negative: Option<String>,
    pub(crate) fill_down: Vec<String>,
    pub(crate) skip: Vec<String>,
}

/// What a file of the layout must give.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sample {
    pub(crate) file: String,
    pub(crate) rows: u64,
    pub(crate) accepted: u64,
    #[serde(default)]
    pub(crate) skipped: u64,
    pub(crate) units: Option<f64>,
    pub(crate) money: Option<f64>,
}

impl Preset {
    /// Presets that come with Mercer.
    pub(crate) fn shipped() -> Result<Vec<Self>> {
        SHIPPED.iter().map(|text| Self::parse(text)).collect()
    }

    /// A preset by its name, or of a file.
    pub(crate) fn find(name: &str) -> Result<Self> {
        let shipped = Self::shipped()?;
        if let Some(found) = shipped.iter().find(|preset| preset.name == name) {
            return Ok(found.clone());
        }
        let path = Path::new(name);
        let Ok(metadata) = fs::metadata(path) else {
            let names: Vec<&str> = shipped.iter().map(|preset| preset.name.as_str()).collect();
            bail!(
                "`{name}` is no preset and no file; there are {}: `mercer import presets`",
                names.join(", ")
            );
        };
        if metadata.len() > BYTES {
            bail!("{name} is too large for a preset");
        }
        let text = fs::read_to_string(path).with_context(|| format!("reading {name}"))?;
        Self::parse(&text).with_context(|| format!("{name} is no preset"))
    }

    fn parse(text: &str) -> Result<Self> {
        let preset: Self = toml::from_str(text)?;
        if preset.version != VERSION {
            bail!("it has version {}; this release reads version {VERSION}", preset.version);
        }
        for (kind, layout) in &preset.layouts {
            let Some(kind) = Kind::named(kind) else { bail!("`{kind}` is not what a file holds") };
            if let Some(unknown) =
                layout.map.keys().chain(layout.set.keys()).find(|field| !kind.knows(field))
            {
                bail!("`{unknown}` is not a field of {kind}; {}", kind.known());
            }
        }
        Ok(preset)
    }

    /// Kinds and layouts.
    pub(crate) fn layouts(&self) -> impl Iterator<Item = (&str, &Layout)> {
        self.layouts.iter().map(|(kind, layout)| (kind.as_str(), layout))
    }

    /// The layout of a kind.
    pub(crate) fn layout(&self, kind: Kind) -> Result<&Layout> {
        self.layouts.get(&kind.to_string()).with_context(|| {
            let kinds: Vec<&str> = self.layouts.keys().map(String::as_str).collect();
            format!(
                "the preset {} holds no {kind}: it has {}; import {kind} from a file of your own, \
                 without --preset",
                self.name,
                kinds.join(", ")
            )
        })
    }
}

impl Layout {
    /// Refuses a file of another layout.
    pub(crate) fn check(&self, name: &str, columns: &[String]) -> Result<()> {
        let lacking: Vec<&str> = self
            .required
            .iter()
            .filter(|required| !columns.iter().any(|column| column.eq_ignore_ascii_case(required)))
            .map(String::as_str)
            .collect();
        if lacking.is_empty() {
            return Ok(());
        }
        let what = format!("{name} lacks the preset's column {}", lacking.join(", "));
        Err(Unresolved::NoColumn { what, columns: columns.to_vec() }.into())
    }
}
