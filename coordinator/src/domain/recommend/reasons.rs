//! What explanations say of the items that they name: titles, from other shards than the results,
//! and what the user did with them and when, from the profile.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::tz::TimeZone;
use mercer_common::{
    rpc::Deadline,
    time::{Day, EventTime},
};
use mercer_proto::{
    internal::{PastEvent, TitlesRequest},
    v1::Recommendation,
};

use super::Recommender;
use crate::{
    ask::{Required, reserve},
    cluster::membership::Routes,
};

impl Recommender {
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
        let fanout = &self.engine.fanout;
        let parts = fanout
            .ask_all(
                routes,
                reserve(deadline),
                |shards| TitlesRequest {
                    shards: required.at_all(shards),
                    item_ids: item_ids.clone(),
                },
                |mut client, request| async move { client.titles(request).await },
            )
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

/// Fills in what the user did with the items of reasons, on days of `zone`.
pub(super) fn date_reasons(items: &mut [Recommendation], past: &[PastEvent], zone: &TimeZone) {
    let past: HashMap<&str, &PastEvent> =
        past.iter().map(|event| (event.item_id.as_str(), event)).collect();
    for reason in items.iter_mut().flat_map(|item| &mut item.reasons) {
        if let Some(event) = past.get(reason.item_id.as_str()) {
            reason.event_type = event.r#type;
            reason.event_date = Some(Day::of(EventTime(event.time), zone).to_api());
        }
    }
}
