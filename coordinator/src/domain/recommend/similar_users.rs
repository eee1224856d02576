//! Users like a user: compared as they were trained, shown if they still exist.

use std::collections::BTreeSet;

use mercer_common::{ids::Checker, manifest::algorithms, rpc::Deadline, slot::Subject};
use mercer_proto::{
    internal::{KnownUsersRequest, SimilarShardUsersRequest, VersionManifest},
    v1::{SimilarUsersRequest, SimilarUsersResponse},
};

use super::{RecommendError, Recommender, popular::check_n};
use crate::ask::{AskError, CallError, Choice, Course, Verdict, judge, owner, reserve};

/// Those that compare users, by preference.
const ALGORITHMS: [&str; 2] = ["user-cosine", "user-pearson"];

impl Recommender {
    pub(crate) async fn similar_users(
        &self,
        request: SimilarUsersRequest,
        deadline: Deadline,
    ) -> Result<SimilarUsersResponse, RecommendError> {
        let mut checker = Checker::default();
        checker.known_id(|| "user_id".into(), &request.user_id);
        let n = check_n(&mut checker, request.n);
        let named = request.algorithm.as_str();
        if !named.is_empty() && !ALGORITHMS.contains(&named) {
            let problem = format!("`{named:.64}` must be {}", ALGORITHMS.join(" or "));
            checker.violation("algorithm", problem);
        }
        checker.finish()?;
        let required = self.engine.required(&request.tokens)?;
        let user_id = request.user_id;
        let shard = self.engine.identity.layout().shard_of(Subject::User, &user_id);
        let mut course = Course::default();
        loop {
            let (choice, algorithm) = self.compares_users(named, &course)?;
            let version = choice.version().to_owned();
            let routes = self.engine.fanout.routes()?;
            let message = SimilarShardUsersRequest {
                shard: Some(required.at(shard)),
                version: version.clone(),
                algorithm: algorithm.to_owned(),
                user_id: user_id.clone(),
                // Some may be gone by now.
                n: n.saturating_mul(2),
            };
            let target = owner(&routes, shard)?;
            let fanout = &self.engine.fanout;
            let similar = fanout
                .ask(target, reserve(deadline), message, |mut client, request| async move {
                    client.similar_users(request).await
                })
                .await;
            let similar = match similar {
                Ok(similar) => similar,
                Err(CallError::Restart(why)) => {
                    course.begin_again(&self.engine.versions, &version, why)?;
                    continue;
                }
                Err(error) => return Err(error.for_shard(shard, &target.worker_id).into()),
            };
            if !similar.known {
                return Err(RecommendError::UnknownUser { user_id });
            }
            let user_ids: Vec<String> =
                similar.users.iter().map(|user| user.user_id.clone()).collect();
            let parts = fanout
                .ask_all(
                    &routes,
                    reserve(deadline),
                    |shards| KnownUsersRequest {
                        shards: required.at_all(shards),
                        user_ids: user_ids.clone(),
                    },
                    |mut client, request| async move { client.known_users(request).await },
                )
                .await;
            let asked = routes.placement.owners().len();
            let covered = match judge(asked, parts, |answer| &answer.answered)? {
                Verdict::Answer(covered) => covered,
                Verdict::Restart(why) => {
                    course.begin_again(&self.engine.versions, &version, why)?;
                    continue;
                }
            };
            let token = self.engine.token(similar.position.iter().chain(&covered.positions));
            let known: BTreeSet<String> =
                covered.answers.into_iter().flat_map(|answer| answer.user_ids).collect();
            let users = similar.users.into_iter().filter(|user| known.contains(&user.user_id));
            return Ok(SimilarUsersResponse {
                users: users.take(n as usize).collect(),
                version,
                algorithm: algorithm.to_owned(),
                token,
                coverage: covered.coverage,
                fallback_reason: choice.fallback_reason(),
            });
        }
    }

    /// The version that answers, and the algorithm in it: the one that is named, else the first
    /// that was trained.
    fn compares_users(
        &self,
        named: &str,
        course: &Course,
    ) -> Result<(Choice, &'static str), AskError> {
        let wanted = || ALGORITHMS.into_iter().filter(|name| named.is_empty() || *name == named);
        let manifest = self.engine.versions.current().filter(|m| !m.model_sets.is_empty());
        let Some(manifest) = manifest else {
            let kind = wanted().next().unwrap_or(ALGORITHMS[0]);
            return Err(AskError::UntrainedKind { kind });
        };
        let compares = |manifest: &VersionManifest| {
            let trained = algorithms(manifest);
            wanted().find(|name| trained.contains(name))
        };
        if compares(&manifest).is_none() {
            return Err(AskError::NotTrained {
                algorithm: wanted().next().unwrap_or(ALGORITHMS[0]).to_owned(),
                version: manifest.version.clone(),
                trained: algorithms(&manifest).join(", "),
            });
        }
        let choice = course
            .choose(&self.engine.versions, Some(manifest), |before| compares(before).is_some());
        match choice.manifest.as_deref().and_then(compares) {
            Some(name) => Ok((choice, name)),
            None => Err(AskError::Damaged { reason: choice.fallback_reason() }),
        }
    }
}
