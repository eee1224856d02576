//! What a filter must satisfy before workers see it.

use mercer_common::{ids::Checker, limits, money};
use mercer_proto::v1::{CategoryCondition, Filter, FilterList, PriceBand, filter::Condition};

/// Checks a filter tree; violations name the path from `path` on.
pub(crate) fn filter(checker: &mut Checker, path: &str, filter: Option<&Filter>, currency: &str) {
    if let Some(filter) = filter {
        let mut walk = Walk { checker, currency, terms: 0 };
        walk.filter(path, filter, 1);
    }
}

struct Walk<'a> {
    checker: &'a mut Checker,
    currency: &'a str,
    terms: usize,
}

impl Walk<'_> {
    /// Returns false when the tree is too large to go on.
    fn filter(&mut self, path: &str, filter: &Filter, depth: usize) -> bool {
        if depth > limits::FILTER_DEPTH {
            let limit = limits::FILTER_DEPTH;
            self.checker.violation(path, format!("is nested deeper than {limit} levels"));
            return false;
        }
        let Some(condition) = &filter.condition else {
            self.checker.violation(path, "must have a condition");
            return true;
        };
        match condition {
            Condition::AllOf(list) => return self.list(&format!("{path}.all_of"), list, depth),
            Condition::AnyOf(list) => return self.list(&format!("{path}.any_of"), list, depth),
            Condition::Not(inner) => return self.filter(&format!("{path}.not"), inner, depth + 1),
            _ => {}
        }
        self.terms += 1;
        if self.terms > limits::FILTER_TERMS {
            let limit = limits::FILTER_TERMS;
            self.checker.violation(path, format!("is beyond the limit of {limit} conditions"));
            return false;
        }
        match condition {
            Condition::Category(category) => self.category(path, category),
            Condition::Attribute(attribute) => {
                self.label(|| format!("{path}.attribute.name"), &attribute.name);
                self.labels(&format!("{path}.attribute.values"), &attribute.values);
            }
            Condition::Brand(brand) => {
                self.labels(&format!("{path}.brand.brands"), &brand.brands);
            }
            Condition::Items(items) => {
                self.labels(&format!("{path}.items.item_ids"), &items.item_ids)
            }
            Condition::Price(band) => self.price(&format!("{path}.price"), band),
            Condition::InStock(stock) => {
                if !stock.location_id.is_empty() {
                    let location_id = &stock.location_id;
                    self.checker.known_id(|| format!("{path}.in_stock.location_id"), location_id);
                }
            }
            Condition::AllOf(_) | Condition::AnyOf(_) | Condition::Not(_) => {}
        }
        true
    }

    fn list(&mut self, path: &str, list: &FilterList, depth: usize) -> bool {
        if list.filters.is_empty() {
            self.checker.violation(format!("{path}.filters"), "must not be empty");
        }
        (0..).zip(&list.filters).all(|(index, filter): (usize, _)| {
            self.filter(&format!("{path}.filters[{index}]"), filter, depth + 1)
        })
    }

    fn category(&mut self, path: &str, category: &CategoryCondition) {
        let field = format!("{path}.category.path");
        self.checker.count(|| field.clone(), category.path.len(), limits::CATEGORY_LEVELS);
        self.labels(&field, &category.path);
    }

    fn labels(&mut self, field: &str, labels: &[String]) {
        if labels.is_empty() {
            self.checker.violation(field, "must not be empty");
        }
        self.checker.count(|| field.to_owned(), labels.len(), limits::FILTER_ITEMS);
        for (index, label) in labels.iter().enumerate().take(limits::FILTER_ITEMS) {
            self.label(|| format!("{field}[{index}]"), label);
        }
    }

    fn label(&mut self, field: impl Fn() -> String, label: &str) {
        if label.is_empty() {
            self.checker.violation(field(), "must not be empty");
        }
        self.checker.length(field, label, limits::LABEL_BYTES);
    }

    fn price(&mut self, path: &str, band: &PriceBand) {
        if band.minimum.is_none() && band.maximum.is_none() {
            self.checker.violation(path, "must have a minimum or a maximum");
        }
        let mut bounds = [None; 2];
        let named = [("minimum", &band.minimum), ("maximum", &band.maximum)];
        for (bound, (name, amount)) in bounds.iter_mut().zip(named) {
            match amount.as_ref().map(|amount| money::to_micros(amount, self.currency)) {
                Some(Ok(micros)) => *bound = Some(micros),
                Some(Err(error)) => {
                    self.checker.violation(format!("{path}.{name}"), error.to_string());
                }
                None => {}
            }
        }
        if let [Some(minimum), Some(maximum)] = bounds
            && minimum > maximum
        {
            self.checker.violation(path, "has a minimum above its maximum");
        }
    }
}

#[cfg(test)]
mod tests {
    use mercer_proto::{
        google::r#type::Money,
        v1::{AttributeCondition, BrandCondition, InStockCondition, ItemsCondition},
    };

    use super::*;

    fn violations(filter: &Filter) -> Vec<String> {
        let mut checker = Checker::default();
        super::filter(&mut checker, "filter", Some(filter), "USD");
        match checker.finish() {
            Ok(()) => Vec::new(),
            Err(invalid) => invalid.violations.into_iter().map(|v| v.field).collect(),
        }
    }

    fn leaf() -> Filter {
        of(Condition::InStock(InStockCondition::default()))
    }

    fn of(condition: Condition) -> Filter {
        Filter { condition: Some(condition) }
    }

    fn nested(levels: usize) -> Filter {
        (1..levels).fold(leaf(), |inner, _| of(Condition::Not(Box::new(inner))))
    }

    fn wide(terms: usize) -> Filter {
        of(Condition::AnyOf(FilterList { filters: vec![leaf(); terms] }))
    }

    fn usd(units: i64) -> Option<Money> {
        Some(Money { currency_code: "USD".into(), units, nanos: 0 })
    }

    #[test]
    fn accepts_up_to_the_limits() {
        assert!(violations(&nested(8)).is_empty());
        assert!(violations(&wide(64)).is_empty());
    }

    #[test]
    fn names_what_is_wrong() {
        let long = "x".repeat(257);
        let price = |minimum, maximum| of(Condition::Price(PriceBand { minimum, maximum }));
        let category = |path| of(Condition::Category(CategoryCondition { path }));
        let cases = [
            (nested(9), "filter.not.not.not.not.not.not.not.not"),
            (wide(65), "filter.any_of.filters[64]"),
            (Filter::default(), "filter"),
            (of(Condition::AllOf(FilterList::default())), "filter.all_of.filters"),
            (category(vec![]), "filter.category.path"),
            (category(vec!["a".into(); 9]), "filter.category.path"),
            (category(vec!["a".into(), long.clone()]), "filter.category.path[1]"),
            (
                of(Condition::Attribute(AttributeCondition {
                    name: String::new(),
                    values: vec!["v".into()],
                })),
                "filter.attribute.name",
            ),
            (of(Condition::Brand(BrandCondition::default())), "filter.brand.brands"),
            (
                of(Condition::Items(ItemsCondition { item_ids: vec!["i".into(); 1_001] })),
                "filter.items.item_ids",
            ),
            (price(None, None), "filter.price"),
            (price(usd(2), usd(1)), "filter.price"),
            (
                price(Some(Money { currency_code: "EUR".into(), units: 1, nanos: 0 }), None),
                "filter.price.minimum",
            ),
            (
                of(Condition::InStock(InStockCondition { location_id: long })),
                "filter.in_stock.location_id",
            ),
        ];
        for (filter, field) in cases {
            assert_eq!(violations(&filter), [field]);
        }
    }
}
