use super::*;
use crate::{control::Unattended, stats::random::Random};

/// Vectors around random centres, a few of them without direction.
fn clustered(rows: usize, dimensions: usize, centres: u64, seed: u64) -> Vec<f32> {
    let mut values = Vec::with_capacity(rows * dimensions);
    for row in 0..rows as u64 {
        let mut own = Random::new(seed, row);
        let mut centre = Random::new(seed + 1, own.next() % centres);
        let is_empty = row % 97 == 5;
        values.extend((0..dimensions).map(|_| {
            let value = centre.normal() + 0.5 * own.normal();
            if is_empty { 0.0 } else { value as f32 }
        }));
    }
    values
}

fn matrix(dimensions: usize, values: &[f32]) -> FactorMatrix<'_> {
    FactorMatrix::new(dimensions, [values]).expect("whole rows")
}

/// All neighbours of a source, best first, in plain loops.
fn plain(factors: &FactorMatrix<'_>, source: usize) -> Vec<(u32, f64)> {
    let dot = |left: &[f32], right: &[f32]| -> f64 {
        left.iter().zip(right).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
    };
    let own = factors.row(source);
    let mut found: Vec<(u32, f64)> = (0..factors.rows())
        .filter(|&target| target != source)
        .map(|target| {
            let other = factors.row(target);
            (target as u32, dot(own, other) / (dot(own, own) * dot(other, other)).sqrt())
        })
        .filter(|&(_, cosine)| cosine > 0.0)
        .collect();
    found.sort_by(|left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)));
    found
}

fn of(neighbours: &Neighbours, source: usize) -> (&[u32], &[f32]) {
    let range = neighbours.offsets[source] as usize..neighbours.offsets[source + 1] as usize;
    (&neighbours.targets[range.clone()], &neighbours.weights[range])
}

#[test]
fn all_pairs_are_those_of_plain_loops() {
    let mut values = clustered(700, 11, 9, 4);
    values[11 * 3] = f32::NAN;
    values[11 * 4] = f32::INFINITY;
    values[11 * 6..11 * 7].fill(1e-30);
    let factors = matrix(11, &values);
    let found = nearest(&factors, 0..700, 20, &Unattended).expect("never cancelled");
    for source in 0..700 {
        let (targets, cosines) = of(&found, source);
        let own = factors.row(source);
        if own.iter().all(|&value| value == 0.0) || own.iter().any(|value| !value.is_finite()) {
            assert!(targets.is_empty());
            continue;
        }
        let expected = plain(&factors, source);
        assert_eq!(targets.len(), 20.min(expected.len()));
        for ((&target, &cosine), (_, best)) in targets.iter().zip(cosines).zip(&expected) {
            let own = expected.iter().find(|(row, _)| *row == target);
            assert!(own.is_some_and(|(_, own)| (f64::from(cosine) - own).abs() < 1e-6));
            assert!((f64::from(cosine) - best).abs() < 1e-6);
        }
    }
    let none = nearest(&factors, 0..700, 0, &Unattended).expect("never cancelled");
    assert!(none.targets.is_empty());
    assert_eq!(none.offsets.len(), 701);
}

#[test]
fn equal_cosines_go_by_row() {
    let values = [[1.0, 0.0], [2.0, 0.0], [-1.0, 0.0], [4.0, 0.0], [0.0, 1.0], [0.5, 0.0]].concat();
    let factors = matrix(2, &values);
    let found = nearest(&factors, 1..3, 2, &Unattended).expect("never cancelled");
    assert_eq!(
        (of(&found, 0), of(&found, 1)),
        ((&[0, 3][..], &[1.0, 1.0][..]), (&[][..], &[][..]))
    );
}

#[test]
fn lists_find_nearly_all_and_any_split_gives_the_same_bits() {
    let values = clustered(6_000, 24, 300, 8);
    let factors = matrix(24, &values);
    let units = Units::new(&factors, &Unattended).expect("never cancelled");
    let lists = Lists::new(&units, &Unattended).expect("never cancelled");
    let exact = best::collect(&units.nearest(0..6_000, 10, &Unattended).expect("never cancelled"));
    let directions = Directions(Method::Lists(lists));
    let found = directions.nearest(0..6_000, 10, &Unattended).expect("never cancelled");
    let (mut hits, mut all) = (0, 0);
    for source in 0..6_000 {
        let (expected, targets) = (of(&exact, source).0, of(&found, source).0);
        hits += expected.iter().filter(|target| targets.contains(target)).count();
        all += expected.len();
    }
    assert!(hits as f64 >= 0.95 * all as f64, "{hits} of {all}");
    assert!(all > 50_000);

    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().expect("three threads");
    let mut split = Neighbours { offsets: vec![0], ..Neighbours::default() };
    for sources in [0..1, 1..2_500, 2_500..2_501, 2_501..6_000] {
        let part = pool.install(|| {
            let lists = Lists::new(&units, &Unattended).expect("never cancelled");
            Directions(Method::Lists(lists)).nearest(sources, 10, &Unattended)
        });
        let part = part.expect("never cancelled");
        let start = split.targets.len() as u64;
        split.offsets.extend(part.offsets[1..].iter().map(|end| start + end));
        split.targets.extend(part.targets);
        split.weights.extend(part.weights);
    }
    assert_eq!(split, found);
}
