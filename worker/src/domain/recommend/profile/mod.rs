//! What a user's shard knows of who asks: the history as rows of a version, what every source of
//! the algorithm is asked with, and what must not be recommended.

mod history;
mod past;
mod queries;

use std::{collections::HashMap, sync::Arc, time::Instant};

use mercer_algorithms::recommend::profile::ProfileEntry;
use mercer_common::{limits, rpc::status::InvalidRequest};
use mercer_proto::{
    internal::{GetProfileRequest, GetProfileResponse},
    v1::{CategoryCondition, EventType},
};

use super::{Recommender, searches::Searches};
use crate::{
    serve::{ServeError, position},
    shard::{Shard, ShardState, UserState},
    version::OpenSet,
};
pub(super) use history::History;
use queries::Asker;

/// Category paths that a profile names.
const CATEGORIES: usize = 3;

impl Recommender {
    /// The profile of a user, a session, both, a basket, or one item.
    ///
    /// Session items that the version does not know are reported as unknown; without a version
    /// nobody here can tell.
    pub(crate) async fn get_profile(
        &self,
        request: GetProfileRequest,
        deadline: Instant,
    ) -> Result<GetProfileResponse, ServeError> {
        if request.session_items.len() > limits::SESSION_ITEMS {
            let limit = limits::SESSION_ITEMS;
            let description = format!("at most {limit} are allowed");
            return Err(InvalidRequest::field("session_items", description).into());
        }
        let shard = self.serving.shard_at(request.shard, deadline).await?;
        let set = self.models(&request.version, &request.algorithm)?;
        let searches = Arc::clone(&self.searches);
        let compute = self.serving.compute();
        compute.serve(move || profile(&request, &shard, set.as_deref(), &searches)).await?
    }
}

fn profile(
    request: &GetProfileRequest,
    shard: &Shard,
    set: Option<&OpenSet>,
    searches: &Searches,
) -> Result<GetProfileResponse, ServeError> {
    let state = shard.read();
    let mut response =
        GetProfileResponse { position: Some(position(&state)), ..Default::default() };
    let history = match request.similar_item.as_str() {
        "" => {
            let user = state.user(&request.user_id);
            response.known = user.is_some();
            let excluded = excluded(request, user, &state, set);
            (response.excluded_rows, response.excluded_ids) = excluded.finish();
            // Of a basket the user's past is no part.
            let user = user.filter(|_| !request.basket);
            if request.explain
                && let Some((user, set)) = user.zip(set)
            {
                response.past = past::past(user, &state, set);
            }
            set.map(|set| History::new(user, &request.session_items, &state, set))
        }
        item => {
            response.known = state.item(item).is_some();
            let mut excluded = Excluded::new(set);
            excluded.add(item);
            (response.excluded_rows, response.excluded_ids) = excluded.finish();
            set.map(|set| History::of_item(set.items().row(item)))
        }
    };
    drop(state);
    if let Some((set, history)) = set.zip(history) {
        let session = request.session_items.iter();
        let unknown = session.filter(|item| set.items().row(item).is_none());
        response.unknown_session_items = unknown.cloned().collect();
        response.categories = categories(&history.entries, set);
        let asker = Asker {
            version: &request.version,
            set,
            history: &history,
            own: &|users| match request.basket {
                true => None,
                false => users.find(shard.id(), &request.user_id),
            },
            searches,
        };
        response.sources = asker.queries(&request.algorithm)?;
    }
    Ok(response)
}

/// Denied, purchased, rated and session items, as far as the request excludes them. What was rated
/// is known as far back as the window reaches.
fn excluded<'a>(
    request: &GetProfileRequest,
    user: Option<&UserState>,
    state: &ShardState,
    set: Option<&'a OpenSet>,
) -> Excluded<'a> {
    let mut excluded = Excluded::new(set);
    let exclude_purchased = request.exclude_purchased && !request.basket;
    let handles = user.into_iter().flat_map(|user| {
        let purchased = if exclude_purchased { user.seen() } else { &[] };
        user.denied().iter().chain(purchased)
    });
    for &item in handles {
        excluded.add(state.interner().id(item));
    }
    if exclude_purchased {
        let window = user.map_or(&[][..], UserState::window);
        for rated in window.iter().filter(|entry| entry.event_type() == EventType::Rating) {
            excluded.add(state.interner().id(rated.item));
        }
    }
    if request.exclude_purchased || request.basket {
        for item in &request.session_items {
            excluded.add(item);
        }
    }
    excluded
}

/// Items that must not be recommended: rows where the version has them, else ids.
struct Excluded<'a> {
    set: Option<&'a OpenSet>,
    rows: Vec<u32>,
    ids: Vec<String>,
}

impl<'a> Excluded<'a> {
    fn new(set: Option<&'a OpenSet>) -> Self {
        Self { set, rows: Vec::new(), ids: Vec::new() }
    }

    fn add(&mut self, item: &str) {
        match self.set.and_then(|set| set.items().row(item)) {
            Some(row) => self.rows.push(row),
            None => self.ids.push(item.to_owned()),
        }
    }

    fn finish(mut self) -> (Vec<u32>, Vec<String>) {
        self.rows.sort_unstable();
        self.rows.dedup();
        self.ids.sort_unstable();
        self.ids.dedup();
        (self.rows, self.ids)
    }
}

/// The category paths with the largest sums of positive weights, ties by path.
fn categories(entries: &[ProfileEntry], set: &OpenSet) -> Vec<CategoryCondition> {
    let items = set.items();
    let mut sums: HashMap<u32, f64> = HashMap::new();
    for entry in entries.iter().filter(|entry| entry.weight > 0.0) {
        *sums.entry(items.category(entry.item)).or_default() += f64::from(entry.weight);
    }
    let mut sums: Vec<(u32, f64)> =
        sums.into_iter().filter(|&(path, _)| items.category_path(path).len() > 0).collect();
    sums.sort_unstable_by(|(left, left_sum), (right, right_sum)| {
        (right_sum.total_cmp(left_sum))
            .then_with(|| items.category_path(*left).cmp(items.category_path(*right)))
    });
    sums.truncate(CATEGORIES);
    let largest = sums.into_iter().map(|(path, _)| CategoryCondition {
        path: items.category_path(path).map(str::to_owned).collect(),
    });
    largest.collect()
}
