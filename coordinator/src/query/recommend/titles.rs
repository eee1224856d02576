//! Titles of the items that explanations name: history lies in other shards than the results.

use std::collections::{BTreeMap, BTreeSet};

use mercer_common::{rpc::Deadline, slot::ShardId};
use mercer_proto::{internal::TitlesRequest, v1::Recommendation};

use crate::{
    cluster::membership::Routes,
    query::{Queries, fanout::reserve, token::Required},
};

impl Queries {
    /// Fills in the titles of reasons. What no worker answers stays without: an explanation can be
    /// read without it.
    pub(super) async fn name_reasons(
        &self,
        items: &mut [Recommendation],
        routes: &Routes,
        required: &Required,
        deadline: Deadline,
    ) {
        let reasons = items.iter().flat_map(|item| &item.reasons);
        let ids: BTreeSet<&str> =
            reasons.map(|reason| reason.item_id.as_str()).filter(|id| !id.is_empty()).collect();
        if ids.is_empty() {
            return;
        }
        let item_ids: Vec<String> = ids.into_iter().map(str::to_owned).collect();
        let message = |shards: &[ShardId]| TitlesRequest {
            shards: required.at_all(shards),
            item_ids: item_ids.clone(),
        };
        let parts = self
            .fanout
            .ask_all(routes, reserve(deadline), message, |mut client, request| async move {
                client.titles(request).await
            })
            .await;
        let answers = parts.into_iter().filter_map(|part| part.outcome.ok());
        let titles: BTreeMap<String, String> = answers.flat_map(|answer| answer.titles).collect();
        for reason in items.iter_mut().flat_map(|item| &mut item.reasons) {
            if let Some(title) = titles.get(&reason.item_id) {
                reason.title.clone_from(title);
            }
        }
    }
}
