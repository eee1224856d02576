//! What sells most.

use mercer_common::{
    ids::Checker,
    limits,
    note::{Said, Text, note},
    rpc::Deadline,
};
use mercer_proto::{
    internal::PartialPopularRequest,
    v1::{PopularRequest, PopularResponse, note::Kind},
};

use super::{Recommender, merge};
use crate::{
    ask::{AskError, Required, Verdict, judge, reserve},
    validate,
};

impl Recommender {
    pub(crate) async fn popular(
        &self,
        request: PopularRequest,
        deadline: Deadline,
    ) -> Result<PopularResponse, AskError> {
        let mut checker = Checker::default();
        let n = check_n(&mut checker, request.n);
        let currency = &self.engine.identity.cluster.currency;
        let filter =
            validate::filters(&mut checker, request.filter, &request.filter_expression, currency);
        let location_id = request.location_id;
        if !location_id.is_empty() {
            checker.known_location(|| "location_id".into(), &location_id);
        }
        checker.finish()?;
        let required = self.engine.required(&request.tokens)?;
        let asked = PartialPopularRequest { filter, n, location_id, ..Default::default() };
        let by_units = !asked.location_id.is_empty();
        let purchases = self.ask_popular(&asked, &required, deadline).await?;
        let nothing_sold = purchases.items.iter().all(|item| item.popularity == 0);
        // Where no item is listed, nothing is said of what was sold.
        if by_units || purchases.items.is_empty() || !nothing_sold {
            return Ok(purchases);
        }
        let current = self.engine.versions.current().unwrap_or_default();
        let (answer, said) = match current.model_sets.is_empty() {
            true => (purchases, Said::NothingPurchased {}),
            false => {
                let version = current.version.clone();
                let trained = PartialPopularRequest { version: version.clone(), ..asked };
                let answer = self.ask_popular(&trained, &required, deadline).await?;
                (answer, Said::PopularByEvents { version: Text(version) })
            }
        };
        let notes = vec![note(Kind::Explanation, "popularity", said)];
        Ok(PopularResponse { notes, ..answer })
    }

    async fn ask_popular(
        &self,
        asked: &PartialPopularRequest,
        required: &Required,
        deadline: Deadline,
    ) -> Result<PopularResponse, AskError> {
        let mut restarted = false;
        let covered = loop {
            let routes = self.engine.fanout.routes()?;
            let fanout = &self.engine.fanout;
            let parts = fanout
                .ask_all(
                    &routes,
                    reserve(deadline),
                    |shards| PartialPopularRequest {
                        shards: required.at_all(shards),
                        ..asked.clone()
                    },
                    |mut client, request| async move { client.popular(request).await },
                )
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
            token: self.engine.token(&covered.positions),
            notes: Vec::new(),
        })
    }
}

/// The number of results: 10 unless named, at most 1,000.
pub(super) fn check_n(checker: &mut Checker, n: u32) -> u32 {
    if n > limits::RESULTS {
        checker.violation("n", format!("is {n}; at most {} are allowed", limits::RESULTS));
    }
    if n == 0 { limits::DEFAULT_RESULTS } else { n }
}
