//! The score of a hybrid: plain data, learned once, evaluated for every candidate.

use std::fmt;

use super::features::{Feature, ItemFacts};
use crate::recommend::profile::Recency;

/// Scaled scores and parts of a score stay within this, so that no weight makes a score infinite.
const BOUND: f64 = 1e12;

/// What is done to a scaled score before it is weighted. All are odd and rise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Transform {
    /// Nothing.
    #[default]
    Linear,
    /// sign(x) sqrt|x|: large scores count less.
    Root,
}

impl Transform {
    /// All of them, by name.
    pub const ALL: [Self; 2] = [Self::Linear, Self::Root];

    /// The name that is stored.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Root => "root",
        }
    }

    /// The transformation of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|transform| transform.name() == name)
    }

    /// Transforms a scaled score.
    #[must_use]
    pub fn apply(self, scaled: f64) -> f64 {
        match self {
            Self::Linear => scaled,
            Self::Root => scaled.abs().sqrt().copysign(scaled),
        }
    }
}

impl fmt::Display for Transform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Algorithm in a mix.
#[derive(Clone, Debug, PartialEq)]
pub struct MixSource {
    /// Name of the algorithm.
    pub algorithm: String,
    /// Weight of its transformed scaled scores.
    pub weight: f64,
    /// How the profile forgets before this source is asked.
    pub recency: Recency,
    /// Transform applied to score / scale.
    pub transform: Transform,
}

impl MixSource {
    /// What the source adds to the score of an item that it gives `raw`. Finite.
    #[must_use]
    pub fn part(&self, raw: f64, scale: f64) -> f64 {
        bounded(self.weight * self.transform.apply(bounded(raw / scale)))
    }
}

/// Property of items in a mix.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MixFeature {
    /// Property that is weighed.
    pub feature: Feature,
    /// Weight of the standardised property.
    pub weight: f64,
    /// Mean of the property, subtracted to standardise it.
    pub mean: f64,
    /// Deviation of the property, divided by after that.
    pub deviation: f64,
}

impl MixFeature {
    /// What the property adds to the score; 0 where it is not known. Finite.
    #[must_use]
    pub fn part(&self, facts: &ItemFacts) -> f64 {
        let Some(value) = self.feature.of(facts) else { return 0.0 };
        let standard = bounded((value - self.mean) / self.deviation);
        bounded(self.weight * standard)
    }
}

/// Sources and features with their weights.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mix {
    /// Sources in the order in which raw scores come and parts are added.
    pub sources: Vec<MixSource>,
    /// Features, whose parts are added after those of the sources.
    pub features: Vec<MixFeature>,
}

impl Mix {
    /// The score of an item: the sum of [`Self::parts`], in their order, from 0. Finite whatever
    /// the weights are.
    ///
    /// `raw` and `scales` are parallel to the sources; a source that says nothing of the item gives
    /// 0.
    #[must_use]
    pub fn score(&self, raw: &[f64], scales: &[f64], facts: &ItemFacts) -> f64 {
        self.parts(raw, scales, facts).fold(0.0, |score, part| score + part)
    }

    /// What each source, then each feature adds to the score.
    pub fn parts<'a>(
        &'a self,
        raw: &'a [f64],
        scales: &'a [f64],
        facts: &'a ItemFacts,
    ) -> impl Iterator<Item = f64> + 'a {
        let sources = self.sources.iter().zip(raw.iter().zip(scales));
        sources
            .map(|(source, (&raw, &scale))| source.part(raw, scale))
            .chain(self.features.iter().map(|feature| feature.part(facts)))
    }

    /// Factor by which the parts of source `index`'s raw score, such as those of single items of
    /// the profile, are multiplied so that they add up to the source's part; 0 when `raw` is 0.
    ///
    /// # Panics
    /// When there is no such source.
    #[must_use]
    pub fn gain(&self, index: usize, raw: f64, scale: f64) -> f64 {
        if raw == 0.0 { 0.0 } else { bounded(self.sources[index].part(raw, scale) / raw) }
    }
}

/// Within bounds; 0 for what is not a number.
fn bounded(value: f64) -> f64 {
    if value.is_nan() { 0.0 } else { value.clamp(-BOUND, BOUND) }
}
