use super::*;
use crate::{
    control::Unattended,
    recommend::{
        event_type::{PURCHASE, RETURN},
        sequences::SequencesBuf,
    },
};

const AS_OF: u32 = 100 * SECONDS_PER_DAY;

/// Users of (item, days before now, type).
fn sequences(users: &[&[(u32, u32, u8)]]) -> SequencesBuf {
    let mut sequences = SequencesBuf::default();
    for user in users {
        for &(item, age, kind) in *user {
            sequences.push(item, AS_OF - age * SECONDS_PER_DAY, kind, 9.0);
        }
        sequences.close_user();
    }
    sequences
}

fn run(trend: Trend, users: &[&[(u32, u32, u8)]], items: usize) -> Vec<f32> {
    let owned = sequences(users);
    let parts = [owned.view(items).expect("sound")];
    let (profile, spec) = (ProfileSpec::default(), TrendSpec::default());
    scores(trend, &parts, items, AS_OF, &profile, &spec, &Unattended).expect("not cancelled")
}

#[test]
fn fresh_counts_a_day_once_and_halves() {
    let first: &[_] = &[(0, 14, 1), (0, 14, PURCHASE), (1, 14, 1), (0, 0, PURCHASE)];
    let second: &[_] = &[(2, 28, RETURN), (0, 0, 1), (0, 0, 1)];
    assert_eq!(run(Trend::Fresh, &[first, second], 4), [2.5 + 5.0 + 1.0, 0.5, 0.0, 0.0]);
}

#[test]
fn without_times_all_order_as_popularity_does() {
    let users: &[&[_]] = &[&[(1, 0, 1), (2, 0, 1)], &[(2, 0, 1)], &[(2, 0, 1), (3, 0, 1)]];
    let expected = [0.0, 1.0, 3.0, 1.0];
    assert_eq!(run(Trend::Fresh, users, 4), expected);
    assert_eq!(run(Trend::New, users, 4), expected);
    let trending = run(Trend::Trending, users, 4);
    assert!(trending[2] > trending[1] && trending[1] == trending[3] && trending[0] == 0.0);
}

#[test]
fn new_items_have_no_old_event() {
    let users: &[&[_]] = &[&[(2, 40, RETURN), (0, 31, 1), (1, 30, 1), (1, 14, 1), (0, 0, 1)]];
    let found = run(Trend::New, users, 3);
    assert_eq!((found[0], found[2]), (0.0, 0.0));
    assert!((f64::from(found[1]) - (0.5 + (-30.0f64 / 14.0).exp2())).abs() < 1e-6);
}

#[test]
fn few_visits_do_not_trend() {
    // Item 0 has grown fourfold, item 1 from nothing to one visit; item 2
    // carries the catalogue, item 3 has died.
    let mut users: Vec<Vec<(u32, u32, u8)>> = vec![vec![(1, 0, 1)]];
    users.extend((0..40).map(|_| vec![(0, 20, 1), (2, 20, 1), (3, 20, 1), (0, 1, 1)]));
    users.extend((0..120).map(|_| vec![(2, 10, 1), (2, 2, 1)]));
    // Beyond all windows.
    users.push(vec![(3, 36, 1)]);
    let users: Vec<&[_]> = users.iter().map(Vec::as_slice).collect();
    let found = run(Trend::Trending, &users, 4);
    let growth = 161.0 / 240.0;
    let expected = [(40.0, 40.0), (1.0, 0.0), (120.0, 160.0)]
        .map(|(recent, before): (f64, f64)| (recent + 10.0) / (before * growth + 10.0));
    for (found, expected) in found.iter().zip(expected) {
        assert!((f64::from(*found) - expected).abs() < 1e-6, "{found} is not {expected}");
    }
    assert_eq!(found[3], 0.0);
    assert!(found[0] > found[1]);
}

#[test]
fn parts_do_not_matter_and_names_round_trip() {
    let users: &[&[_]] = &[&[(0, 3, 1), (1, 1, 5)], &[(1, 9, 3)], &[(0, 12, 1), (2, 2, 7)]];
    for trend in Trend::ALL {
        let whole = run(trend, users, 3);
        let (first, second) = (sequences(&users[..1]), sequences(&users[1..]));
        let parts = [first.view(3).expect("sound"), second.view(3).expect("sound")];
        let (profile, spec) = (ProfileSpec::default(), TrendSpec::default());
        let split = scores(trend, &parts, 3, AS_OF, &profile, &spec, &Unattended);
        assert_eq!(split, Ok(whole));
        assert_eq!(Trend::parse(trend.name()), Some(trend));
    }
}
