use proptest::prelude::*;

use super::*;
use crate::{
    control::Unattended,
    recommend::{event_type::RETURN, sequences::SequencesBuf},
};

const DAY: u32 = 86_400;
const NOW: u32 = 1_000 * DAY;

/// Users of (item, days before now, type), the oldest first.
fn sequences(users: &[Vec<(u32, u32, u8)>]) -> SequencesBuf {
    let mut sequences = SequencesBuf::default();
    for user in users {
        for &(item, age, kind) in user {
            sequences.push(item, NOW - age * DAY, kind, 1.0);
        }
        sequences.close_user();
    }
    sequences
}

fn fitted(users: &[Vec<(u32, u32, u8)>], items: usize) -> RepurchaseBuf {
    let owned = sequences(users);
    let (profile, spec) = (ProfileSpec::default(), RepurchaseSpec::default());
    let parts = [owned.view(items).expect("sound")];
    fit(&parts, items, NOW, &profile, &spec, &Unattended).expect("not cancelled")
}

fn due_of_user(user: Vec<(u32, u32, u8)>, model: &RepurchaseBuf) -> Vec<Due> {
    let owned = sequences(&[user]);
    let history = owned.view(100).expect("sound").of(0);
    due(history, model.view(), &ProfileSpec::default(), &RepurchaseSpec::default(), NOW)
}

/// Item 0 every week by 50 users, item 1 once by the same.
fn milk_and_kettles() -> Vec<Vec<(u32, u32, u8)>> {
    let mut users = Vec::new();
    for user in 0..50 {
        let mut events: Vec<_> = (1..40).rev().map(|week| (0, 7 * week - 1, 5)).collect();
        events.insert(user as usize % events.len(), (1, 7 * (39 - user % 39) - 1, 5));
        users.push(events);
    }
    users
}

#[test]
fn learns_how_items_are_bought_again() {
    let model = fitted(&milk_and_kettles(), 3);
    assert!(!model.is_any_event);
    // 49 or 50 of 50 came back, drawn to the 51 of 102 of the catalogue by ten buyers.
    assert!((f64::from(model.again[0]) - 55.0 / 60.0).abs() < 1e-6);
    assert!((f64::from(model.again[1]) - 5.0 / 60.0).abs() < 1e-6);
    assert!((f64::from(model.again[2]) - 0.5).abs() < 1e-6);
    assert!((f64::from(model.interval_means[0]) - 7f64.ln()).abs() < 1e-6);
    assert!(model.rates[0] > 0.1 && model.rates[1] < 0.02, "{:?}", model.rates);
}

#[test]
fn consumables_fall_due_and_durables_do_not() {
    let model = fitted(&milk_and_kettles(), 3);
    let found = due_of_user(vec![(1, 7, 5), (0, 7, 5), (0, 7, RETURN), (2, 1, 1)], &model);
    let items: Vec<u32> = found.iter().map(|due| due.item).collect();
    assert_eq!(items, [0, 1]);
    assert_eq!((found[0].purchases, found[0].elapsed_days), (1, 7.0));
    assert_eq!(found[0].frequency, (-7.0f64 / 90.0).exp2());
    assert!(found[0].score > 3.0 * found[1].score);
    // A quarter of a year without: given up.
    let lost = due_of_user(vec![(0, 90, 5)], &model);
    assert!(lost[0].due < 0.2 * found[0].due);
}

#[test]
fn an_interval_is_a_distribution() {
    let interval = Interval { again: 0.6, mean: 20f64.ln(), deviation: 0.8 };
    assert!((interval.survival(20.0) - 0.5).abs() < 1e-12);
    assert!((interval.within(0.0, 1e9) - 0.6).abs() < 1e-4);
    // The next ten days and the ten after are the next twenty.
    let first = interval.within(15.0, 10.0);
    let second = interval.within(25.0, 10.0);
    assert!((first + (1.0 - first) * second - interval.within(15.0, 20.0)).abs() < 1e-12);
    // Nothing is due on the day after.
    assert!(interval.within(1.0, 2.0) < interval.within(15.0, 2.0) / 5.0);
    let never = Interval { again: 1.0, mean: -1e3, deviation: 1e-6 };
    assert!(never.within(1e9, 1.0).is_finite());
}

