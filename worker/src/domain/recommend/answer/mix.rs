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
    let unknown = || VersionError::Manifest {
        version: version.to_owned(),
        detail: format!("{algorithm} mixes what this program does not know"),
    };
    mix(stored).ok_or_else(unknown).map(Some)
}

fn mix(stored: &LearnedMix) -> Option<Mix> {
    let source = |source: &mercer_proto::internal::MixSource| {
        let recency = source.recency.unwrap_or_default();
        Some(MixSource {
            algorithm: source.algorithm.clone(),
            weight: source.weight,
            recency: Recency {
                rank_half_life: recency.rank_half_life,
                age_half_life_days: recency.age_half_life_days,
            },
            transform: Transform::parse(&source.transform)?,
        })
    };
    let feature = |feature: &mercer_proto::internal::MixFeature| {
        Some(MixFeature {
            feature: Feature::parse(&feature.feature)?,
            weight: feature.weight,
            mean: feature.mean,
            deviation: feature.deviation,
        })
    };
    Some(Mix {
        sources: stored.sources.iter().map(source).collect::<Option<_>>()?,
        features: stored.features.iter().map(feature).collect::<Option<_>>()?,
    })
}
