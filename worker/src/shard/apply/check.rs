//! Whether records are as ingest writes them.

use mercer_common::{clearing::Described, limits};
use mercer_proto::{
    internal::Exposure,
    v1::{self, EventType, RecommendRule, SupplyTerms, recommend_rule::Action},
};

use prost::encoding::{DecodeContext, decode_key, skip_field};

use crate::shard::ApplyError;
use crate::shard::{PriceRule, ServiceLevel, Supplier, Terms};

/// The fields of a section that this release knows.
const SECTION_FIELDS: std::ops::RangeInclusive<u32> = 1..=12;

/// Refuses a section with a field of a later release, which decoding would leave out silently.
pub(super) fn known_fields(mut section: &[u8]) -> Result<(), ApplyError> {
    while !section.is_empty() {
        let (tag, wire_type) = decode_key(&mut section)?;
        if !SECTION_FIELDS.contains(&tag) {
            return Err(ApplyError::UnknownRecord("a field of a section"));
        }
        skip_field(wire_type, tag, &mut section, DecodeContext::default())?;
    }
    Ok(())
}

pub(super) fn id(id: &str) -> Result<(), ApplyError> {
    match id.len() {
        0 => Err(ApplyError::Malformed("an id is empty")),
        1..=limits::ID_BYTES => Ok(()),
        _ => Err(ApplyError::Malformed("an id is too long")),
    }
}

/// An id that may be empty.
pub(super) fn optional_id(optional: &str) -> Result<(), ApplyError> {
    if optional.is_empty() { Ok(()) } else { id(optional) }
}

/// What a change clears, which a release that does not know a path would leave as it is.
pub(super) fn clears(
    described: Described,
    keep_absent: bool,
    paths: &[String],
) -> Result<(), ApplyError> {
    if !keep_absent && !paths.is_empty() {
        return Err(ApplyError::Malformed("a change clears what it replaces"));
    }
    match paths.iter().all(|path| described.can_clear(path)) {
        true => Ok(()),
        false => Err(ApplyError::UnknownRecord("a field that is cleared")),
    }
}

pub(super) fn event_type(event_type: i32) -> Result<(), ApplyError> {
    match EventType::try_from(event_type) {
        Ok(EventType::Unspecified) => Err(ApplyError::Malformed("an event without a type")),
        Err(_) => Err(ApplyError::UnknownRecord("the type of an event")),
        Ok(_) => Ok(()),
    }
}

pub(super) fn finite(numbers: &[f64]) -> Result<(), ApplyError> {
    match numbers.iter().all(|number| number.is_finite()) {
        true => Ok(()),
        false => Err(ApplyError::Malformed("a number is not finite")),
    }
}

/// Terms, whose numbers are numbers.
pub(super) fn terms(said: Option<&SupplyTerms>) -> Result<Option<Terms>, ApplyError> {
    let Some(terms) = Terms::decode_some(said)? else { return Ok(None) };
    let level = terms.service.map(|service| match service {
        ServiceLevel::Cycle(level) | ServiceLevel::FillRate(level) => level,
    });
    let numbers = [
        terms.lead_time_days,
        terms.lead_time_deviation_days,
        terms.review_period_days,
        terms.holding_rate,
        terms.minimum_order_quantity,
        terms.pack_size,
        terms.maximum_cover_days,
        level,
    ];
    finite(&numbers.map(Option::unwrap_or_default))?;
    Ok(Some(terms))
}

pub(super) fn supplier(said: v1::Supplier) -> Result<Supplier, ApplyError> {
    id(&said.supplier_id)?;
    let terms = terms(said.terms.as_ref())?;
    Ok(Supplier { supplier_id: said.supplier_id, name: said.name, terms })
}

pub(super) fn price_rule(said: &v1::PriceRule) -> Result<PriceRule, ApplyError> {
    if said.price_endings.len() > limits::PRICE_ENDINGS {
        return Err(ApplyError::Malformed("a price rule has too many endings"));
    }
    let numbers = [
        said.margin_floor,
        said.largest_change,
        said.competitor_index_floor,
        said.competitor_index_ceiling,
    ];
    finite(&numbers.map(Option::unwrap_or_default))?;
    Ok(PriceRule::decode(said)?)
}

pub(super) fn recommend_rule(rule: &RecommendRule) -> Result<(), ApplyError> {
    id(&rule.rule_id)?;
    match (rule.action, &rule.filter) {
        (Some(Action::Exclude(_)), Some(_)) => Ok(()),
        (Some(Action::Include(strength) | Action::Boost(strength)), Some(_)) => finite(&[strength]),
        (None, _) | (_, None) => Err(ApplyError::Malformed("a rule is not complete")),
    }
}

pub(super) fn exposure(exposure: &Exposure) -> Result<(), ApplyError> {
    id(&exposure.experiment_id)?;
    id(&exposure.arm_id)?;
    exposure.item_ids.iter().try_for_each(|item| id(item))?;
    match exposure.item_ids.len() <= limits::RESULTS as usize {
        true => Ok(()),
        false => Err(ApplyError::Malformed("an exposure has too many items")),
    }
}

pub(super) fn category_path(path: &[String]) -> Result<(), ApplyError> {
    let fits = path.len() <= limits::CATEGORY_LEVELS
        && path.iter().all(|level| level.len() <= limits::LABEL_BYTES);
    if fits { Ok(()) } else { Err(ApplyError::Malformed("a category path is too long")) }
}
