//! Against plain loops over every user and exposure.

use mercer_proto::v1::Arm;

use super::*;

/// A user of an arm: purchases from lists whose last place was by rank and drawn, each list with
/// whether its last item was bought.
struct User {
    lists: Vec<(bool, bool)>,
}

/// Pseudo-random users.
fn users(seed: u64, count: u64) -> Vec<User> {
    let mut state = seed;
    let mut random = |below: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut users = Vec::new();
    for _ in 0..count {
        let lists = (0..=random(4)).map(|_| (random(4) == 0, random(3) == 0)).collect();
        users.push(User { lists });
    }
    users
}

fn tally(arm_id: &str, users: &[User]) -> StoredTally {
    let mut tally = StoredTally {
        arm_id: arm_id.into(),
        outcomes: vec![StoredOutcome::default(); 3],
        ..StoredTally::default()
    };
    for user in users {
        let bought = user.lists.iter().filter(|(_, bought)| *bought).count() as u64;
        tally.users += 1;
        tally.exposures += user.lists.len() as u64;
        let drawn = |bought: bool| {
            user.lists.iter().filter(|list| list.0 && (list.1 || !bought)).count() as u64
        };
        tally.explored_exposures += drawn(false);
        tally.greedy_exposures += user.lists.len() as u64 - drawn(false);
        let purchases = &mut tally.outcomes[2];
        purchases.count += bought;
        purchases.users += u64::from(bought > 0);
        purchases.squares += bought * bought;
        purchases.explored += drawn(true);
        purchases.greedy += bought - drawn(true);
    }
    tally
}

fn experiment(share: f64) -> Experiment {
    let arm = |arm_id: &str, weight, exploration| Arm {
        arm_id: arm_id.into(),
        weight,
        exploration,
        ..Arm::default()
    };
    Experiment { arms: vec![arm("a", 1, 0.0), arm("b", 3, share)], ..Experiment::default() }
}

fn close(found: Option<Interval>, estimate: f64, half_below: f64, half_above: f64) {
    let found = found.expect("an interval");
    let expected = [estimate, estimate - half_below, estimate + half_above];
    for (found, expected) in [found.estimate, found.low, found.high].into_iter().zip(expected) {
        assert!((found - expected).abs() < 2e-4, "{found} is not {expected}");
    }
}

/// 97.5 % quantile of the standard normal distribution.
const Z: f64 = 1.959_963_984_540_054;

#[test]
fn rates_means_and_differences() {
    let (a, b) = (users(1, 1_000), users(2, 3_100));
    let tallies = [("a", &a), ("b", &b)].map(|(id, users)| (id.to_owned(), tally(id, users)));
    let found = report(&experiment(0.25), &tallies.into(), 0.95);
    let wilson = |users: &[User]| {
        let count = users.iter().filter(|user| user.lists.iter().any(|list| list.1)).count();
        let (n, p) = (users.len() as f64, count as f64 / users.len() as f64);
        let centre = (p + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
        let half = Z / (1.0 + Z * Z / n) * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
        (p, centre - half, centre + half)
    };
    let mean = |users: &[User]| {
        let values: Vec<f64> = (users.iter())
            .map(|user| user.lists.iter().filter(|list| list.1).count() as f64)
            .collect();
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        (mean, squares / (n - 1.0) / n)
    };
    let outcome = |arm: usize| found.arms[arm].outcomes[2];
    let ((p, p_low, p_high), (q, q_low, q_high)) = (wilson(&a), wilson(&b));
    close(outcome(0).user_rate, p, p - p_low, p_high - p);
    close(outcome(1).user_rate, q, q - q_low, q_high - q);
    let below = ((q - q_low).powi(2) + (p_high - p).powi(2)).sqrt();
    let above = ((q_high - q).powi(2) + (p - p_low).powi(2)).sqrt();
    close(outcome(1).user_rate_difference, q - p, below, above);
    let ((m, m_variance), (k, k_variance)) = (mean(&a), mean(&b));
    // Student's quantiles of so many degrees of freedom are those of the normal distribution.
    close(outcome(0).mean, m, Z * m_variance.sqrt(), Z * m_variance.sqrt());
    let half = Z * (m_variance + k_variance).sqrt();
    close(outcome(1).mean_difference, k - m, half, half);
    assert_eq!((outcome(0).user_rate_difference, outcome(0).mean_difference), (None, None));
    // 1,000 of 4,100 where 1,025 are expected: chi-squared .81301, of which p is .3672.
    assert!((found.sample_ratio_probability - 0.3672).abs() < 1e-3);
    let nothing = report(&experiment(0.25), &BTreeMap::new(), 0.95);
    assert_eq!((nothing.arms.len(), nothing.arms[1].outcomes[0].user_rate), (2, None));
}

#[test]
fn policies_of_the_last_place() {
    let share = 0.25;
    let users = users(3, 2_000);
    let tallies = [("b".to_owned(), tally("b", &users))];
    let found = report(&experiment(share), &tallies.into(), 0.95);
    let exploration = found.arms[1].exploration.as_ref().expect("it explored");
    assert_eq!(exploration.estimates.len(), 6);
    let lists: Vec<(bool, bool)> = users.iter().flat_map(|user| user.lists.clone()).collect();
    for (policy, wants_drawn) in [(Policy::Greedy, false), (Policy::Explore, true)] {
        let estimate = exploration
            .estimates
            .iter()
            .find(|one| one.policy() == policy && one.outcome() == Outcome::Purchase)
            .expect("estimated");
        let propensity = if wants_drawn { share } else { 1.0 - share };
        let weights = || lists.iter().map(|list| f64::from(list.0 == wants_drawn) / propensity);
        let rewards = || lists.iter().map(|list| f64::from(list.1));
        let (n, total): (f64, f64) = (lists.len() as f64, weights().sum());
        let products: Vec<f64> = weights().zip(rewards()).map(|(w, r)| w * r).collect();
        let sum: f64 = products.iter().sum();
        let ips = sum / n;
        let variance = products.iter().map(|one| (one - ips).powi(2)).sum::<f64>() / (n - 1.0) / n;
        let snips = sum / total;
        let squares: f64 = weights().zip(rewards()).map(|(w, r)| (w * (r - snips)).powi(2)).sum();
        let error = squares.sqrt() / total;
        assert!((estimate.ips_standard_error - variance.sqrt()).abs() < 1e-9);
        assert!((estimate.snips_standard_error - error).abs() < 1e-9);
        close(estimate.ips, ips, Z * variance.sqrt(), Z * variance.sqrt());
        close(estimate.snips, snips, Z * error, Z * error);
        let kish = total * total / weights().map(|w| w * w).sum::<f64>();
        assert!((estimate.effective_exposures - kish).abs() < 1e-6);
    }
    assert_eq!(found.arms[0].exploration, None);
}

#[test]
fn nothing_is_said_of_what_was_never_shown() {
    let drawn_only = StoredTally {
        users: 5,
        exposures: 9,
        explored_exposures: 9,
        outcomes: vec![StoredOutcome { explored: 2, ..StoredOutcome::default() }; 3],
        ..StoredTally::default()
    };
    let found = report(&experiment(1.0), &[("b".to_owned(), drawn_only)].into(), 0.9);
    let exploration = found.arms[1].exploration.as_ref().expect("it explored");
    assert!(exploration.estimates.iter().all(|one| one.policy() == Policy::Explore));
    let value = exploration.estimates[0].snips.expect("estimated").estimate;
    assert!((value - 2.0 / 9.0).abs() < 1e-12);
}
