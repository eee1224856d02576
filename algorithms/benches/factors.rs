//! Matrix factorization of a synthetic catalogue with a long tail.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mercer_algorithms::{
    control::Unattended,
    recommend::{
        factors::{FactorMatrix, FactorSpec, fold_in, gramian, half_step, nearest, start},
        synthetic,
    },
};

const USERS: usize = 20_000;
const ITEMS: usize = 10_000;
const INTERACTIONS: usize = 400_000;

fn spec(dimensions: usize) -> FactorSpec {
    FactorSpec {
        dimensions,
        iterations: 1,
        unobserved_weight: 0.05,
        regularization: 0.005,
        frequency_exponent: 1.0,
        steps: 3,
        seed: 1,
        explicit: false,
    }
}

fn factorization(criterion: &mut Criterion) {
    let matrix = synthetic::power_law(USERS, ITEMS, INTERACTIONS, 0.8, 1);
    let users = matrix.view(ITEMS).expect("a valid matrix");

    let mut group = criterion.benchmark_group("half_step");
    group.sample_size(10).throughput(Throughput::Elements(users.entries() as u64));
    for dimensions in [64, 128, 256] {
        let spec = spec(dimensions);
        let factors = start(&spec, 0..ITEMS as u32);
        let items = FactorMatrix::new(dimensions, [factors.as_slice()]).expect("whole rows");
        let known = gramian(&items, &Unattended).expect("never cancelled");
        group.bench_function(BenchmarkId::from_parameter(dimensions), |bencher| {
            bencher.iter(|| half_step(&spec, &items, &known, black_box(&users), &[], &Unattended));
        });
    }
    group.finish();

    let spec = spec(64);
    let factors = start(&spec, 0..ITEMS as u32);
    let items = FactorMatrix::new(64, [factors.as_slice()]).expect("whole rows");
    let known = gramian(&items, &Unattended).expect("never cancelled");
    let rows: Vec<u32> = (0..50).map(|at| at * 180).collect();
    criterion.bench_function("fold_in/50_items", |bencher| {
        bencher.iter(|| fold_in(&spec, &items, &known, black_box(&rows), &[1.0; 50]));
    });
    let mut group = criterion.benchmark_group("nearest");
    group.sample_size(10).throughput(Throughput::Elements(ITEMS as u64));
    group.bench_function("all_pairs", |bencher| {
        bencher.iter(|| nearest(black_box(&items), 0..ITEMS as u32, 100, &Unattended));
    });
    group.finish();
}

criterion_group!(benches, factorization);
criterion_main!(benches);
