use super::*;
use crate::recommend::control::Unattended;

fn seen(user: u32, item: u32, time: i64) -> Observation {
    Observation { user, item, value: 1.0, time: Some(time) }
}

fn run(split: &Split<'_>, at: &[usize]) -> (Evaluation, Vec<Prediction>) {
    let options = Options { at: at.to_vec(), ..Options::default() };
    let mut predictions = Vec::new();
    let evaluation = evaluate(
        split,
        &Algorithm::ALL,
        &options,
        &|| 0.0,
        &mut |prediction| predictions.push(prediction),
        &Unattended,
    );
    (evaluation.expect("never cancelled"), predictions)
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
    let train = [seen(0, 0, 10), seen(0, 1, 20), seen(1, 0, 15), seen(3, 2, 5), seen(3, 0, 6)];
    let test = [seen(0, 2, 30), seen(1, 1, 30), seen(2, 0, 30)];
    let split = Split { users: 4, items: 4, train: &train, test: &test };
    let (evaluation, predictions) = run(&split, &[1, 2]);
    assert_eq!((evaluation.users, evaluation.items, evaluation.interactions), (4, 4, 5));

    // P3 from item 0: a third of the walks start at each of its users, half of two of them go on.
    let third = f64::from((0.5f64 / 3.0) as f32);
    assert_eq!(list(&predictions, "p3", 0), [(2, third)]);
    // A tie, by item; seen items are not in the list.
    assert_eq!(list(&predictions, "p3", 1), [(1, third), (2, third)]);
    assert_eq!(list(&predictions, "popular", 1), [(1, 1.0), (2, 1.0)]);
    assert_eq!(list(&predictions, "popular", 2), []);

    let p3 = &evaluation.results[1];
    assert_eq!(p3.algorithm.name(), "p3");
    // User 0 finds 2, user 1 finds 1, user 2 is a miss.
    assert_eq!(p3.recall, [2.0 / 3.0; 2]);
    assert_eq!(p3.ndcg, [2.0 / 3.0; 2]);
    assert_eq!(p3.precision, [2.0 / 3.0, 1.0 / 3.0]);
    assert_eq!(p3.hit_rate, [2.0 / 3.0; 2]);
    assert_eq!(p3.coverage, [0.5, 0.5]);
}

#[test]
fn pairs_merge_by_latest_time_and_days_count_as_visits() {
    let day = 86_400;
    let mut train = vec![seen(0, 0, 0), seen(0, 0, 5), seen(0, 0, day), seen(1, 1, 0)];
    // Taken back later: against, though still seen.
    train.push(Observation { value: -1.0, ..seen(1, 1, day) });
    train.push(seen(2, 1, 0));
    train.push(seen(2, 0, 0));
    train.push(seen(1, 2, 0));
    train.push(seen(2, 2, 0));
    let test = [seen(1, 0, 2 * day), seen(1, 0, 3 * day)];
    let split = Split { users: 3, items: 3, train: &train, test: &test };
    let (evaluation, predictions) = run(&split, &[5]);
    assert_eq!(evaluation.interactions, 6);
    // Item 0: user 0 on two days and user 2; item 1: three visits, one of them against.
    assert_eq!(list(&predictions, "popular", 1), [(0, 3.0)]);
    // From item 2 (users 1 and 2) half the walks reach user 2 with three items; from item 1, whose
    // weight in the profile is -1, all walks do.
    let [(item, score)] = list(&predictions, "p3", 1)[..] else { panic!("one new item") };
    let expected = 0.5 / 3.0 - 1.0 / 3.0;
    assert_eq!(item, 0);
    assert!((score - expected).abs() < 1e-6, "{score}");
    assert_eq!(evaluation.results[1].recall, [1.0]);
}

#[test]
fn nothing_to_find_measures_nothing() {
    let train = [seen(0, 0, 1)];
    let split = Split { users: 1, items: 1, train: &train, test: &[] };
    let (evaluation, predictions) = run(&split, &[3]);
    assert_eq!(predictions, []);
    assert_eq!(evaluation.results[0].coverage, [0.0]);
}
