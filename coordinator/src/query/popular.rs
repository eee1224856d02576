//! What sells most.

use mercer_common::{ids::Checker, limits, rpc::Deadline};
use mercer_proto::{
    internal::PartialPopularRequest,
    v1::{PopularRequest, PopularResponse},
};

use super::{
    Queries,
    coverage::{Verdict, judge},
    error::QueryError,
    fanout::reserve,
    merge,
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
        let mut restarted = false;
        let covered = loop {
            let routes = self.fanout.routes()?;
            let message = |shards: &[_]| PartialPopularRequest {
                shards: required.at_all(shards),
                filter: filter.clone(),
                n,
                location_id: location_id.clone(),
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
            items: merge::popular(parts, !location_id.is_empty(), n as usize),
            coverage: covered.coverage,
            token: self.token(&covered.positions),
        })
    }
}

/// The number of results: 10 unless named, at most 1,000.
pub(crate) fn check_n(checker: &mut Checker, n: u32) -> u32 {
    if n > limits::RESULTS {
        checker.violation("n", format!("is {n}; at most {} are allowed", limits::RESULTS));
    }
    if n == 0 { limits::DEFAULT_RESULTS } else { n }
}
