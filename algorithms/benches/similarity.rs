//! Exact item neighbourhoods of a synthetic catalogue with a long tail.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mercer_algorithms::{
    control::Unattended,
    recommend::{
        popularity,
        postings::{NeighbourRows, regroup},
        score::{Profile, Scorer},
        similarity::{Similarity, SimilarityOptions, statistics, top_neighbours},
        synthetic,
    },
};

const USERS: usize = 20_000;
const ITEMS: usize = 10_000;
const INTERACTIONS: usize = 400_000;
const NEIGHBOURS: usize = 100;

fn neighbourhoods(criterion: &mut Criterion) {
    let matrix = synthetic::power_law(USERS, ITEMS, INTERACTIONS, 0.8, 1);
    let users = [matrix.view(ITEMS).expect("a valid matrix")];
    let known = statistics(&users, ITEMS, &Unattended).expect("never cancelled");
    let labels: Vec<u32> = (0..ITEMS as u32).collect();
    let work: u64 = matrix.offsets.windows(2).map(|pair| (pair[1] - pair[0]).pow(2)).sum();

    let mut group = criterion.benchmark_group("top_neighbours");
    group.sample_size(10).throughput(Throughput::Elements(work));
    for similarity in [Similarity::ItemCosine, Similarity::P3, Similarity::Bm25, Similarity::Llr] {
        group.bench_function(BenchmarkId::from_parameter(similarity), |bencher| {
            bencher.iter(|| {
                top_neighbours(
                    similarity,
                    &SimilarityOptions::default(),
                    black_box(&users),
                    &known,
                    &labels,
                    &labels,
                    NEIGHBOURS,
                    &Unattended,
                )
            });
        });
    }
    group.finish();

    let found = top_neighbours(
        Similarity::P3,
        &SimilarityOptions::default(),
        &users,
        &known,
        &labels,
        &popularity::inverse(&labels),
        NEIGHBOURS,
        &Unattended,
    )
    .expect("never cancelled");
    let postings = regroup(&[NeighbourRows::from(&found)], &labels, 0..ITEMS as u32, &Unattended)
        .expect("never cancelled");
    let view = postings.view().expect("regrouped postings are sound");
    let rows: Vec<u32> = (0..50).map(|at| at * 180).collect();
    let profile = Profile { rows: &rows, weights: &[1.0; 50] };
    let mut scorer = Scorer::default();
    criterion.bench_function("score/50_items", |bencher| {
        bencher.iter(|| scorer.score(view, black_box(profile)).take(10).last());
    });
}

criterion_group!(benches, neighbourhoods);
criterion_main!(benches);
