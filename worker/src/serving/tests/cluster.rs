//! Workers of a shop without a network between.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use mercer_common::slot::{Kind, ShardLayout, compare};
use mercer_proto::{
    internal::{
        ClusterIdentity, GetProfileRequest, GetProfileResponse, PartialRecommendRequest,
        ShardPosition, VersionManifest,
    },
    v1::Recommendation,
};

use super::{Serving, reference::Question};
use crate::{
    compute::Compute,
    shard::{Shard, Shards},
    training::tests::{Bench, shop::Shop},
    version::OpenVersions,
};

/// No factors are small enough.
const SCAN_BYTES: u64 = 0;

/// Workers that hold all shards of a shop, in one process.
pub(super) struct Cluster {
    pub(super) layout: ShardLayout,
    /// The shards and the worker that holds them.
    pub(super) workers: Vec<(Vec<u16>, Serving)>,
}

pub(super) fn deadline() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

pub(super) fn at(shards: &[u16]) -> Vec<ShardPosition> {
    shards.iter().map(|shard| ShardPosition { shard: (*shard).into(), sequence: 1 }).collect()
}

impl Cluster {
    /// Deals the shards in turn.
    pub(super) fn new(
        shop: &Shop,
        shards: u16,
        workers: u16,
        bench: &Bench,
        version: &VersionManifest,
    ) -> Self {
        let compute = Arc::new(Compute::new(2).expect("threads"));
        let mut dealt: Vec<(Vec<u16>, Arc<Shards>)> = Vec::new();
        dealt.resize_with(usize::from(workers), Default::default);
        for (index, state) in shop.states(shards).into_iter().enumerate() {
            let (ids, held) = &mut dealt[index % usize::from(workers)];
            ids.push(state.shard());
            held.hold(Shard::serving(state));
        }
        let open = |(ids, held): (Vec<u16>, Arc<Shards>)| {
            let worker = format!("worker-{shards}-{workers}-{}", ids[0]);
            let versions =
                OpenVersions::new(bench.store.clone(), &bench.store.folder().join(worker));
            if !version.version.is_empty() {
                versions.prepare(version.clone(), &ids).expect("opens");
            }
            let serving = Serving::new(held, Arc::new(versions), Arc::clone(&compute), SCAN_BYTES);
            let cluster = ClusterIdentity { currency: "USD".into(), ..Default::default() };
            serving.join(cluster);
            (ids, serving)
        };
        let workers = dealt.into_iter().map(open).collect();
        Self { layout: ShardLayout::new(shards), workers }
    }

    /// The worker of a shard.
    pub(super) fn of(&self, kind: Kind, id: &str) -> (&Serving, ShardPosition) {
        let shard = self.layout.shard_of(kind, id);
        let worker = self.workers.iter().find(|(held, _)| held.contains(&shard));
        (&worker.expect("dealt").1, ShardPosition { shard: shard.into(), sequence: 1 })
    }

    pub(super) async fn recommend(
        &self,
        question: &Question,
        version: &str,
    ) -> Vec<Recommendation> {
        let (worker, shard) = self.of(Kind::User, &question.user);
        let request = GetProfileRequest {
            shard: Some(shard),
            version: version.to_owned(),
            user_id: question.user.clone(),
            session_items: question.session.clone(),
            exclude_purchased: question.exclude_purchased,
            algorithm: question.algorithm.to_owned(),
            ..Default::default()
        };
        let profile = worker.get_profile(request, deadline()).await.expect("answers");
        self.score(question, version, profile).await
    }

    pub(super) async fn score(
        &self,
        question: &Question,
        version: &str,
        profile: GetProfileResponse,
    ) -> Vec<Recommendation> {
        let mut merged = Vec::new();
        for (held, worker) in &self.workers {
            let request = PartialRecommendRequest {
                shards: at(held),
                version: version.to_owned(),
                algorithm: question.algorithm.to_owned(),
                sources: profile.sources.clone(),
                excluded_rows: profile.excluded_rows.clone(),
                excluded_ids: profile.excluded_ids.clone(),
                filter: question.filter.clone(),
                n: question.n as u32,
                explain: true,
                categories: profile.categories.clone(),
                ..Default::default()
            };
            let part = worker.recommend(request, deadline()).await.expect("answers");
            let mut answered: Vec<u32> = part.answered.iter().map(|one| one.shard).collect();
            answered.sort_unstable();
            assert_eq!(answered, held.iter().map(|&shard| shard.into()).collect::<Vec<u32>>());
            merged.extend(part.items);
        }
        merged.sort_by(|left, right| {
            let by_score = || right.score.total_cmp(&left.score);
            let by_id = || compare(Kind::Item, &left.item_id, &right.item_id);
            left.source.cmp(&right.source).then_with(by_score).then_with(by_id)
        });
        merged.truncate(question.n);
        merged
    }
}
