//! Decisions of a fake worker: they name what was asked.

use mercer_common::rpc::status::{Code, Describe, Description, to_message};
use mercer_proto::{
    internal::{
        Answer, ListDirectoryRequest, ListDirectoryResponse, ListShardPoliciesRequest,
        ListShardPoliciesResponse, Question, answer, list_directory_request::Part, question,
    },
    v1::{
        ElasticityResponse, ForecastDay, ForecastResponse, Location, PolicyResponse, PricePoint,
        PriceResponse, RecommendRule, Supplier,
    },
};

#[derive(Debug, thiserror::Error)]
#[error("item `{0}` is unknown")]
struct Unknown(String);

impl Describe for Unknown {
    fn describe(&self) -> Description {
        Description::new(Code::NotFound, "ITEM_NOT_FOUND")
    }
}

/// Items whose id begins with `no-` are unknown.
pub(super) fn answer(version: &str, question: Question) -> Answer {
    let version = version.to_owned();
    let kind = question.question.expect("a question");
    let item_id = match &kind {
        question::Question::Forecast(request) => &request.item_id,
        question::Question::Price(request) => &request.item_id,
        question::Question::Elasticity(request) => &request.item_id,
        question::Question::Policy(request) => &request.item_id,
    };
    let answer = if item_id.starts_with("no-") {
        answer::Answer::Error(to_message(&Unknown(item_id.clone()).to_status()))
    } else {
        let item_id = item_id.clone();
        match kind {
            question::Question::Forecast(request) => {
                let days = vec![ForecastDay::default(); request.horizon as usize];
                answer::Answer::Forecast(ForecastResponse {
                    item_id,
                    location_id: request.location_id,
                    version,
                    levels: request.quantiles,
                    days,
                    ..Default::default()
                })
            }
            question::Question::Price(request) => answer::Answer::Price(PriceResponse {
                item_id,
                version,
                objective: request.objective,
                demand_form: request.demand_form,
                unit_cost: request.unit_cost,
                curve: vec![PricePoint::default(); request.curve_points as usize],
                rule: request.rule,
                ..Default::default()
            }),
            question::Question::Elasticity(_) => answer::Answer::Elasticity(ElasticityResponse {
                item_id,
                version,
                ..Default::default()
            }),
            question::Question::Policy(request) => answer::Answer::Policy(PolicyResponse {
                item_id,
                version,
                terms: request.terms,
                ..Default::default()
            }),
        }
    };
    Answer { position: question.shard, answer: Some(answer) }
}

/// One policy an item, in order of ids.
pub(super) fn policies(
    items: &[(u32, String, f64)],
    request: &ListShardPoliciesRequest,
) -> ListShardPoliciesResponse {
    let shard = request.shard.expect("a shard").shard;
    let mut after: Vec<&String> = items
        .iter()
        .filter(|(one, id, _)| *one == shard && *id > request.after_id)
        .map(|(_, id, _)| id)
        .collect();
    after.sort();
    let more = after.len() > request.limit as usize;
    after.truncate(request.limit as usize);
    let next_after_id = after.last().filter(|_| more).map(ToString::to_string);
    let mut policies = Vec::new();
    for item_id in after {
        policies.push(PolicyResponse {
            item_id: item_id.clone(),
            version: request.version.clone(),
            ..Default::default()
        });
    }
    ListShardPoliciesResponse { policies, next_after_id: next_after_id.unwrap_or_default() }
}

/// Locations, suppliers and rules for recommendations `a` to `e`.
pub(super) fn directory(request: &ListDirectoryRequest) -> ListDirectoryResponse {
    let after: Vec<String> = ["a", "b", "c", "d", "e"]
        .into_iter()
        .filter(|id| *id > request.after_id.as_str())
        .map(String::from)
        .collect();
    let more = after.len() > request.limit as usize;
    let page = after.into_iter().take(request.limit as usize);
    let mut response = ListDirectoryResponse { more, ..Default::default() };
    match request.part() {
        Part::Locations => {
            for location_id in page {
                response.locations.push(Location { location_id, ..Default::default() });
            }
        }
        Part::Suppliers => {
            for supplier_id in page {
                response.suppliers.push(Supplier { supplier_id, ..Default::default() });
            }
        }
        Part::RecommendRules => {
            for rule_id in ["a", "b", "c", "d", "e"] {
                let rule = RecommendRule { rule_id: rule_id.into(), ..Default::default() };
                response.recommend_rules.push(rule);
            }
        }
        Part::PriceRules | Part::Unspecified => {}
    }
    response
}
