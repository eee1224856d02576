//! A user's history as rows of a version, with what must not be recommended to them.

use std::{collections::HashMap, time::Instant};

use mercer_algorithms::recommend::profile::{self, HistoryEvent};
use mercer_common::{limits, rpc::status::InvalidRequest};
use mercer_proto::{
    internal::{GetProfileRequest, GetProfileResponse},
    v1::CategoryCondition,
};

use super::{ServeError, Serving, position};
use crate::{
    shard::{ItemHandle, ShardState, UserState},
    version::OpenSet,
};

/// Category paths that a profile names.
const CATEGORIES: usize = 3;
const SECONDS_PER_DAY: f64 = 86_400.0;

impl Serving {
    /// The profile of a user, a session, both, or one item.
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
        let shard = self.shard_at(request.shard, deadline).await?;
        let version = self.models(&request.version, &request.algorithm)?;
        let work = move || profile(&request, &shard.read(), version.as_deref());
        Ok(self.compute.serve(work).await?)
    }
}

fn profile(
    request: &GetProfileRequest,
    state: &ShardState,
    version: Option<&OpenSet>,
) -> GetProfileResponse {
    let mut response = GetProfileResponse { position: Some(position(state)), ..Default::default() };
    let mut excluded = Excluded { version, rows: Vec::new(), ids: Vec::new() };
    if !request.similar_item.is_empty() {
        let item = request.similar_item.as_str();
        response.known = state.item(item).is_some();
        excluded.add(item);
        if let Some(row) = version.and_then(|version| version.items().row(item)) {
            response.rows.push(row);
            response.weights.push(1.0);
        }
    } else {
        let user = state.user(&request.user_id);
        response.known = user.is_some();
        let handles = user.into_iter().flat_map(|user| {
            let purchased = if request.exclude_purchased { user.seen() } else { &[] };
            user.denied().iter().chain(purchased)
        });
        for &item in handles {
            excluded.add(state.interner().id(item));
        }
        if request.exclude_purchased {
            for item in &request.session_items {
                excluded.add(item);
            }
        }
        if let Some(version) = version {
            let weights = weights(user, &request.session_items, state, version);
            (response.rows, response.weights) = weights.into_iter().unzip();
            let unknown = |item: &&String| version.items().row(item).is_none();
            let unknown = request.session_items.iter().filter(unknown);
            response.unknown_session_items = unknown.cloned().collect();
        }
    }
    if let Some(version) = version {
        response.categories = categories(&response.rows, &response.weights, version);
    }
    (response.excluded_rows, response.excluded_ids) = excluded.finish();
    response
}

/// Items that must not be recommended: rows where the version has them, else ids.
struct Excluded<'a> {
    version: Option<&'a OpenSet>,
    rows: Vec<u32>,
    ids: Vec<String>,
}

impl Excluded<'_> {
    fn add(&mut self, item: &str) {
        match self.version.and_then(|version| version.items().row(item)) {
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

/// Rows with their signed weights, ascending. A session item counts like a purchase at the time
/// of the version's newest event.
fn weights(
    user: Option<&UserState>,
    session_items: &[String],
    state: &ShardState,
    version: &OpenSet,
) -> Vec<(u32, f32)> {
    let interner = state.interner();
    let window = user.map_or(&[][..], UserState::window);
    let as_of = f64::from(version.items().as_of());
    let mut events: Vec<HistoryEvent> = window
        .iter()
        .map(|entry| HistoryEvent {
            item: entry.item.0,
            kind: entry.event_type() as u8,
            age_days: (as_of - f64::from(entry.time)) / SECONDS_PER_DAY,
            value: entry.value(),
        })
        .collect();

    // Session items that the shard has not met are numbered after those that it has.
    let mut strangers: HashMap<&str, u32> = HashMap::new();
    let mut stranger_ids: Vec<&str> = Vec::new();
    let met = u32::try_from(interner.len()).unwrap_or(u32::MAX);
    for item in session_items {
        let number = interner.handle(item).map_or_else(
            || {
                *strangers.entry(item).or_insert_with(|| {
                    stranger_ids.push(item);
                    met.saturating_add(u32::try_from(stranger_ids.len() - 1).unwrap_or(u32::MAX))
                })
            },
            |handle| handle.0,
        );
        let kind = profile::PURCHASE;
        events.push(HistoryEvent { item: number, kind, age_days: 0.0, value: 1.0 });
    }

    let id = |number: u32| match number.checked_sub(met) {
        Some(stranger) => stranger_ids[stranger as usize],
        None => interner.id(ItemHandle(number)),
    };
    let mut rows: Vec<(u32, f32)> = profile::profile(&events, version.profile_spec())
        .into_iter()
        .filter_map(|(number, weight)| Some((version.items().row(id(number))?, weight)))
        .collect();
    rows.sort_unstable_by_key(|&(row, _)| row);
    rows
}

/// The category paths with the largest sums of positive weights, ties by path.
fn categories(rows: &[u32], weights: &[f32], version: &OpenSet) -> Vec<CategoryCondition> {
    let items = version.items();
    let mut sums: HashMap<u32, f64> = HashMap::new();
    for (&row, &weight) in rows.iter().zip(weights).filter(|&(_, weight)| *weight > 0.0) {
        *sums.entry(items.category(row)).or_default() += f64::from(weight);
    }
    let mut sums: Vec<(u32, f64)> =
        sums.into_iter().filter(|&(path, _)| items.category_path(path).len() > 0).collect();
    sums.sort_unstable_by(|(left, left_sum), (right, right_sum)| {
        let paths = || items.category_path(*left).cmp(items.category_path(*right));
        right_sum.total_cmp(left_sum).then_with(paths)
    });
    sums.truncate(CATEGORIES);
    let path = |path| items.category_path(path).map(str::to_owned).collect();
    sums.into_iter().map(|(sum, _)| CategoryCondition { path: path(sum) }).collect()
}
