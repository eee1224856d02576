use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{
    control::Unattended,
    linalg::sparse::CsrBuf,
    recommend::{
        event_type::{PURCHASE, RETURN},
        popularity::order,
        profile::{HistoryEvent, profile},
        sequences::SequencesBuf,
        similarity::{Similarity, SimilarityOptions, statistics, top_neighbours},
    },
};

const ITEMS: usize = 14;
/// (item, time, type) of one user.
type Events = Vec<(u32, u32, u8)>;

fn users() -> impl Strategy<Value = Vec<Events>> {
    let kind = prop_oneof![4 => Just(PURCHASE), 2 => Just(1u8), 1 => Just(RETURN), 1 => Just(0u8)];
    let event = (0..ITEMS as u32, 0u32..6, kind);
    let user = proptest::collection::vec(event, 0..14).prop_map(|mut events| {
        events.sort_unstable_by_key(|&(item, time, kind)| (time, item, kind));
        events
    });
    proptest::collection::vec(user, 0..20)
}

fn buffer(users: &[Events]) -> SequencesBuf {
    let mut sequences = SequencesBuf::default();
    for user in users {
        for &(item, time, kind) in user {
            sequences.push(item, time, kind, 1.0);
        }
        sequences.close_user();
    }
    sequences
}

/// Labels that are not rows.
fn row_of_label() -> Vec<u32> {
    order(&(0..ITEMS as u64).map(|row| row * 7 % 5).collect::<Vec<_>>())
}

/// Visits of a user, as sets of rows.
fn visits(user: &Events, spec: &ProfileSpec, chosen: impl Fn(u8) -> bool) -> Vec<Vec<u32>> {
    let mut history = Vec::new();
    for &(item, time, kind) in user {
        history.push(HistoryEvent { item, kind, age_days: f64::from(6 - time), value: 1.0 });
    }
    let kept: BTreeMap<u32, f32> = profile(&history, spec).into_iter().collect();
    let mut visits: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for &(item, time, kind) in user {
        if chosen(kind) && kept.get(&item).is_some_and(|&weight| weight > 0.0) {
            visits.entry(time).or_default().push(item);
        }
    }
    let mut visits: Vec<Vec<u32>> = visits.into_values().collect();
    visits.iter_mut().for_each(|visit| visit.dedup());
    visits
}

/// Weights by (source row, target row) as (row, weight), the best first.
fn best(weights: &BTreeMap<(u32, u32), f64>, k: usize) -> Vec<Vec<(u32, f32)>> {
    let mut rows = vec![Vec::new(); ITEMS];
    for (&(source, target), &weight) in weights {
        if source != target {
            rows[source as usize].push((target, weight as f32));
        }
    }
    for row in &mut rows {
        row.sort_by(|left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)));
        row.truncate(k);
    }
    rows
}

fn rows(neighbours: &Neighbours, row_of_label: &[u32]) -> Vec<Vec<(u32, f32)>> {
    let bounds = neighbours.offsets.windows(2).map(|pair| pair[0] as usize..pair[1] as usize);
    bounds
        .map(|range| {
            let targets = neighbours.targets[range.clone()].iter();
            let rows = targets.map(|&label| row_of_label[label as usize]);
            rows.zip(neighbours.weights[range].iter().copied()).collect()
        })
        .collect()
}

fn close(left: &[Vec<(u32, f32)>], right: &[Vec<(u32, f32)>]) -> bool {
    left.len() == right.len()
        && left.iter().zip(right).all(|(left, right)| {
            left.len() == right.len() && left.iter().zip(right).all(|(l, r)| is_close(l, r))
        })
}

/// Whether both are of one item and weigh the same, but for rounding.
fn is_close(left: &(u32, f32), right: &(u32, f32)) -> bool {
    left.0 == right.0 && (left.1 - right.1).abs() <= 1e-6 * right.1.abs()
}

