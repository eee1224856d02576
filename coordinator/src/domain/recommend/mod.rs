//! Recommendations: a profile from one shard, scores from all of them.

mod attribution;
mod error;
mod experiment;
mod merge;
mod popular;
mod reasons;
mod request;
mod rerank;
mod similar_users;

use std::sync::Arc;

use mercer_common::{
    clock::SharedClock,
    limits,
    manifest::algorithms,
    rpc::Deadline,
    slot::{ShardId, Subject},
};
use mercer_proto::{
    internal::{GetProfileRequest, GetProfileResponse, PartialRecommendRequest, VersionManifest},
    v1::{Filter, RecommendResponse, Reranking},
};
use uuid::Uuid;

use crate::{
    ask::{
        AskError, CallError, Choice, Course, Engine, Required, Restart, Verdict, algorithm, any,
        judge, owner, reserve,
    },
    cluster::membership::Routes,
    domain::experiment::{Draw, Experiments},
    ingest::Ingest,
};
pub(crate) use error::RecommendError;

/// Recommends items, and tells what sells most and who is like whom.
pub(crate) struct Recommender {
    pub(crate) engine: Engine,
    pub(crate) clock: SharedClock,
    pub(crate) default_algorithm: String,
    pub(crate) experiments: Arc<Experiments>,
    /// Logs what users of experiments are shown.
    pub(crate) ingest: Arc<Ingest>,
}

/// A checked call.
#[derive(Clone, Debug)]
struct Query {
    basis: Basis,
    n: u32,
    algorithm: String,
    /// The caller left it open: it is the best that is there.
    by_default: bool,
    filter: Option<Filter>,
    explain: bool,
    exclude_purchased: bool,
    anonymous_fallback: bool,
    reranking: Option<Reranking>,
    rule_set: String,
    required: Required,
    /// Names the answer in its attribution token.
    answer_id: Uuid,
    /// A version that is kept, instead of the current one.
    version: Option<String>,
    /// How the last place is filled.
    draw: Option<Draw>,
}

/// What a recommendation goes by: a user, what they look at, or an item.
#[derive(Clone, Debug)]
enum Basis {
    User {
        user_id: String,
        session_items: Vec<String>,
    },
    /// Items alone; of the items there may be none.
    Session {
        items: Vec<String>,
    },
    /// What goes with a basket, for a user if the id is not empty.
    Basket {
        user_id: String,
        items: Vec<String>,
    },
    Item {
        item_id: String,
    },
}

/// A call that has to begin again, or ends.
enum Failure {
    Restart(Restart),
    End(RecommendError),
}

impl<E: Into<RecommendError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::End(error.into())
    }
}

impl Query {
    /// Results to ask workers for: more of them when they will be reordered or drawn from.
    fn wanted(&self) -> u32 {
        let reach = self.n.max((4 * self.n).min(limits::RERANKED));
        match (self.reranking, self.draw) {
            (None, None) => self.n,
            // Whether another item might have stood in the last place.
            (None, Some(draw)) if !draw.explores() => reach.min(self.n + 1),
            _ => reach,
        }
    }

    /// What a worker is asked about its shards.
    fn partial_request(
        &self,
        shards: &[ShardId],
        profile: &GetProfileResponse,
        version: &str,
        now_ms: i64,
    ) -> PartialRecommendRequest {
        PartialRecommendRequest {
            shards: self.required.at_all(shards),
            version: version.to_owned(),
            algorithm: self.algorithm.clone(),
            sources: profile.sources.clone(),
            excluded_rows: profile.excluded_rows.clone(),
            excluded_ids: profile.excluded_ids.clone(),
            filter: self.filter.clone(),
            n: self.wanted(),
            explain: self.explain,
            categories: profile.categories.clone(),
            now_ms,
            rule_set: self.rule_set.clone(),
            rerank_facts: self.reranking.is_some(),
        }
    }
}

