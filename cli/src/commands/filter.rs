//! Filters as people type them.

use mercer_common::money::from_micros;
use mercer_proto::v1::{
    AttributeCondition, BrandCondition, CategoryCondition, Filter, FilterList, InStockCondition,
    ItemsCondition, PriceBand, filter::Condition,
};

use crate::import::parse_micros;

/// Syntax of filters, for help texts.
pub(crate) const HELP: &str = "\
Filters (repeat --filter: all must hold; ! in front negates; | means any of):
  category=GROCERY>SOFT DRINKS    the category path starts with these levels
  brand=Acme|Emca                 the brand is one of these
  attribute.size=1 L|2 L          the attribute has one of these values
  price=1.50..10                  the list price lies within; either end may be left out
  in-stock  or  in-stock=LOC      on-hand stock above 0 anywhere, or there
  item=A|B                        the item is one of these";

/// The conjunction of `conditions`; none when there are none.
pub(crate) fn all_of(conditions: Vec<Filter>) -> Option<Filter> {
    match conditions.len() {
        0 => None,
        1 => conditions.into_iter().next(),
        _ => Some(of(Condition::AllOf(FilterList { filters: conditions }))),
    }
}

/// Reads one condition.
pub(crate) fn parse(text: &str) -> Result<Filter, String> {
    if let Some(rest) = text.strip_prefix('!') {
        return Ok(of(Condition::Not(Box::new(parse(rest)?))));
    }
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name.trim(), value.trim()),
        None => (text.trim(), ""),
    };
    let any = || value.split('|').map(|value| value.trim().to_owned()).collect::<Vec<_>>();
    let condition = match name {
        "in-stock" => Condition::InStock(InStockCondition { location_id: value.to_owned() }),
        _ if value.is_empty() => {
            return Err(format!("`{text}` is not a condition such as brand=Acme"));
        }
        "category" => Condition::Category(CategoryCondition {
            path: value.split('>').map(|level| level.trim().to_owned()).collect(),
        }),
        "brand" => Condition::Brand(BrandCondition { brands: any() }),
        "item" => Condition::Items(ItemsCondition { item_ids: any() }),
        "price" => Condition::Price(price_band(value)?),
        _ => match name.strip_prefix("attribute.") {
            Some(attribute) if !attribute.is_empty() => Condition::Attribute(AttributeCondition {
                name: attribute.to_owned(),
                values: any(),
            }),
            _ => {
                return Err(format!(
                    "`{name}` is not category, brand, attribute.NAME, price, in-stock or item"
                ));
            }
        },
    };
    Ok(of(condition))
}

fn of(condition: Condition) -> Filter {
    Filter { condition: Some(condition) }
}

fn price_band(text: &str) -> Result<PriceBand, String> {
    let invalid = || format!("`{text}` is not a price band such as 1.50..10");
    let (minimum, maximum) = text.split_once("..").ok_or_else(invalid)?;
    let bound = |text: &str| match text.trim() {
        "" => Ok(None),
        // Without a currency: the cluster's.
        text => parse_micros(text).map(|micros| Some(from_micros(micros, ""))).ok_or_else(invalid),
    };
    let band = PriceBand { minimum: bound(minimum)?, maximum: bound(maximum)? };
    if band.minimum.is_none() && band.maximum.is_none() { Err(invalid()) } else { Ok(band) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::filter::show;

    #[test]
    fn reads_conditions() {
        let category =
            of(Condition::Category(CategoryCondition { path: vec!["A".into(), "B C".into()] }));
        assert_eq!(parse("category=A > B C"), Ok(category.clone()));
        assert_eq!(parse("!category=A>B C"), Ok(of(Condition::Not(Box::new(category)))));
        let band = PriceBand { minimum: Some(from_micros(1_500_000, "")), maximum: None };
        assert_eq!(parse("price=1.50.."), Ok(of(Condition::Price(band))));
        let brands = BrandCondition { brands: vec!["a".into(), "b".into()] };
        assert_eq!(parse("brand=a|b"), Ok(of(Condition::Brand(brands))));
        let anywhere = InStockCondition { location_id: String::new() };
        assert_eq!(parse("in-stock"), Ok(of(Condition::InStock(anywhere))));
    }

    #[test]
    fn shows_what_it_reads() {
        for text in ["category=A>B C", "!brand=a|b", "attribute.size=1 L", "in-stock=x", "item=i"] {
            assert_eq!(show(&parse(text).expect("valid")), text);
        }
        let both = all_of(vec![parse("in-stock").expect("valid"), parse("item=i").expect("valid")]);
        assert_eq!(show(&both.expect("a filter")), "in-stock and item=i");
    }

    #[test]
    fn refuses_the_rest() {
        for bad in ["", "brand", "brand=", "colour=red", "price=5", "price=..", "price=a..b"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn several_must_all_hold() {
        assert_eq!(all_of(Vec::new()), None);
        let one = parse("in-stock").expect("valid");
        assert_eq!(all_of(vec![one.clone()]), Some(one.clone()));
        let both = Filter {
            condition: Some(Condition::AllOf(FilterList {
                filters: vec![one.clone(), one.clone()],
            })),
        };
        assert_eq!(all_of(vec![one.clone(), one]), Some(both));
    }
}