fn transitions(
    spec: &TransitionSpec,
    sequences: &[Sequences<'_>],
    profile: &ProfileSpec,
    row_of_label: &[u32],
    sources: Range<u32>,
    k: usize,
    control: &dyn Control,
) -> Result<Neighbours, Cancelled> {
    let transitions = Transitions::new(spec, sequences, profile, row_of_label, control)?;
    transitions.neighbours(sources, k, control)
}

fn bought_together(
    spec: &BasketSpec,
    sequences: &[Sequences<'_>],
    profile: &ProfileSpec,
    row_of_label: &[u32],
    sources: Range<u32>,
    k: usize,
    control: &dyn Control,
) -> Result<Neighbours, Cancelled> {
    let baskets = Baskets::new(spec, sequences, profile, row_of_label, control)?;
    baskets.neighbours(sources, k, control)
}

proptest! {
    #[test]
    fn transitions_equal_plain_loops_for_any_split(
        users in users(),
        max_gap in 0usize..4,
        cut in 0usize..20,
        split in 0..=ITEMS as u32,
        cap in prop_oneof![Just(500usize), 1usize..5],
    ) {
        let spec = TransitionSpec { decay: 0.6, max_gap };
        let profile = ProfileSpec { history_cap: cap, ..ProfileSpec::default() };
        let row_of_label = row_of_label();
        let mut weights: BTreeMap<(u32, u32), f64> = BTreeMap::new();
        let mut degrees = [0.0; ITEMS];
        for user in &users {
            let visits = visits(user, &profile, |kind| kind == 1 || kind == PURCHASE);
            let total: usize = visits.iter().map(Vec::len).sum();
            for (at, earlier) in visits.iter().enumerate() {
                for &source in earlier {
                    degrees[source as usize] += 1.0;
                    for (gap, later) in visits[at..].iter().enumerate().take(max_gap + 1) {
                        for &target in later {
                            *weights.entry((source, target)).or_default() +=
                                0.6f64.powi(gap.saturating_sub(1) as i32) / (total as f64).sqrt();
                        }
                    }
                }
            }
        }
        for (&(source, _), weight) in &mut weights {
            *weight /= f64::sqrt(degrees[source as usize]);
        }
        let expected = best(&weights, 5);
        let (first, second) = users.split_at(cut.min(users.len()));
        let whole = buffer(&users);
        let parts = [buffer(first), buffer(second)];
        let whole = [whole.view(ITEMS).expect("sound")];
        let parts = [parts[0].view(ITEMS).expect("sound"), parts[1].view(ITEMS).expect("sound")];
        let run = |sequences: &[Sequences<'_>], sources| {
            transitions(&spec, sequences, &profile, &row_of_label, sources, 5, &Unattended)
                .expect("unattended")
        };
        let all = run(&whole, 0..ITEMS as u32);
        prop_assert!(close(&rows(&all, &row_of_label), &expected));
        let pieces = vec![run(&parts, 0..split), run(&parts, split..ITEMS as u32)];
        prop_assert_eq!(concatenate(pieces), all);
    }

    #[test]
    fn baskets_equal_plain_loops_for_any_split(
        users in users(),
        min_support in 1u32..4,
        split in 0..=ITEMS as u32,
        has_purchases in proptest::bool::ANY,
        largest in prop_oneof![Just(500usize), 1usize..4],
    ) {
        let mut users = users;
        if !has_purchases {
            users.iter_mut().flatten().for_each(|event| event.2 = event.2.min(1));
        }
        let profile = ProfileSpec { history_cap: largest, ..ProfileSpec::default() };
        // Where there are purchases, returns and caps of histories play no part.
        let all = ProfileSpec { event_weights: vec![1.0; 7], ..ProfileSpec::default() };
        let is_bought = |&(_, _, kind): &(u32, u32, u8)| kind == PURCHASE;
        let has_purchases = users.iter().flatten().any(is_bought);
        let baskets: Vec<Vec<u32>> = users
            .iter()
            .flat_map(|user| {
                if has_purchases {
                    visits(user, &all, |kind| kind == PURCHASE)
                } else {
                    visits(user, &profile, |kind| kind == 1)
                }
            })
            .filter(|basket| !has_purchases || basket.len() <= largest)
            .collect();
        let with = |items: &[u32]| {
            let has_all = |basket: &&Vec<u32>| items.iter().all(|item| basket.contains(item));
            baskets.iter().filter(has_all).count() as f64
        };
        let mut weights: BTreeMap<(u32, u32), f64> = BTreeMap::new();
        for source in 0..ITEMS as u32 {
            for target in 0..ITEMS as u32 {
                let (both, alone) = (with(&[source, target]), with(&[source]));
                let lift = both * baskets.len() as f64 / (alone * with(&[target]));
                if both >= f64::from(min_support) && lift > 1.0 {
                    weights.insert((source, target), both / alone);
                }
            }
        }
        let expected = best(&weights, 5);
        let row_of_label = row_of_label();
        let buffer = buffer(&users);
        let sequences = [buffer.view(ITEMS).expect("sound")];
        let spec = BasketSpec { min_support };
        let run = |sources| {
            bought_together(&spec, &sequences, &profile, &row_of_label, sources, 5, &Unattended)
                .expect("unattended")
        };
        let all = run(0..ITEMS as u32);
        prop_assert!(close(&rows(&all, &row_of_label), &expected));
        let pieces = vec![run(0..split), run(split..ITEMS as u32)];
        prop_assert_eq!(concatenate(pieces), all);
    }

    #[test]
    fn without_times_transitions_are_a_walk(users in users()) {
        let mut users = users;
        for user in &mut users {
            user.iter_mut().for_each(|event| event.1 = 0);
            user.sort_unstable_by_key(|&(item, _, kind)| (item, kind));
        }
        let profile = ProfileSpec::default();
        let row_of_label = row_of_label();
        let label_of_row = inverse(&row_of_label);
        let mut matrix = CsrBuf::new(false);
        for user in &users {
            let items = visits(user, &profile, |kind| kind == 1 || kind == PURCHASE).concat();
            let entry = |item: u32| (label_of_row[item as usize], 1.0);
            matrix.push_row(&mut items.into_iter().map(entry).collect::<Vec<_>>());
        }
        let users_by_label = [matrix.view(ITEMS).expect("sound")];
        let statistics = statistics(&users_by_label, ITEMS, &Unattended).expect("unattended");
        let walk = top_neighbours(
            Similarity::P3,
            &SimilarityOptions { alpha: 0.5, ..SimilarityOptions::default() },
            &users_by_label,
            &statistics,
            &label_of_row,
            &row_of_label,
            ITEMS,
            &Unattended,
        );
        let walk = rows(&walk.expect("unattended"), &row_of_label);
        let buffer = buffer(&users);
        let sequences = [buffer.view(ITEMS).expect("sound")];
        let all = 0..ITEMS as u32;
        let spec = TransitionSpec::default();
        let found =
            transitions(&spec, &sequences, &profile, &row_of_label, all, ITEMS, &Unattended);
        let found = rows(&found.expect("unattended"), &row_of_label);
        // Weights that are equal on paper may order differently.
        for (found, walk) in found.iter().zip(&walk) {
            let [found, walk]: [BTreeMap<u32, f32>; 2] =
                [found, walk].map(|row| row.iter().copied().collect());
            prop_assert!(found.keys().eq(walk.keys()));
            prop_assert!(found.iter().all(|(item, weight)| (weight - walk[item]).abs() < 1e-6));
        }
    }

    #[test]
    fn no_settings_give_what_is_no_weight(
        users in users(),
        decay in prop_oneof![any::<f64>(), Just(0.0), Just(1.0)],
        max_gap in prop_oneof![0usize..3, Just(usize::MAX)],
        event_weight in any::<f32>(),
        min_support in any::<u32>(),
    ) {
        let profile =
            ProfileSpec { event_weights: vec![event_weight; 8], ..ProfileSpec::default() };
        let row_of_label = row_of_label();
        let buffer = buffer(&users);
        let sequences = [buffer.view(ITEMS).expect("sound")];
        let all = 0..ITEMS as u32;
        let spec = TransitionSpec { decay, max_gap };
        let followed = transitions(
            &spec, &sequences, &profile, &row_of_label, all.clone(), 3, &Unattended,
        );
        let spec = BasketSpec { min_support };
        let together =
            bought_together(&spec, &sequences, &profile, &row_of_label, all, 3, &Unattended);
        for found in [followed, together] {
            let found = found.expect("unattended");
            prop_assert_eq!(found.offsets.len(), ITEMS + 1);
            prop_assert!(found.weights.iter().all(|weight| weight.is_finite() && *weight > 0.0));
        }
    }
}

#[test]
fn nothing_comes_of_nothing() {
    let profile = ProfileSpec::default();
    let run = |sequences: &[Sequences<'_>], rows: &[u32]| {
        let all = 0..rows.len() as u32;
        let spec = TransitionSpec::default();
        let found = transitions(&spec, sequences, &profile, rows, all.clone(), 3, &Unattended);
        let spec = BasketSpec::default();
        let together = bought_together(&spec, sequences, &profile, rows, all, 3, &Unattended);
        [found, together].map(|found| found.expect("unattended").offsets)
    };
    let mut buffer = SequencesBuf::default();
    assert_eq!(run(&[], &[]), [vec![0], vec![0]]);
    assert_eq!(run(&[], &[0]), [vec![0, 0], vec![0, 0]]);
    buffer.close_user();
    assert_eq!(run(&[buffer.view(2).expect("sound")], &[1, 0]), [vec![0; 3], vec![0; 3]]);
}

#[test]
fn threads_change_nothing() {
    const ITEMS: usize = 90;
    let mut buffer = SequencesBuf::default();
    for user in 0..500u32 {
        for event in 0..user % 5 {
            buffer.push(user * (event + 7) % ITEMS as u32, event / 2, PURCHASE, 1.0);
        }
        buffer.close_user();
    }
    let sequences = [buffer.view(ITEMS).expect("sound")];
    let rows: Vec<u32> = (0..ITEMS as u32).rev().collect();
    let (profile, spec) = (ProfileSpec::default(), TransitionSpec::default());
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        let all = 0..ITEMS as u32;
        pool.install(|| transitions(&spec, &sequences, &profile, &rows, all, 5, &Unattended))
            .expect("unattended")
    };
    let alone = run(1);
    assert!(alone.targets.len() > 2 * ITEMS);
    assert_eq!(alone, run(3));
}
