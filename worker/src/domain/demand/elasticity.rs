//! How demand answers to the price: an item's own weeks, drawn towards its group.

mod stages;
#[cfg(test)]
mod tests;

use mercer_algorithms::price::{
    estimate::Measured,
    pool::{ELASTICITY_BOUNDS, PROMOTION_BOUNDS, Posterior, Prior},
};
use mercer_common::{
    money::from_micros,
    note::{Number, Said, Share, Text, note},
};
use mercer_proto::{
    internal::{ElasticityPriors, ElasticityResult, GroupPrior, ItemElasticity},
    v1::{
        ElasticityEstimate, ElasticityRequest, ElasticityResponse, Note,
        elasticity_estimate::Basis, note::Kind,
    },
};

use crate::{
    artifact::ELASTICITY,
    domain::{DecideError, Facts},
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
    let (result, notes) = item_elasticity(facts)?;
    Ok(ElasticityResponse {
        item_id: request.item_id.clone(),
        version: facts.version.to_owned(),
        elasticity: Some(show_elasticity(&result, facts.currency)),
        notes,
        token: String::new(),
    })
}

/// The item's elasticity in this version; that of its group when the item is newer.
pub(crate) fn item_elasticity(
    facts: &Facts<'_>,
) -> Result<(ElasticityResult, Vec<Note>), DecideError> {
    let known = facts.elasticity.as_ref().ok_or(NotTrained { kind: ELASTICITY })?;
    let result = known.result.clone().unwrap_or_else(|| {
        let path = facts.item.category_path().iter().map(ToString::to_string).collect();
        let estimate =
            ElasticityResult { item_id: facts.item.id().to_owned(), ..Default::default() };
        let item =
            ItemElasticity { category_path: path, estimate: Some(estimate), ..Default::default() };
        shrunk(&item, known.priors)
    });
    let mut notes = Vec::new();
    if known.result.is_none() {
        let category = category(&result.group_path);
        let said = Said::ElasticityOfNewItem { category };
        notes.push(note(Kind::WeakEvidence, "elasticity", said));
    } else {
        notes.extend(weakness(&result));
    }
    Ok((result, notes))
}

/// What makes the estimate of an item weak, if anything.
fn weakness(result: &ElasticityResult) -> Option<Note> {
    let category = category(&result.group_path);
    let elasticity = Number(result.elasticity.into());
    let said = match result.item_elasticity {
        None => {
            Said::NoElasticityOfItsOwn { weeks: Number(result.weeks.into()), category, elasticity }
        }
        Some(own) if own >= 0.0 => {
            Said::ElasticityOfWrongSign { own: Number(own.into()), category, elasticity }
        }
        Some(own) if result.item_weight <= 0.5 => Said::ElasticityUncertain {
            own: Number(own.into()),
            error: Number(result.item_standard_error.unwrap_or_default().into()),
            weight: Share((100.0 * f64::from(result.item_weight)).round() / 100.0),
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
/// group's.
pub(crate) fn shrunk(item: &ItemElasticity, priors: &ElasticityPriors) -> ElasticityResult {
    let estimate = item.estimate.clone().unwrap_or_default();
    let group = narrowest(priors, &item.category_path);
    let own = measured(estimate.item_elasticity, estimate.item_standard_error);
    let prior = Prior {
        mean: group.elasticity.into(),
        mean_error: group.mean_error.into(),
        deviation: group.deviation.into(),
    };
    let Posterior { mean, deviation, weight } = prior.update(own);
    let promotion = Prior {
        mean: group.promotion_effect.into(),
        mean_error: 0.0,
        deviation: group.promotion_deviation.into(),
    };
    let promotion =
        promotion.update(measured(item.promotion_effect, item.promotion_standard_error));
    let (low, high) = PROMOTION_BOUNDS;
    ElasticityResult {
        elasticity: mean.clamp(ELASTICITY_BOUNDS.0, ELASTICITY_BOUNDS.1) as f32,
        standard_error: deviation as f32,
        item_weight: weight as f32,
        group_elasticity: group.elasticity,
        group_deviation: group.deviation,
        promotion_factor: promotion.mean.exp().clamp(low, high) as f32,
        group_path: group.path,
        ..estimate
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

fn measured(value: Option<f32>, standard_error: Option<f32>) -> Option<Measured> {
    let (value, standard_error) = value.zip(standard_error)?;
    Some(Measured { value: value.into(), standard_error: standard_error.into() })
}

/// The API's form.
pub(crate) fn show_elasticity(result: &ElasticityResult, currency: &str) -> ElasticityEstimate {
    let basis = match result.item_elasticity {
        None => Basis::Prior,
        Some(_) if result.item_weight > 0.5 => Basis::Item,
        Some(_) => Basis::Category,
    };
    let price = |micros: i64| (micros > 0).then(|| from_micros(micros, currency));
    ElasticityEstimate {
        elasticity: result.elasticity.into(),
        standard_error: result.standard_error.into(),
        basis: basis.into(),
        item_elasticity: result.item_elasticity.map(f64::from),
        item_standard_error: result.item_standard_error.map(f64::from),
        item_weight: result.item_weight.into(),
        group_path: result.group_path.clone(),
        group_elasticity: result.group_elasticity.into(),
        group_deviation: result.group_deviation.into(),
        method: result.method.clone(),
        weeks: result.weeks,
        zero_weeks: result.zero_weeks,
        lowest_price: price(result.lowest_price_micros),
        highest_price: price(result.highest_price_micros),
        promotion_factor: result.promotion_factor.into(),
    }
}
