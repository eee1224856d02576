//! How demand answers to the price: an item's own weeks, drawn towards its group.

mod stages;
#[cfg(test)]
mod tests;

use mercer_algorithms::price::{
    estimate::Measured,
    pool::{ELASTICITY_BOUNDS, PROMOTION_BOUNDS, Posterior, Prior},
};
use mercer_common::note::{Number, Said, Share, Text, note};
use mercer_proto::{
    internal::{ElasticityPriors, GroupPrior},
    v1::{ElasticityRequest, ElasticityResponse, Note, note::Kind},
};

use super::encode::encode_elasticity;
use crate::{
    artifact::ELASTICITY,
    domain::{
        DecideError,
        facts::{Facts, Group, ItemElasticity, OwnEstimate},
    },
    serve::NotTrained,
};

pub(crate) use stages::STAGES;

/// How demand for the item answers to its price, and what that stands on.
///
/// # Errors
/// [`DecideError::NotTrained`] before the first training of `elasticity`.
pub(crate) fn elasticity(
    facts: &Facts<'_>,
    request: &ElasticityRequest,
) -> Result<ElasticityResponse, DecideError> {
    let (elasticity, notes) = item_elasticity(facts)?;
    Ok(ElasticityResponse {
        item_id: request.item_id.clone(),
        version: facts.version.to_owned(),
        elasticity: Some(encode_elasticity(&elasticity, facts.currency)),
        notes,
        token: String::new(),
    })
}

/// The item's elasticity in this version; that of its group when the item is newer.
pub(crate) fn item_elasticity(
    facts: &Facts<'_>,
) -> Result<(ItemElasticity, Vec<Note>), DecideError> {
    let known = facts.elasticity.as_ref().ok_or(NotTrained { kind: ELASTICITY })?;
    if let Some(trained) = &known.item {
        let notes = weakness(trained).into_iter().collect();
        return Ok((trained.clone(), notes));
    }
    let path: Vec<String> = facts.item.category_path().iter().map(ToString::to_string).collect();
    let of_group = shrunk(OwnEstimate::default(), None, &path, known.priors);
    let said = Said::ElasticityOfNewItem { category: category(&of_group.group.path) };
    Ok((of_group, vec![note(Kind::WeakEvidence, "elasticity", said)]))
}

/// What makes the estimate of an item weak, if anything.
fn weakness(trained: &ItemElasticity) -> Option<Note> {
    let ItemElasticity { own, own_weight, group, .. } = trained;
    let category = category(&group.path);
    let elasticity = Number(trained.value.into());
    let said = match own.elasticity {
        None => {
            Said::NoElasticityOfItsOwn { weeks: Number(own.weeks.into()), category, elasticity }
        }
        Some(value) if value >= 0.0 => {
            Said::ElasticityOfWrongSign { own: Number(value.into()), category, elasticity }
        }
        Some(value) if *own_weight <= 0.5 => Said::ElasticityUncertain {
            own: Number(value.into()),
            error: Number(own.standard_error.unwrap_or_default().into()),
            weight: Share((100.0 * f64::from(*own_weight)).round() / 100.0),
            category,
        },
        Some(_) => return None,
    };
    Some(note(Kind::WeakEvidence, "elasticity", said))
}

/// A category as a sentence names it; `None` for the whole catalogue.
fn category(path: &[String]) -> Option<Text> {
    (!path.is_empty()).then(|| Text(path.join(" > ")))
}

/// An item's estimate drawn towards the narrowest group that has a prior; without an estimate, the
/// group's. `promotion` is that of the natural logarithm of the promotion factor.
pub(crate) fn shrunk(
    own: OwnEstimate,
    promotion: Option<Measured>,
    category_path: &[String],
    priors: &ElasticityPriors,
) -> ItemElasticity {
    let group = narrowest(priors, category_path);
    let prior = Prior {
        mean: group.elasticity.into(),
        mean_error: group.mean_error.into(),
        deviation: group.deviation.into(),
    };
    let Posterior { mean, deviation, weight } =
        prior.update(measured(own.elasticity, own.standard_error));
    let prior = Prior {
        mean: group.promotion_effect.into(),
        mean_error: 0.0,
        deviation: group.promotion_deviation.into(),
    };
    let promotion = prior.update(promotion);
    let (low, high) = PROMOTION_BOUNDS;
    ItemElasticity {
        value: mean.clamp(ELASTICITY_BOUNDS.0, ELASTICITY_BOUNDS.1) as f32,
        standard_error: deviation as f32,
        own_weight: weight as f32,
        own,
        promotion_factor: promotion.mean.exp().clamp(low, high) as f32,
        group: Group { path: group.path, elasticity: group.elasticity, deviation: group.deviation },
    }
}

/// The prior of the narrowest category around `path`; the groups are sorted, the whole catalogue
/// first.
fn narrowest(priors: &ElasticityPriors, path: &[String]) -> GroupPrior {
    let found = (0..=path.len()).rev().find_map(|levels| {
        let path = &path[..levels];
        priors.groups.binary_search_by(|group| group.path.as_slice().cmp(path)).ok()
    });
    found.map(|index| priors.groups[index].clone()).unwrap_or_default()
}

/// An estimate as files hold it.
fn measured(value: Option<f32>, standard_error: Option<f32>) -> Option<Measured> {
    let (value, standard_error) = value.zip(standard_error)?;
    Some(Measured { value: value.into(), standard_error: standard_error.into() })
}
