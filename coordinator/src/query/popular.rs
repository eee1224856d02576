//! What sells most.

use mercer_common::{ids::Checker, limits, rpc::Deadline};
use mercer_proto::{
    internal::PartialPopularRequest,
    v1::{Note, PopularRequest, PopularResponse, note::Kind},
};

use super::{
    Queries,
    coverage::{Verdict, judge},
    error::QueryError,
    fanout::reserve,
    merge,
    token::Required,
};
use crate::validate;

impl Queries {
    pub(crate) async fn popular(
        &self,
        request: PopularRequest,
        deadline: Deadline,
    ) -> Result<PopularResponse, QueryError> {
        let mut checker = Checker::default();
        let n = check_n(&mut checker, request.n);
        let currency = &self.identity.cluster.currency;
        let filter =
            validate::filters(&mut checker, request.filter, &request.filter_expression, currency);
        let location_id = request.location_id;
        if !location_id.is_empty() {
            checker.known_location(|| "location_id".into(), &location_id);
        }
        checker.finish()?;
        let required = self.required(&request.tokens)?;
        let asked = PartialPopularRequest { filter, n, location_id, ..Default::default() };
        let by_units = !asked.location_id.is_empty();
        let purchases = self.ask_popular(&asked, &required, deadline).await?;
        let nothing_sold = purchases.items.iter().all(|item| item.popularity == 0);
        // Where no item is listed, nothing is said of what was sold.
        if by_units || purchases.items.is_empty() || !nothing_sold {
            return Ok(purchases);
        }
        let current = self.versions.current().unwrap_or_default();
        let (answer, message) = match current.model_sets.is_empty() {
            true => (purchases, WITHOUT_TRAINING.to_owned()),
            false => {
                let trained = PartialPopularRequest { version: current.version.clone(), ..asked };
                (
                    self.ask_popular(&trained, &required, deadline).await?,
                    by_events(&current.version),
                )
            }
        };
        let note = Note { kind: Kind::Explanation.into(), field: "popularity".into(), message };
        Ok(PopularResponse { notes: vec![note], ..answer })
    }

    async fn ask_popular(
        &self,
        asked: &PartialPopularRequest,
        required: &Required,
        deadline: Deadline,
    ) -> Result<PopularResponse, QueryError> {
        let mut restarted = false;
        let covered = loop {
            let routes = self.fanout.routes()?;
            let message = |shards: &[_]| PartialPopularRequest {
                shards: required.at_all(shards),
                ..asked.clone()
            };
            let parts = self
                .fanout
                .ask_all(&routes, reserve(deadline), message, |mut client, request| async move {
                    client.popular(request).await
                })
                .await;
            match judge(routes.placement.owners().len(), parts, |answer| &answer.answered)? {
                Verdict::Answer(covered) => break covered,
                Verdict::Restart(_) if !restarted => restarted = true,
                Verdict::Restart(restart) => return Err(restart.into_error()),
            }
        };
        let parts = covered.answers.into_iter().map(|answer| answer.items);
        Ok(PopularResponse {
            items: merge::popular(parts, !asked.location_id.is_empty(), asked.n as usize),
            coverage: covered.coverage,
            token: self.token(&covered.positions),
            notes: Vec::new(),
        })
    }
}

/// What an untrained shop without purchases is told.
const WITHOUT_TRAINING: &str = "Nothing has been purchased, so that all items count 0; after a \
                                training popularity goes by the other events.";

fn by_events(version: &str) -> String {
    format!(
        "Nothing has been purchased: popularity counts the distinct days of users with any other \
         event at the item, as of the training of {version}."
    )
}

/// The number of results: 10 unless named, at most 1,000.
pub(crate) fn check_n(checker: &mut Checker, n: u32) -> u32 {
    if n > limits::RESULTS {
        checker.violation("n", format!("is {n}; at most {} are allowed", limits::RESULTS));
    }
    if n == 0 { limits::DEFAULT_RESULTS } else { n }
}
