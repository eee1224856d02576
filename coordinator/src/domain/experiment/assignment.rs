//! Chance that can be repeated: everything follows from hashes of what the log holds.

use mercer_algorithms::experiment;
use mercer_proto::v1::Experiment;
use xxhash_rust::xxh3::Xxh3;

/// The index of a user's arm. Different experiments split users independently of each other.
pub(crate) fn arm_of(experiment: &Experiment, user_id: &str) -> usize {
    let weights: Vec<u32> = experiment.arms.iter().map(|arm| arm.weight).collect();
    let hash = hash(b"arm\0", &[experiment.experiment_id.as_bytes(), user_id.as_bytes()]);
    // Some weight is above 0.
    experiment::arm(hash, &weights).unwrap_or_default()
}

/// Decides how the last place of one answer is filled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draw {
    share: f64,
    whether: u64,
    which: u64,
}

impl Draw {
    /// For an answer of this name, which its attribution token holds; `None` where `share` is 0.
    pub(crate) fn new(
        share: f64,
        experiment_id: &str,
        user_id: &str,
        answer_id: &[u8],
    ) -> Option<Self> {
        let parts = [experiment_id.as_bytes(), user_id.as_bytes(), answer_id];
        let (whether, which) = (hash(b"explore\0", &parts), hash(b"item\0", &parts));
        (share > 0.0).then_some(Self { share, whether, which })
    }

    /// How often a place is explored.
    pub(crate) fn share(&self) -> f64 {
        self.share
    }

    /// Whether a drawn item takes the place.
    pub(crate) fn explores(&self) -> bool {
        const UNIT: f64 = 1.0 / (1_u64 << 53) as f64;
        (self.whether >> 11) as f64 * UNIT < self.share
    }

    /// Which of `alternatives` items it is, each equally likely; there must be one.
    pub(crate) fn pick(&self, alternatives: usize) -> usize {
        let product = u128::from(self.which) * alternatives as u128;
        usize::try_from(product >> 64).expect("below the number of alternatives")
    }
}

/// A hash of parts that hold no NUL, except perhaps the last.
fn hash(purpose: &[u8], parts: &[&[u8]]) -> u64 {
    let mut hasher = Xxh3::new();
    hasher.update(purpose);
    for part in parts {
        hasher.update(part);
        hasher.update(b"\0");
    }
    hasher.digest()
}

#[cfg(test)]
mod tests {
    use mercer_proto::v1::Arm;

    use super::*;

    fn experiment(experiment_id: &str, weights: &[u32]) -> Experiment {
        Experiment {
            experiment_id: experiment_id.into(),
            arms: weights.iter().map(|&weight| Arm { weight, ..Arm::default() }).collect(),
            ..Experiment::default()
        }
    }

    fn users() -> impl Iterator<Item = String> {
        (0..20_000).map(|number| format!("user-{number}"))
    }

    #[test]
    fn users_split_by_weight_and_independently_between_experiments() {
        let (one, two) = (experiment("one", &[1, 3]), experiment("two", &[1, 3]));
        let mut counts = [[0_u32; 2]; 2];
        for user in users() {
            counts[arm_of(&one, &user)][arm_of(&two, &user)] += 1;
        }
        // Of 20,000; five standard deviations of the widest are 310.
        let expected = [[1_250, 3_750], [3_750, 11_250]];
        for (count, expected) in counts.as_flattened().iter().zip(expected.as_flattened()) {
            assert!(count.abs_diff(*expected) < 310, "{counts:?}");
        }
        // For ever: a user who changed arms would spoil every running experiment.
        let arms: Vec<usize> = users().take(12).map(|user| arm_of(&one, &user)).collect();
        assert_eq!(arms, [1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1]);
    }

    #[test]
    fn draws_explore_as_often_as_they_should_and_pick_evenly() {
        let mut picked = [0_u32; 5];
        for user in users() {
            let draw = Draw::new(0.25, "e", &user, &[0, 7]).expect("a share");
            if draw.explores() {
                picked[draw.pick(5)] += 1;
            }
            assert!(!Draw::new(1e-300, "e", &user, &[7]).expect("a share").explores());
            assert!(Draw::new(1.0, "e", &user, &[7]).expect("a share").explores());
        }
        // 1,000 each; five standard deviations are 154.
        assert!(picked.iter().all(|count| count.abs_diff(1_000) < 154), "{picked:?}");
        assert!(Draw::new(0.0, "e", "u", &[7]).is_none());
    }
}
