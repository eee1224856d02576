//! Workers of a shop without a network between.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use mercer_common::slot::{ShardLayout, Subject, compare};
use mercer_proto::{
    internal::{
        ClusterIdentity, GetProfileRequest, GetProfileResponse, Mutation, PartialRecommendRequest,
        Section, ShardPosition, VersionManifest, mutation,
    },
    v1::{RecommendRule, Recommendation, Source},
};

use super::reference::Question;
use crate::{
    compute::Compute,
    domain::recommend::{
        Recommender,
        training::{Bench, shop::Shop},
    },
    serve::Serving,
    shard::{
        Shard, Shards,
        apply::{Prepared, apply},
    },
    version::OpenVersions,
};

/// What a worker answers from.
pub(super) struct Worker {
    pub(super) serving: Arc<Serving>,
    pub(super) recommender: Recommender,
}

/// Workers that hold all shards of a shop, in one process.
pub(super) struct Cluster {
    pub(super) layout: ShardLayout,
    /// The shards and the worker that holds them.
    pub(super) workers: Vec<(Vec<u16>, Worker)>,
}

/// How a cluster is cut, and from which size of factors on it scores candidates only.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) shards: u16,
    pub(super) workers: u16,
    pub(super) scan_bytes: u64,
}

pub(super) fn deadline() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

pub(super) fn at(shards: &[u16]) -> Vec<ShardPosition> {
    shards.iter().map(|shard| ShardPosition { shard: (*shard).into(), sequence: 1 }).collect()
}

impl Cluster {
    /// Assigns the shards in turn.
    pub(super) fn new(
        shop: &Shop,
        shards: u16,
        workers: u16,
        bench: &Bench,
        version: &VersionManifest,
    ) -> Self {
        Self::shaped(shop, Shape { shards, workers, scan_bytes: 0 }, &[], bench, version)
    }

    /// The same with rules, which every shard knows.
    pub(super) fn shaped(
        shop: &Shop,
        shape: Shape,
        rules: &[RecommendRule],
        bench: &Bench,
        version: &VersionManifest,
    ) -> Self {
        let Shape { shards, workers, scan_bytes } = shape;
        let compute = Arc::new(Compute::new(2).expect("threads"));
        let layout = ShardLayout::new(shards);
        let mut assigned: Vec<(Vec<u16>, Arc<Shards>)> = Vec::new();
        assigned.resize_with(usize::from(workers), Default::default);
        for (index, mut state) in shop.states(shards).into_iter().enumerate() {
            let (ids, held) = &mut assigned[index % usize::from(workers)];
            ids.push(state.shard());
            if !rules.is_empty() {
                let mut section = Section::default();
                for rule in rules {
                    let kind = Some(mutation::Kind::SetRecommendRule(rule.clone()));
                    section.mutations.push(Mutation { kind });
                }
                let prepared = Prepared::new(layout, state.shard(), section).expect("sound rules");
                apply(&mut state, 2, prepared).expect("applies");
            }
            held.hold(Shard::serving(state));
        }
        let mut open = Vec::with_capacity(assigned.len());
        for (ids, held) in assigned {
            let worker = format!("worker-{shards}-{workers}-{}", ids[0]);
            let versions =
                OpenVersions::new(bench.store.clone(), &bench.store.folder().join(worker));
            if !version.version.is_empty() {
                versions.prepare(version.clone(), &ids).expect("opens");
            }
            let compute = Arc::clone(&compute);
            let serving = Arc::new(Serving::new(held, Arc::new(versions), compute));
            let cluster = ClusterIdentity { currency: "USD".into(), ..Default::default() };
            serving.join(cluster);
            let recommender = Recommender::new(Arc::clone(&serving), scan_bytes);
            open.push((ids, Worker { serving, recommender }));
        }
        Self { layout, workers: open }
    }

    /// The worker of a shard.
    pub(super) fn of(&self, kind: Subject, id: &str) -> (&Worker, ShardPosition) {
        let shard = self.layout.shard_of(kind, id);
        let worker = self.workers.iter().find(|(held, _)| held.contains(&shard));
        (&worker.expect("assigned").1, ShardPosition { shard: shard.into(), sequence: 1 })
    }

    pub(super) async fn recommend(
        &self,
        question: &Question,
        version: &str,
    ) -> Vec<Recommendation> {
        let profile = self.profile(question, version).await;
        self.score(question, version, profile).await
    }

    pub(super) async fn profile(&self, question: &Question, version: &str) -> GetProfileResponse {
        self.ask_profile(question, version, false).await
    }

    /// The session alone, as a basket.
    pub(super) async fn basket(&self, question: &Question, version: &str) -> GetProfileResponse {
        self.ask_profile(question, version, true).await
    }

    async fn ask_profile(
        &self,
        question: &Question,
        version: &str,
        basket: bool,
    ) -> GetProfileResponse {
        let (worker, shard) = self.of(Subject::User, &question.user);
        let request = GetProfileRequest {
            shard: Some(shard),
            version: version.to_owned(),
            user_id: question.user.clone(),
            session_items: question.session.clone(),
            exclude_purchased: question.exclude_purchased,
            algorithm: question.algorithm.to_owned(),
            basket,
            ..Default::default()
        };
        worker.recommender.get_profile(request, deadline()).await.expect("answers")
    }

    /// What a worker that holds these shards is asked.
    pub(super) fn request(
        &self,
        held: &[u16],
        question: &Question,
        version: &str,
        profile: &GetProfileResponse,
    ) -> PartialRecommendRequest {
        PartialRecommendRequest {
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
        }
    }

    pub(super) async fn score(
        &self,
        question: &Question,
        version: &str,
        profile: GetProfileResponse,
    ) -> Vec<Recommendation> {
        let mut merged = Vec::new();
        for (held, worker) in &self.workers {
            let request = self.request(held, question, version, &profile);
            let part = worker.recommender.recommend(request, deadline()).await.expect("answers");
            let mut answered: Vec<u32> = part.answered.iter().map(|one| one.shard).collect();
            answered.sort_unstable();
            assert_eq!(answered, held.iter().map(|&shard| shard.into()).collect::<Vec<u32>>());
            merged.extend(part.items);
        }
        // Included items stand with those of the algorithm.
        let place = |item: &Recommendation| match item.source() {
            Source::Rule => Source::Algorithm,
            source => source,
        };
        merged.sort_by(|left, right| {
            place(left)
                .cmp(&place(right))
                .then_with(|| right.score.total_cmp(&left.score))
                .then_with(|| compare(Subject::Item, &left.item_id, &right.item_id))
        });
        merged.truncate(question.n);
        // Only a worker that has a history item knows its title.
        for reason in merged.iter_mut().flat_map(|item| &mut item.reasons) {
            let title = format!("title of {}", reason.item_id);
            assert!(reason.title.is_empty() || reason.title == title);
            reason.title.clear();
        }
        merged
    }
}