impl Recommender {
    /// Answers a checked call.
    async fn run(
        &self,
        query: &Query,
        deadline: Deadline,
    ) -> Result<RecommendResponse, RecommendError> {
        let mut course = Course::default();
        loop {
            let choice = self.choose(query, &course)?;
            let algorithm = match &choice {
                Choice { damaged: None, .. } => query.algorithm.clone(),
                Choice { manifest: Some(before), .. } => self.algorithm_of(query, before),
                Choice { manifest: None, .. } => algorithm::POPULAR.to_owned(),
            };
            let attempt = Query { algorithm, ..query.clone() };
            match self.attempt(&attempt, &choice, deadline).await {
                Ok(mut response) => {
                    response.fallback_reason = choice.fallback_reason();
                    return Ok(response);
                }
                Err(Failure::End(error)) => return Err(error),
                // Placement or version moved on in the middle of the call, or the version is
                // damaged: once more from the start.
                Err(Failure::Restart(why)) => {
                    course.begin_again(&self.engine.versions, choice.version(), why)?;
                }
            }
        }
    }

    /// What to answer from: the version that serves, or the one that the query names.
    fn choose(&self, query: &Query, course: &Course) -> Result<Choice, RecommendError> {
        let wanted = match &query.version {
            None => self.engine.versions.current(),
            Some(version) => Some(
                self.engine
                    .versions
                    .find(version)
                    .ok_or_else(|| RecommendError::VersionNotKept { version: version.clone() })?,
            ),
        };
        // A version of nothing but results by item is none here.
        let has_models = |manifest: &VersionManifest| !manifest.model_sets.is_empty();
        let wanted = wanted.filter(|manifest| has_models(manifest));
        Ok(course.choose(&self.engine.versions, wanted, |before| {
            let algorithm = self.algorithm_of(query, before);
            has_models(before) && check_trained(&algorithm, Some(before)).is_ok()
        }))
    }

    /// What a version that was not thought of is asked for.
    fn algorithm_of(&self, query: &Query, manifest: &VersionManifest) -> String {
        if query.by_default {
            algorithm::by_default(&self.default_algorithm, Some(manifest))
        } else {
            query.algorithm.clone()
        }
    }

    /// One run of a call with one placement and one version.
    async fn attempt(
        &self,
        query: &Query,
        choice: &Choice,
        deadline: Deadline,
    ) -> Result<RecommendResponse, Failure> {
        let routes = self.engine.fanout.routes()?;
        check_trained(&query.algorithm, choice.manifest.as_deref())?;
        let version = choice.version().to_owned();

        let (profile, anonymous) = self.any_profile(query, &routes, &version, deadline).await?;
        if let Basis::Item { item_id } = &query.basis
            && !profile.known
        {
            return Err(RecommendError::UnknownItem { item_id: item_id.clone() }.into());
        }

        let now_ms = self.clock.now_ms();
        let fanout = &self.engine.fanout;
        let parts = fanout
            .ask_all(
                &routes,
                reserve(deadline),
                |shards| query.partial_request(shards, &profile, &version, now_ms),
                |mut client, request| async move { client.recommend(request).await },
            )
            .await;
        let asked = routes.placement.owners().len();
        let covered = match judge(asked, parts, |answer| &answer.answered)? {
            Verdict::Answer(covered) => covered,
            Verdict::Restart(why) => return Err(Failure::Restart(why)),
        };

        let token = self.engine.token(profile.position.iter().chain(&covered.positions));
        let full_scan = covered.answers.iter().all(|answer| answer.full_scan);
        let merged = merge::recommendations(covered.answers, query.wanted() as usize);
        let beyond =
            query.draw.map(|draw| (draw, merged.iter().map(|(item, _)| item.clone()).collect()));
        let (mut items, relevance_loss) = rerank::order(merged, query).await;
        if let Some((draw, ranked)) = beyond {
            experiment::fill_last_place(&mut items, ranked, query.n as usize, draw);
        }
        if query.explain {
            reasons::date_reasons(
                &mut items,
                &profile.past,
                &self.engine.identity.context.time_zone,
            );
            self.name_reasons(&mut items, &routes, &query.required, deadline).await;
        }
        let known_user = matches!(&query.basis, Basis::User { .. } | Basis::Basket { .. })
            && profile.known
            && !anonymous;
        Ok(RecommendResponse {
            items,
            coverage: covered.coverage,
            user_known: known_user,
            unknown_session_items: profile.unknown_session_items,
            token,
            attribution_token: attribution::issue(
                &version,
                &query.algorithm,
                now_ms,
                query.answer_id,
            ),
            version,
            algorithm: query.algorithm.clone(),
            full_scan,
            anonymous,
            relevance_loss,
            arm_id: String::new(),
            fallback_reason: String::new(),
        })
    }

