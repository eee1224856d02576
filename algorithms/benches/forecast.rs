//! Choice of a method and forecast of daily series of a year: one in four sells every day, the
//! others on some days.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mercer_algorithms::forecast::{Method, Options, forecast, train};

const DAYS: usize = 365;
const SERIES: usize = 64;

/// splitmix64
fn draw(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

fn series(number: usize) -> Vec<f64> {
    let mut state = number as u64;
    let probability = [1.0, 0.4, 0.15, 0.05][number % 4];
    let mut series = vec![0.0; DAYS];
    for (day, units) in series.iter_mut().enumerate() {
        if draw(&mut state) < probability {
            let weekday = 1.0 + (day % 7) as f64 / 4.0;
            *units = (weekday * (1.0 + 8.0 * draw(&mut state))).round();
        }
    }
    series
}

fn benchmarks(criterion: &mut Criterion) {
    let all: Vec<Vec<f64>> = (0..SERIES).map(series).collect();
    let options = Options { methods: Method::ALL.to_vec(), periods: vec![7], gap: 2, horizon: 56 };
    let mut group = criterion.benchmark_group("forecast");
    group.throughput(Throughput::Elements(SERIES as u64));
    group.bench_function("train", |bencher| {
        bencher.iter(|| {
            for series in &all {
                black_box(train(series, &options));
            }
        });
    });
    for method in [Method::WeekdayMean, Method::Ses, Method::Theta, Method::Tsb] {
        group.bench_function(method.name(), |bencher| {
            bencher.iter(|| {
                for series in &all {
                    black_box(forecast(method, series, 7, 56));
                }
            });
        });
    }
    group.finish();
}

criterion_group!(forecasts, benchmarks);
criterion_main!(forecasts);
