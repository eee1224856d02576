use super::*;
use crate::{
    control::Unattended,
    recommend::{
        event_type::PURCHASE,
        hybrid::{Holdout, hold_out},
        sequences::SequencesBuf,
        similarity::Similarity,
    },
};

const DAY: u32 = 86_400;

/// Purchases as (user, item, time), users and times ascending.
fn purchases(users: u32, events: &[(u32, u32, u32)]) -> SequencesBuf {
    let mut sequences = SequencesBuf::default();
    for user in 0..users {
        for &(_, item, time) in events.iter().filter(|event| event.0 == user) {
            sequences.push(item, time, PURCHASE, 1.0);
        }
        sequences.close_user();
    }
    sequences
}

fn run(
    train: &SequencesBuf,
    test: &[Vec<u32>],
    items: usize,
    names: &[&str],
    options: &Options,
) -> (Evaluation, Vec<Prediction>) {
    let facts = vec![ItemFacts::default(); items];
    let split = Split { train: train.view(items).expect("sound"), test, facts: &facts };
    let algorithms: Vec<Algorithm> =
        names.iter().map(|name| Algorithm::parse(name).expect("a name")).collect();
    let mut predictions = Vec::new();
    let evaluation = evaluate(
        &split,
        &algorithms,
        &[],
        options,
        &|| 0.0,
        &mut |prediction| predictions.push(prediction),
        &Unattended,
    );
    (evaluation.expect("never cancelled"), predictions)
}

fn at(lengths: &[usize]) -> Options {
    Options { at: lengths.to_vec(), ..Options::default() }
}

fn list(predictions: &[Prediction], name: &str, user: u32) -> Vec<(u32, f64)> {
    predictions
        .iter()
        .filter(|prediction| prediction.algorithm.name() == name && prediction.user == user)
        .map(|prediction| (prediction.item, prediction.score))
        .collect()
}

#[test]
fn a_case_that_can_be_checked_by_hand() {
    // Users 0 and 1 share item 0; user 2 is not in train; user 3 has nothing to be found.
    let train = purchases(4, &[(0, 0, 10), (0, 1, 20), (1, 0, 15), (3, 2, 5), (3, 0, 6)]);
    let test = [vec![2], vec![1], vec![0], vec![]];
    let (evaluation, predictions) = run(&train, &test, 4, &["p3", "popular"], &at(&[1, 2]));
    let counts = (evaluation.users, evaluation.items, evaluation.interactions);
    assert_eq!((counts, evaluation.test_users), ((4, 4, 5), 3));

    // P3 from item 0: a third of the walks start at each of its users, half of two of them go on.
    let third = f64::from((0.5f64 / 3.0) as f32);
    assert_eq!(list(&predictions, "p3", 0), [(2, third)]);
    // A tie, by item; seen items are not in the list.
    assert_eq!(list(&predictions, "p3", 1), [(1, third), (2, third)]);
    assert_eq!(list(&predictions, "popular", 1), [(1, 1.0), (2, 1.0)]);
    assert_eq!(list(&predictions, "popular", 2), []);

    let p3 = &evaluation.results[0];
    assert_eq!(p3.algorithm, Algorithm::Similar(Similarity::P3));
    // User 0 finds 2, user 1 finds 1, user 2 is a miss.
    assert_eq!(p3.recall, [2.0 / 3.0; 2]);
    assert_eq!(p3.ndcg, [2.0 / 3.0; 2]);
    assert_eq!(p3.precision, [2.0 / 3.0, 1.0 / 3.0]);
    assert_eq!(p3.hit_rate, [2.0 / 3.0; 2]);
    assert_eq!(p3.coverage, [0.5, 0.5]);
    // At 2, items 1 and 2 are shown once and twice.
    assert!((p3.gini[1] - (1.0 + 3.0 * 2.0) / (4.0 * 3.0)).abs() < 1e-12, "{p3:?}");
    // Each has one user of four; one is added to both.
    assert!((p3.novelty[1] - (5.0f64 / 2.0).log2()).abs() < 1e-12, "{p3:?}");
    // Histories of 0, 1 and 2 events.
    let ranges: Vec<_> = p3.by_activity.iter().map(|group| (group.range, group.count)).collect();
    assert_eq!(ranges, [((0, 0), 1), ((1, 1), 1), ((2, 2), 1)]);
    assert_eq!(p3.by_activity[0].recall, [0.0, 0.0]);
    assert_eq!(p3.by_activity[2].ndcg, [1.0, 1.0]);
    assert_eq!(evaluation.compared, Some((1, Algorithm::Similar(Similarity::P3))));
    assert_eq!(p3.difference, None);
    let difference = evaluation.results[1].difference.expect("compared with the best");
    assert_eq!((difference.mean, difference.interval), (0.0, (0.0, 0.0)));
}

#[test]
fn repeats_are_listed_when_they_are_the_task() {
    let train = purchases(2, &[(0, 0, 0), (0, 0, DAY), (0, 1, DAY), (1, 0, 0), (1, 2, DAY)]);
    let test = [vec![0, 2], vec![0]];
    let mut options = at(&[3]);
    options.learning.repeats = true;
    let (evaluation, predictions) = run(&train, &test, 3, &["popular"], &options);
    // Item 0 on two days of user 0 and one of user 1.
    assert_eq!(list(&predictions, "popular", 0), [(0, 3.0), (1, 1.0), (2, 1.0)]);
    assert_eq!(evaluation.results[0].recall, [1.0]);
    let found: Vec<_> = evaluation.results[0]
        .by_item_age
        .iter()
        .map(|group| (group.range, group.count, group.recall.clone()))
        .collect();
    // Item 2 was first bought on the last day, item 0 a day before, wanted by two.
    assert_eq!(found, [((0, 0), 1, vec![1.0]), ((1, 1), 2, vec![1.0])]);
}

