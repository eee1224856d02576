//! Filters as they are shown.

use mercer_proto::v1::{Filter, FilterList, filter::Condition};

use crate::show::output;

/// A filter as it is typed, as far as that can say it.
pub(crate) fn show(filter: &Filter) -> String {
    let joined = |list: &FilterList, with: &str| {
        list.filters.iter().map(show).collect::<Vec<_>>().join(with)
    };
    let amount = |money: &Option<_>| money.as_ref().map(output::money).unwrap_or_default();
    match &filter.condition {
        None => String::new(),
        Some(Condition::AllOf(list)) => joined(list, " and "),
        Some(Condition::AnyOf(list)) => format!("({})", joined(list, " or ")),
        Some(Condition::Not(inner)) => format!("!{}", show(inner)),
        Some(Condition::Category(category)) => format!("category={}", category.path.join(">")),
        Some(Condition::Attribute(attribute)) => {
            format!("attribute.{}={}", attribute.name, attribute.values.join("|"))
        }
        Some(Condition::Price(band)) => {
            format!("price={}..{}", amount(&band.minimum), amount(&band.maximum))
        }
        Some(Condition::InStock(stock)) if stock.location_id.is_empty() => "in-stock".into(),
        Some(Condition::InStock(stock)) => format!("in-stock={}", stock.location_id),
        Some(Condition::Brand(brand)) => format!("brand={}", brand.brands.join("|")),
        Some(Condition::Items(items)) => format!("item={}", items.item_ids.join("|")),
    }
}