#[test]
fn without_times_all_that_was_bought_is_equal() {
    let users = vec![vec![(0, 0, 5), (1, 0, 5)], vec![(0, 0, 5)], vec![(0, 0, 5), (2, 0, 1)]];
    let model = fitted(&users, 3);
    let found = due_of_user(vec![(0, 0, 5), (0, 0, 5), (1, 0, 5)], &model);
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].score, found[1].score);
    assert!(found[0].score > 0.0);
}

#[test]
fn without_purchases_other_events_stand_in() {
    let users = vec![vec![(0, 9, 1), (1, 9, RETURN), (0, 2, 3)]];
    let model = fitted(&users, 2);
    assert!(model.is_any_event);
    let found = due_of_user(users[0].clone(), &model);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].item, found[0].purchases), (0, 2));
    // Rows that the model does not know are left out.
    assert!(due_of_user(vec![(7, 3, 1)], &model).is_empty());
    let pairs = {
        let owned = sequences(&users);
        let history = owned.view(2).expect("sound").of(0);
        let spec = RepurchaseSpec { half_life_days: 0.0, due_exponent: 0.0, horizon_days: -1.0 };
        scores(history, model.view(), &ProfileSpec::default(), &spec, NOW)
    };
    let rate = (2.0 + 40.0 * f64::from(model.rates[0])) / (9.0 + 40.0);
    assert_eq!(pairs, [(0, rate as f32)]);
}

#[test]
fn parts_do_not_matter() {
    let users = milk_and_kettles();
    let whole = fitted(&users, 3);
    let (first, second) = (sequences(&users[..20]), sequences(&users[20..]));
    let parts = [first.view(3).expect("sound"), second.view(3).expect("sound")];
    let (profile, spec) = (ProfileSpec::default(), RepurchaseSpec::default());
    assert_eq!(fit(&parts, 3, NOW, &profile, &spec, &Unattended), Ok(whole));
}

proptest! {
    #[test]
    fn scores_are_finite_and_ascend_by_row(
        users in proptest::collection::vec(
            proptest::collection::vec((0..6u32, 0..2_000_000_000u32, 0..9u8, -2.0..9.0f32), 0..30),
            1..6,
        ),
        now in 0..2_000_000_000u32,
        half_life_days in prop_oneof![Just(0.0), Just(1e-3), 1.0..400.0f64, Just(f64::NAN)],
        horizon_days in prop_oneof![Just(0.0), -1.0..400.0f64, Just(f64::INFINITY)],
        due_exponent in 0.0..2.0f64,
    ) {
        let mut sequences = SequencesBuf::default();
        for user in &users {
            let mut user = user.clone();
            user.sort_by_key(|&(item, time, ..)| (time, item));
            for (item, time, kind, value) in user {
                sequences.push(item, time, kind, value);
            }
            sequences.close_user();
        }
        let view = sequences.view(6).expect("sound");
        let profile = ProfileSpec::default();
        let spec = RepurchaseSpec { half_life_days, horizon_days, due_exponent };
        let model = fit(&[view], 6, now, &profile, &spec, &Unattended).expect("not cancelled");
        prop_assert!(model.again.iter().all(|&again| again > 0.0 && again < 1.0));
        prop_assert!(model.interval_deviations.iter().all(|&deviation| deviation > 0.0));
        for (user, events) in users.iter().enumerate() {
            let found = due(view.of(user), model.view(), &profile, &spec, now);
            prop_assert!(found.is_sorted_by_key(|due| due.item));
            for one in found {
                prop_assert!((0.0..=1.0).contains(&one.due));
                prop_assert!(one.score.is_finite() && one.score >= 0.0 && one.rate >= 0.0);
                prop_assert!(events.iter().any(|&(item, ..)| item == one.item));
            }
        }
    }
}
