//! Competitors' prices, and the rules that prices must keep to.

use mercer_common::{ids::Checker, limits};
use mercer_proto::{
    internal::{SetCategoryPriceRule, SetCompetitorPrice, SetItemPriceRule, mutation},
    v1::{
        MutationResponse, PriceRule, ScopedPriceRule, SetCompetitorPricesRequest,
        SetPriceRulesRequest, scoped_price_rule::Scope,
    },
};
use prost::Message as _;

use super::{
    Ingest, IngestError,
    mutation::{Destination, Mutations, as_of, records},
};
use crate::validate::{Amount, amount, label, price_rule};

impl Ingest {
    pub(crate) async fn set_competitor_prices(
        &self,
        mut request: SetCompetitorPricesRequest,
    ) -> Result<MutationResponse, IngestError> {
        let bytes = request.encoded_len();
        let now = self.clock.now();
        let currency = &self.context.currency;
        let mut checker = Checker::default();
        let request_id = request.request_id.take();
        let import = request.import.take();
        let origin = self.records_origin(&mut checker, request_id, import, &request);
        let mut mutations = Mutations::new();
        let prices = records(&mut checker, "prices", request.prices, limits::BATCH_RECORDS);
        for (path, seen) in prices {
            let field = |name: &str| format!("{path}.{name}");
            checker.id(|| field("item_id"), &seen.item_id);
            checker.id(|| field("competitor_id"), &seen.competitor_id);
            let price = seen.price.as_ref();
            let price_micros =
                amount(&mut checker, || field("price"), price, currency, Amount::Positive);
            let as_of_ms = as_of(&mut checker, &path, seen.as_of, now);
            let to = self.of_item(&seen.item_id);
            let set = SetCompetitorPrice {
                item_id: seen.item_id,
                competitor_id: seen.competitor_id,
                price_micros,
                as_of_ms,
            };
            mutations.push((to, mutation::Kind::SetCompetitorPrice(set)));
        }
        self.mutate(checker, origin, mutations, bytes).await
    }

    pub(crate) async fn set_price_rules(
        &self,
        mut request: SetPriceRulesRequest,
    ) -> Result<MutationResponse, IngestError> {
        let bytes = request.encoded_len();
        let mut checker = Checker::default();
        let request_id = request.request_id.take();
        let origin = self.request_origin(&mut checker, request_id, &request);
        let mut mutations = Mutations::new();
        let limit = limits::DIRECTORY_RECORDS;
        for (path, scoped) in records(&mut checker, "rules", request.rules, limit) {
            mutations.extend(self.scoped_rule(&mut checker, &path, scoped));
        }
        self.mutate(checker, origin, mutations, bytes).await
    }

    fn scoped_rule(
        &self,
        checker: &mut Checker,
        path: &str,
        scoped: ScopedPriceRule,
    ) -> Option<(Destination, mutation::Kind)> {
        let mut rule = scoped.rule;
        if let Some(rule) = &mut rule {
            price_rule(checker, &format!("{path}.rule"), rule, &self.context.currency);
        }
        // A rule that says nothing is none.
        let rule = rule.filter(|rule| *rule != PriceRule::default());
        let category_path = match scoped.scope {
            Some(Scope::ItemId(item_id)) => {
                checker.id(|| format!("{path}.item_id"), &item_id);
                let to = self.of_item(&item_id);
                let set = SetItemPriceRule { item_id, rule };
                return Some((to, mutation::Kind::SetItemPriceRule(set)));
            }
            Some(Scope::Category(category)) => {
                check_category(checker, path, &category.levels);
                category.levels
            }
            Some(Scope::Everything(true)) => Vec::new(),
            Some(Scope::Everything(false)) => {
                checker.violation(format!("{path}.everything"), "must be true when it is set");
                return None;
            }
            None => {
                checker.violation(path, "must name an item, a category or everything");
                return None;
            }
        };
        let set = SetCategoryPriceRule { category_path, rule };
        Some((Destination::Everywhere, mutation::Kind::SetCategoryPriceRule(set)))
    }
}

fn check_category(checker: &mut Checker, path: &str, levels: &[String]) {
    let field = format!("{path}.category.levels");
    if levels.is_empty() {
        checker.violation(field.as_str(), "must not be empty; `everything` means all items");
    }
    checker.count(|| field.clone(), levels.len(), limits::CATEGORY_LEVELS);
    for (index, level) in levels.iter().enumerate().take(limits::CATEGORY_LEVELS) {
        label(checker, || format!("{field}[{index}]"), level);
    }
}