#[test]
fn nothing_to_find_measures_nothing() {
    let train = purchases(1, &[(0, 0, 1)]);
    let (evaluation, predictions) = run(&train, &[vec![]], 1, &["popular", "hybrid"], &at(&[3]));
    assert_eq!(predictions, []);
    assert_eq!(evaluation.results[0].coverage, [0.0]);
    assert_eq!(evaluation.results[0].recall, [0.0]);
}

/// Users who walk through one of two rings of items, from a start of their own.
fn rings(users: u32, items: u32, steps: u32) -> SequencesBuf {
    let half = items / 2;
    let mut events = Vec::new();
    for user in 0..users {
        let ring = user % 2 * half;
        let start = user * 7 % half;
        events.extend((0..steps).map(|step| (user, ring + (start + step) % half, step * DAY)));
    }
    purchases(users, &events)
}

fn learned(train: &SequencesBuf, items: usize, threads: usize) -> Learned {
    let facts = vec![ItemFacts::default(); items];
    let sources = ["p3", "item-transitions", "popular"];
    let options = LearnOptions {
        sources: sources.iter().filter_map(|name| Algorithm::parse(name)).collect(),
        length: 5,
        ..LearnOptions::default()
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
    let parts = [train.view(items).expect("sound")];
    let spec = ModelSpec::default();
    pool.install(|| learn(&parts, &facts, vec![], &spec, &options, &Unattended))
        .expect("never cancelled")
}

#[test]
fn learning_finds_the_order_and_is_the_same_for_any_threads() {
    let train = rings(120, 40, 6);
    let one = learned(&train, 40, 1);
    assert_eq!(learned(&train, 40, 3), one);
    // Who goes around the ring goes on: what follows the last item is all that counts.
    assert_eq!(one.best_source.map(|best| best.0), Some(Algorithm::Transitions));
    assert!(one.validation_ndcg > 0.95, "{one:?}");
    let p3 = Algorithm::Similar(Similarity::P3);
    let recency = one.recencies.iter().find(|known| known.0 == p3);
    assert!(recency.is_some_and(|(_, recency)| recency.rank_half_life > 0.0), "{one:?}");
    if one.method == crate::recommend::hybrid::Method::Mix {
        let sum: f64 = one.mix.sources.iter().map(|source| source.weight).sum();
        assert!((sum - 1.0).abs() < 1e-9, "{one:?}");
        assert!(one.mix.sources.iter().all(|source| source.weight > 0.0), "{one:?}");
    }
}

#[test]
fn a_hybrid_is_as_good_as_its_best_source() {
    let whole = rings(150, 40, 6);
    let held = hold_out(
        whole.view(40).expect("sound"),
        Holdout::LastVisit,
        false,
        &ModelSpec::default().profile,
        0,
        |_| true,
    );
    let mut options = at(&[5]);
    options.learn = true;
    options.learning.length = 5;
    options.learning.sources =
        ["p3", "item-transitions"].iter().filter_map(|name| Algorithm::parse(name)).collect();
    let names = ["p3", "item-transitions", "hybrid"];
    let (evaluation, _) = run(&held.train, &held.test, 40, &names, &options);
    let [p3, transitions, hybrid] = &evaluation.results[..] else { panic!("three results") };
    assert!(hybrid.ndcg[0] >= p3.ndcg[0].max(transitions.ndcg[0]) - 1e-9, "{evaluation:?}");
    assert_eq!(evaluation.compared, Some((5, Algorithm::Hybrid)));
}

#[test]
fn without_times_half_lives_change_nothing() {
    let mut train = rings(60, 20, 5);
    train.times.fill(0);
    let one = learned(&train, 20, 2);
    for (algorithm, recency) in &one.recencies {
        assert_eq!(*recency, Recency::default(), "{algorithm}");
    }
}

#[test]
fn holds_out_the_last_visit_or_the_last_days() {
    let train = purchases(
        4,
        // The second visit of user 0 repeats item 1; user 1 has one visit; user 2 one item.
        &[
            (0, 1, 0),
            (0, 1, 3 * DAY),
            (0, 2, 3 * DAY),
            (1, 3, DAY),
            (1, 4, DAY),
            (2, 5, 4 * DAY),
            (3, 0, DAY),
            (3, 1, 4 * DAY),
        ],
    );
    let view = train.view(6).expect("sound");
    let profile = ModelSpec::default().profile;
    let hold = |holdout, repeats| hold_out(view, holdout, repeats, &profile, 7, |user| user != 3);
    let held = hold(Holdout::LastVisit, false);
    assert_eq!(held.test[0], [2]);
    assert_eq!(held.test[1].len(), 1);
    assert_eq!(held.train.offsets, [0, 1, 2, 3, 5]);
    assert_eq!(held.test[2..], [vec![], vec![]]);
    assert_eq!(hold(Holdout::LastVisit, true).test[0], [1, 2]);
    let held = hold(Holdout::Days(2.0), true);
    assert_eq!(held.test, [vec![1, 2], vec![], vec![5], vec![]]);
    assert_eq!(held.train.items, [1, 3, 4, 0]);
}
