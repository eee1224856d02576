//! Recommendations: a profile from one shard, scores from all of them.

use std::sync::Arc;

use mercer_common::{
    ids::Checker,
    limits,
    manifest::algorithms,
    rpc::Deadline,
    slot::{Kind, ShardId},
    token::Token,
};
use mercer_proto::{
    internal::{GetProfileRequest, GetProfileResponse, PartialRecommendRequest, VersionManifest},
    v1::{Filter, RecommendRequest, RecommendResponse, SeenPolicy, SimilarItemsRequest},
};

use super::{
    Queries, algorithm, attribution,
    coverage::{Verdict, judge},
    error::QueryError,
    fanout::{CallError, any, owner, reserve},
    merge,
    popular::check_n,
    token::{self, Required},
};
use crate::{cluster::membership::Routes, validate};

/// A checked call of either RPC.
#[derive(Debug)]
struct Query {
    subject: Subject,
    n: u32,
    algorithm: String,
    filter: Option<Filter>,
    explain: bool,
    exclude_purchased: bool,
    required: Required,
}

/// For whom or what.
#[derive(Debug)]
enum Subject {
    User { user_id: String, session_items: Vec<String> },
    Session { items: Vec<String> },
    Item { item_id: String },
}

/// A call that has to begin again, or ends.
enum Failure {
    Restart(String),
    End(QueryError),
}

impl<E: Into<QueryError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::End(error.into())
    }
}

impl Queries {
    pub(crate) async fn recommend(
        &self,
        request: RecommendRequest,
        deadline: Deadline,
    ) -> Result<RecommendResponse, QueryError> {
        let mut checker = Checker::default();
        if !request.user_id.is_empty() {
            checker.id(|| "user_id".into(), &request.user_id);
        } else if request.session_items.is_empty() {
            checker.violation("user_id", "must be set unless session_items are");
        }
        let session = &request.session_items;
        checker.count(|| "session_items".into(), session.len(), limits::SESSION_ITEMS);
        for (index, item_id) in session.iter().enumerate().take(limits::SESSION_ITEMS) {
            checker.id(|| format!("session_items[{index}]"), item_id);
        }
        if SeenPolicy::try_from(request.seen).is_err() {
            checker.violation("seen", format!("{} is not a seen policy", request.seen));
        }
        let exclude_purchased = request.seen() != SeenPolicy::Include;
        let subject = if request.user_id.is_empty() {
            Subject::Session { items: request.session_items }
        } else {
            Subject::User { user_id: request.user_id, session_items: request.session_items }
        };
        let query = Query {
            subject,
            n: check_n(&mut checker, request.n),
            algorithm: request.algorithm,
            filter: request.filter,
            explain: request.explain,
            exclude_purchased,
            required: Required::default(),
        };
        self.answer(query, checker, &request.tokens, deadline).await
    }

    pub(crate) async fn similar_items(
        &self,
        request: SimilarItemsRequest,
        deadline: Deadline,
    ) -> Result<RecommendResponse, QueryError> {
        let mut checker = Checker::default();
        checker.id(|| "item_id".into(), &request.item_id);
        let query = Query {
            subject: Subject::Item { item_id: request.item_id },
            n: check_n(&mut checker, request.n),
            algorithm: request.algorithm,
            filter: request.filter,
            explain: false,
            exclude_purchased: false,
            required: Required::default(),
        };
        self.answer(query, checker, &request.tokens, deadline).await
    }

    async fn answer(
        &self,
        mut query: Query,
        mut checker: Checker,
        tokens: &[String],
        deadline: Deadline,
    ) -> Result<RecommendResponse, QueryError> {
        let currency = &self.identity.cluster.currency;
        validate::filter(&mut checker, "filter", query.filter.as_ref(), currency);
        match algorithm::resolve(&query.algorithm, &self.default_algorithm) {
            Ok(name) => query.algorithm = name,
            Err(invalid) => {
                for violation in invalid.violations {
                    checker.violation(violation.field, violation.description);
                }
            }
        }
        checker.finish()?;
        query.required = self.required(tokens)?;
        match self.attempt(&query, deadline).await {
            Ok(response) => Ok(response),
            Err(Failure::End(error)) => Err(error),
            // Placement or version moved on in the middle of the call: once more from the start.
            Err(Failure::Restart(_)) => match self.attempt(&query, deadline).await {
                Ok(response) => Ok(response),
                Err(Failure::End(error)) => Err(error),
                Err(Failure::Restart(reason)) => Err(QueryError::Changed { reason }),
            },
        }
    }

