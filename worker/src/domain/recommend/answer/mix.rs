//! A learned mix, as it is stored and as it scores.

use mercer_algorithms::recommend::{
    hybrid::{Feature, Mix, MixFeature, MixSource, Transform},
    profile::Recency,
};
use mercer_proto::internal::LearnedMix;

use crate::version::{OpenModel, OpenSet, VersionError};

/// The mix of an algorithm; `None` for one that is no mix.
///
/// # Errors
/// When it names what this program does not know.
pub(super) fn of(
    version: &str,
    set: &OpenSet,
    algorithm: &str,
) -> Result<Option<Mix>, VersionError> {
    let learned = set.model(algorithm).and_then(OpenModel::learned);
    let Some(stored) = learned.and_then(|learned| learned.mix.as_ref()) else { return Ok(None) };
    match mix(stored) {
        Some(mix) => Ok(Some(mix)),
        None => Err(VersionError::Manifest {
            version: version.to_owned(),
            detail: format!("{algorithm} mixes what this program does not know"),
        }),
    }
}

fn mix(stored: &LearnedMix) -> Option<Mix> {
    let mut sources = Vec::with_capacity(stored.sources.len());
    for source in &stored.sources {
        let recency = source.recency.unwrap_or_default();
        sources.push(MixSource {
            algorithm: source.algorithm.clone(),
            weight: source.weight,
            recency: Recency {
                rank_half_life: recency.rank_half_life,
                age_half_life_days: recency.age_half_life_days,
            },
            transform: Transform::parse(&source.transform)?,
        });
    }
    let mut features = Vec::with_capacity(stored.features.len());
    for feature in &stored.features {
        features.push(MixFeature {
            feature: Feature::parse(&feature.feature)?,
            weight: feature.weight,
            mean: feature.mean,
            deviation: feature.deviation,
        });
    }
    Some(Mix { sources, features })
}
