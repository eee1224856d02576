//! Users like a user: compared as they were trained, shown if they still exist.

use std::collections::BTreeSet;

use mercer_common::{
    ids::Checker,
    manifest::algorithms,
    rpc::Deadline,
    slot::{Kind, ShardId},
};
use mercer_proto::{
    internal::{KnownUsersRequest, SimilarShardUsersRequest},
    v1::{SimilarUsersRequest, SimilarUsersResponse},
};

use super::{
    Queries,
    coverage::{Verdict, judge},
    error::QueryError,
    fanout::reserve,
    popular::check_n,
};

/// Those that compare users, by preference.
const ALGORITHMS: [&str; 2] = ["user-cosine", "user-pearson"];

impl Queries {
    pub(crate) async fn similar_users(
        &self,
        request: SimilarUsersRequest,
        deadline: Deadline,
    ) -> Result<SimilarUsersResponse, QueryError> {
        let mut checker = Checker::default();
        checker.id(|| "user_id".into(), &request.user_id);
        let n = check_n(&mut checker, request.n);
        let named = request.algorithm.as_str();
        if !named.is_empty() && !ALGORITHMS.contains(&named) {
            let problem = format!("`{named:.64}` must be {}", ALGORITHMS.join(" or "));
            checker.violation("algorithm", problem);
        }
        checker.finish()?;
        let required = self.required(&request.tokens)?;
        let user_id = request.user_id;
        let shard = self.identity.layout().shard_of(Kind::User, &user_id);
        let mut restarted = false;
        loop {
            let (version, algorithm) = self.compares_users(named)?;
            let message = SimilarShardUsersRequest {
                shard: Some(required.at(shard)),
                version: version.clone(),
                algorithm: algorithm.to_owned(),
                user_id: user_id.clone(),
                // Some may be gone by now.
                n: n.saturating_mul(2),
            };
            let similar = self
                .fanout
                .ask_shard(shard, reserve(deadline), message, |mut client, request| async move {
                    client.similar_users(request).await
                })
                .await?;
            if !similar.known {
                return Err(QueryError::UnknownUser { user_id });
            }
            let routes = self.fanout.routes()?;
            let user_ids: Vec<String> =
                similar.users.iter().map(|user| user.user_id.clone()).collect();
            let message = |shards: &[ShardId]| KnownUsersRequest {
                shards: required.at_all(shards),
                user_ids: user_ids.clone(),
            };
            let parts = self
                .fanout
                .ask_all(&routes, reserve(deadline), message, |mut client, request| async move {
                    client.known_users(request).await
                })
                .await;
            let asked = routes.placement.owners().len();
            let covered = match judge(asked, parts, |answer| &answer.answered)? {
                Verdict::Answer(covered) => covered,
                Verdict::Restart(_) if !restarted => {
                    restarted = true;
                    continue;
                }
                Verdict::Restart(reason) => return Err(QueryError::Changed { reason }),
            };
            let token = self.token(similar.position.iter().chain(&covered.positions));
            let known: BTreeSet<String> =
                covered.answers.into_iter().flat_map(|answer| answer.user_ids).collect();
            let users = similar.users.into_iter().filter(|user| known.contains(&user.user_id));
            return Ok(SimilarUsersResponse {
                users: users.take(n as usize).collect(),
                version,
                algorithm: algorithm.to_owned(),
                token,
                coverage: covered.coverage,
            });
        }
    }

    /// The version that serves, and the algorithm in it: the one that is named, else the first
    /// that was trained.
    fn compares_users(&self, named: &str) -> Result<(String, &'static str), QueryError> {
        let wanted = || ALGORITHMS.into_iter().filter(|name| named.is_empty() || *name == named);
        let manifest = self.versions.current().filter(|m| !m.model_sets.is_empty());
        let Some(manifest) = manifest else {
            let kind = wanted().next().unwrap_or(ALGORITHMS[0]);
            return Err(QueryError::UntrainedKind { kind });
        };
        let trained = algorithms(&manifest);
        match wanted().find(|name| trained.contains(name)) {
            Some(name) => Ok((manifest.version.clone(), name)),
            None => Err(QueryError::NotTrained {
                algorithm: wanted().next().unwrap_or(ALGORITHMS[0]).to_owned(),
                version: manifest.version.clone(),
                trained: trained.join(", "),
            }),
        }
    }
}