    /// One run of a call with one placement and one version.
    async fn attempt(
        &self,
        query: &Query,
        deadline: Deadline,
    ) -> Result<RecommendResponse, Failure> {
        let routes = self.fanout.routes()?;
        // A version of nothing but results by item is none here.
        let manifest = self.versions.current().filter(|m| !m.model_sets.is_empty());
        check_trained(&query.algorithm, manifest.as_ref())?;
        let version = manifest.as_ref().map(|m| m.version.clone()).unwrap_or_default();

        let profile = self.profile(query, &routes, &version, deadline).await?;
        if let Subject::Item { item_id } = &query.subject
            && !profile.known
        {
            return Err(QueryError::UnknownItem { item_id: item_id.clone() }.into());
        }

        let now_ms = self.clock.now_ms();
        let message = |shards: &[ShardId]| PartialRecommendRequest {
            shards: query.required.at_all(shards),
            version: version.clone(),
            algorithm: query.algorithm.clone(),
            sources: profile.sources.clone(),
            now_ms,
            excluded_rows: profile.excluded_rows.clone(),
            excluded_ids: profile.excluded_ids.clone(),
            filter: query.filter.clone(),
            n: query.n,
            explain: query.explain,
            categories: profile.categories.clone(),
            ..Default::default()
        };
        let parts = self
            .fanout
            .ask_all(&routes, reserve(deadline), message, |mut client, request| async move {
                client.recommend(request).await
            })
            .await;
        let asked = routes.placement.owners().len();
        let covered = match judge(asked, parts, |answer| &answer.answered)? {
            Verdict::Answer(covered) => covered,
            Verdict::Restart(reason) => return Err(Failure::Restart(reason)),
        };

        let mut token = Token::default();
        token::advance(&mut token, profile.position.as_slice());
        token::advance(&mut token, &covered.positions);
        let parts = covered.answers.into_iter().map(|answer| answer.items);
        Ok(RecommendResponse {
            items: merge::recommendations(parts, query.n as usize),
            coverage: covered.coverage,
            user_known: matches!(query.subject, Subject::User { .. }) && profile.known,
            unknown_session_items: profile.unknown_session_items,
            token: token.encode(self.identity.incarnation()),
            attribution_token: attribution::issue(&version, &query.algorithm, self.clock.now_ms()),
            version,
            algorithm: query.algorithm.clone(),
            ..Default::default()
        })
    }

    /// Asks the shard of the user or item; any shard for a session alone.
    async fn profile(
        &self,
        query: &Query,
        routes: &Routes,
        version: &str,
        deadline: Deadline,
    ) -> Result<GetProfileResponse, Failure> {
        let layout = self.identity.layout();
        let mut message = GetProfileRequest {
            version: version.to_owned(),
            algorithm: query.algorithm.clone(),
            exclude_purchased: query.exclude_purchased,
            ..Default::default()
        };
        let shard = match &query.subject {
            Subject::User { user_id, session_items } => {
                message.user_id.clone_from(user_id);
                message.session_items.clone_from(session_items);
                layout.shard_of(Kind::User, user_id)
            }
            Subject::Item { item_id } => {
                message.similar_item.clone_from(item_id);
                layout.shard_of(Kind::Item, item_id)
            }
            Subject::Session { items } => {
                message.session_items.clone_from(items);
                // Every worker can do it; spread the work by the session.
                any(routes, layout.shard_of(Kind::Item, &items[0]))
            }
        };
        message.shard = Some(query.required.at(shard));
        let target = owner(routes, shard)?;
        let profile = self
            .fanout
            .ask(target, reserve(deadline), message, |mut client, request| async move {
                client.get_profile(request).await
            })
            .await;
        profile.map_err(|error| match error {
            CallError::Restart(reason) => Failure::Restart(reason),
            error => Failure::End(error.for_shard(shard, &target.worker_id)),
        })
    }
}

/// A version must have the algorithm that is asked for. Before the first training there is none,
/// and what sells most answers.
fn check_trained(
    algorithm: &str,
    manifest: Option<&Arc<VersionManifest>>,
) -> Result<(), QueryError> {
    let Some(manifest) = manifest else { return Ok(()) };
    let trained = algorithms(manifest);
    if algorithm == algorithm::POPULAR || trained.contains(&algorithm) {
        return Ok(());
    }
    Err(QueryError::NotTrained {
        algorithm: algorithm.to_owned(),
        version: manifest.version.clone(),
        trained: trained.join(", "),
    })
}