    /// The profile of the basis; that of nobody, and true, when the user's shard is missing and
    /// the caller puts up with it.
    async fn any_profile(
        &self,
        query: &Query,
        routes: &Routes,
        version: &str,
        deadline: Deadline,
    ) -> Result<(GetProfileResponse, bool), Failure> {
        let (shard, message) = self.profile_request(query, &query.basis, routes, version);
        if !query.anonymous_fallback {
            let profile = self.profile(routes, shard, message, deadline).await?;
            return Ok((profile, false));
        }
        // A worker that does not answer must leave time to do without it.
        let first = Deadline::after(deadline.remaining() / 2);
        match self.profile(routes, shard, message, first).await {
            Err(Failure::End(RecommendError::Ask(AskError::ShardUnavailable {
                shard,
                worker_id,
                reason,
            }))) => {
                let mut shards = 0..self.engine.identity.layout().shards();
                let Some(another) = shards.find(|shard| {
                    routes.owner(*shard).is_ok_and(|target| target.worker_id != worker_id)
                }) else {
                    return Err(AskError::ShardUnavailable { shard, worker_id, reason }.into());
                };
                let items = match &query.basis {
                    Basis::User { session_items, .. } => session_items.clone(),
                    _ => Vec::new(),
                };
                let nobody = Basis::Session { items };
                let (_, message) = self.profile_request(query, &nobody, routes, version);
                let position = Some(query.required.at(another));
                let message = GetProfileRequest { shard: position, ..message };
                Ok((self.profile(routes, another, message, deadline).await?, true))
            }
            profile => Ok((profile?, false)),
        }
    }

    /// What to ask for a profile, and the shard that knows: the one of the user or item, any one
    /// for a session alone.
    fn profile_request(
        &self,
        query: &Query,
        basis: &Basis,
        routes: &Routes,
        version: &str,
    ) -> (ShardId, GetProfileRequest) {
        let layout = self.engine.identity.layout();
        let mut message = GetProfileRequest {
            version: version.to_owned(),
            algorithm: query.algorithm.clone(),
            exclude_purchased: query.exclude_purchased,
            explain: query.explain,
            ..Default::default()
        };
        // Every worker can do it; spread the work by the items.
        let spread = |items: &[String]| {
            let preferred = items.first().map_or(0, |first| layout.shard_of(Subject::Item, first));
            any(routes, preferred)
        };
        let shard = match basis {
            Basis::User { user_id, session_items } => {
                message.user_id.clone_from(user_id);
                message.session_items.clone_from(session_items);
                layout.shard_of(Subject::User, user_id)
            }
            Basis::Basket { user_id, items } => {
                message.user_id.clone_from(user_id);
                message.session_items.clone_from(items);
                message.basket = true;
                match user_id.as_str() {
                    "" => spread(items),
                    user_id => layout.shard_of(Subject::User, user_id),
                }
            }
            Basis::Item { item_id } => {
                message.similar_item.clone_from(item_id);
                layout.shard_of(Subject::Item, item_id)
            }
            Basis::Session { items } => {
                message.session_items.clone_from(items);
                spread(items)
            }
        };
        message.shard = Some(query.required.at(shard));
        (shard, message)
    }

    async fn profile(
        &self,
        routes: &Routes,
        shard: ShardId,
        message: GetProfileRequest,
        deadline: Deadline,
    ) -> Result<GetProfileResponse, Failure> {
        let target = owner(routes, shard)?;
        let profile = self
            .engine
            .fanout
            .ask(target, reserve(deadline), message, |mut client, request| async move {
                client.get_profile(request).await
            })
            .await;
        profile.map_err(|error| match error {
            CallError::Restart(why) => Failure::Restart(why),
            error => error.for_shard(shard, &target.worker_id).into(),
        })
    }
}

/// A version must have the algorithm that is asked for. Before the first training there is none,
/// and what sells most answers.
fn check_trained(algorithm: &str, manifest: Option<&VersionManifest>) -> Result<(), AskError> {
    let Some(manifest) = manifest else { return Ok(()) };
    let trained = algorithms(manifest);
    if algorithm == algorithm::POPULAR || trained.contains(&algorithm) {
        return Ok(());
    }
    Err(AskError::NotTrained {
        algorithm: algorithm.to_owned(),
        version: manifest.version.clone(),
        trained: trained.join(", "),
    })
}
