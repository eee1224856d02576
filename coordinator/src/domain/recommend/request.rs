//! What callers ask, checked.

use mercer_common::{ids::Checker, limits, manifest::algorithms, rpc::Deadline};
use mercer_proto::v1::{
    CompleteRequest, Filter, RecommendRequest, RecommendResponse, Reranking, SeenPolicy,
    SimilarItemsRequest,
};
use uuid::Uuid;

use super::{Basis, Query, RecommendError, Recommender, popular::check_n};
use crate::{ask::algorithm, validate};

/// The algorithm for baskets, where it was trained.
const BOUGHT_TOGETHER: &str = "bought-together";

/// What all calls may say.
struct Terms {
    n: u32,
    algorithm: String,
    filter: Option<Filter>,
    filter_expression: String,
    explain: bool,
    reranking: Option<Reranking>,
    rule_set: String,
    tokens: Vec<String>,
}

/// Takes [`Terms`] out of a request of any kind.
macro_rules! terms {
    ($request:ident) => {
        Terms {
            n: $request.n,
            algorithm: $request.algorithm,
            filter: $request.filter,
            filter_expression: $request.filter_expression,
            explain: $request.explain,
            reranking: $request.reranking,
            rule_set: $request.rule_set,
            tokens: $request.tokens,
        }
    };
}

impl Recommender {
    pub(crate) async fn recommend(
        &self,
        request: RecommendRequest,
        deadline: Deadline,
    ) -> Result<RecommendResponse, RecommendError> {
        let mut checker = Checker::default();
        if !request.user_id.is_empty() {
            checker.known_id(|| "user_id".into(), &request.user_id);
        } else if request.session_items.is_empty() {
            checker.violation("user_id", "must be set unless session_items are");
        }
        check_items(&mut checker, "session_items", &request.session_items);
        if SeenPolicy::try_from(request.seen).is_err() {
            checker.violation("seen", format!("{} is not a seen policy", request.seen));
        }
        let exclude_purchased = request.seen() != SeenPolicy::Include;
        if request.anonymous_fallback && exclude_purchased {
            let problem =
                "needs `seen` INCLUDE: without the user's shard nobody knows what was seen";
            checker.violation("anonymous_fallback", problem);
        }
        let (experiment_id, user_id) = (request.experiment_id, request.user_id.clone());
        if !experiment_id.is_empty() {
            checker.known_id(|| "experiment_id".into(), &experiment_id);
        }
        let basis = if request.user_id.is_empty() {
            Basis::Session { items: request.session_items }
        } else {
            Basis::User { user_id: request.user_id, session_items: request.session_items }
        };
        let terms = terms!(request);
        let query = Query {
            exclude_purchased,
            anonymous_fallback: request.anonymous_fallback,
            ..self.query(checker, basis, terms)?
        };
        match experiment_id.as_str() {
            "" => self.run(&query, deadline).await,
            // The future of a second answer is large.
            id => Box::pin(self.run_in_experiment(query, id, &user_id, deadline)).await,
        }
    }

    pub(crate) async fn similar_items(
        &self,
        request: SimilarItemsRequest,
        deadline: Deadline,
    ) -> Result<RecommendResponse, RecommendError> {
        let mut checker = Checker::default();
        checker.known_id(|| "item_id".into(), &request.item_id);
        let terms = terms!(request);
        let query = self.query(checker, Basis::Item { item_id: request.item_id }, terms)?;
        self.run(&query, deadline).await
    }

    pub(crate) async fn complete(
        &self,
        mut request: CompleteRequest,
        deadline: Deadline,
    ) -> Result<RecommendResponse, RecommendError> {
        let mut checker = Checker::default();
        if request.basket_items.is_empty() {
            checker.violation("basket_items", "must not be empty");
        }
        check_items(&mut checker, "basket_items", &request.basket_items);
        if !request.user_id.is_empty() {
            checker.known_id(|| "user_id".into(), &request.user_id);
        }
        if request.algorithm.is_empty()
            && let Some(manifest) = self.engine.versions.current()
            && algorithms(&manifest).contains(&BOUGHT_TOGETHER)
        {
            BOUGHT_TOGETHER.clone_into(&mut request.algorithm);
        }
        let basis = Basis::Basket { user_id: request.user_id, items: request.basket_items };
        let terms = terms!(request);
        let query = self.query(checker, basis, terms)?;
        self.run(&query, deadline).await
    }

    /// Checks what all calls may say.
    fn query(
        &self,
        mut checker: Checker,
        basis: Basis,
        terms: Terms,
    ) -> Result<Query, RecommendError> {
        let currency = &self.engine.identity.cluster.currency;
        let n = check_n(&mut checker, terms.n);
        let filter =
            validate::filters(&mut checker, terms.filter, &terms.filter_expression, currency);
        let serving = self.engine.versions.current();
        let by_default = terms.algorithm.is_empty();
        let default = algorithm::by_default(&self.default_algorithm, serving.as_deref());
        let algorithm = match algorithm::resolve(&terms.algorithm, &default) {
            Ok(name) => name,
            Err(invalid) => {
                for violation in invalid.violations {
                    checker.violation(violation.field, violation.description);
                }
                String::new()
            }
        };
        if let Some(reranking) = &terms.reranking {
            validate::reranking(&mut checker, "reranking", reranking);
        }
        if !terms.rule_set.is_empty() {
            checker.known_id(|| "rule_set".into(), &terms.rule_set);
        }
        checker.finish()?;
        Ok(Query {
            basis,
            n,
            algorithm,
            by_default,
            filter,
            explain: terms.explain,
            exclude_purchased: false,
            anonymous_fallback: false,
            reranking: terms.reranking.filter(reorders),
            rule_set: terms.rule_set,
            required: self.engine.required(&terms.tokens)?,
            answer_id: Uuid::new_v4(),
            version: None,
            draw: None,
        })
    }
}

fn check_items(checker: &mut Checker, field: &str, items: &[String]) {
    checker.count(|| field.into(), items.len(), limits::SESSION_ITEMS);
    for (index, item_id) in items.iter().enumerate().take(limits::SESSION_ITEMS) {
        checker.known_id(|| format!("{field}[{index}]"), item_id);
    }
}

/// Whether a reranking wants anything beside relevance.
pub(super) fn reorders(reranking: &Reranking) -> bool {
    let Reranking { max_relevance_loss, margin, stock, overstock, diversity } = *reranking;
    max_relevance_loss > 0.0 && [margin, stock, overstock, diversity].iter().any(|goal| *goal > 0.0)
}
