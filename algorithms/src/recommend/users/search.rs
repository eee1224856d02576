//! The users nearest to a profile.

use std::cmp::Ordering;

use super::{UserIndex, UserSimilarity, index::of_values};
use crate::recommend::score::Profile;

/// Users per wanted one whose similarity is computed from their whole rows, when the budget did not
/// suffice for all columns.
const SHORTLIST: usize = 4;

/// A user of the index, seen from a profile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SimilarUser {
    /// Index of the user.
    pub user: u32,
    /// Above 0 and, but for rounding, at most 1.
    pub similarity: f64,
    /// Items that both have.
    pub common: u32,
}

/// What a user shares with the profile.
#[derive(Clone, Copy, Debug, Default)]
struct Shared {
    product: f64,
    common: u32,
}

/// Searches; keeps its memory between calls.
#[derive(Debug, Default)]
pub struct UserSearch {
    /// By user; `common` is 0 between two calls.
    shared: Vec<Shared>,
    touched: Vec<u32>,
    /// By label; 0 between two calls.
    pub(super) sums: Vec<f64>,
}

/// A profile as one similarity sees it.
struct Query {
    similarity: UserSimilarity,
    is_weighted: bool,
    mean: f64,
    sum: f64,
    /// Of the row as the similarity takes it.
    norm: f64,
}

impl Query {
    fn new(similarity: UserSimilarity, index: &UserIndex<'_>, profile: Profile<'_>) -> Self {
        let (mean, square, centred) = of_values(profile.weights);
        let sum = mean * profile.weights.len() as f64;
        let is_weighted = index.is_weighted();
        let squares = match similarity {
            UserSimilarity::Cosine => square,
            UserSimilarity::Pearson if is_weighted => centred,
            UserSimilarity::Pearson => square - sum * sum / (index.items() as f64).max(1.0),
        };
        let norm = if squares > 1e-12 * square { squares.sqrt() } else { 0.0 };
        Self { similarity, is_weighted, mean, sum, norm }
    }

    /// What the profile's weight and a user's value of one item add.
    #[inline]
    fn product(&self, weight: f32, value: f32, mean: f32) -> f64 {
        let (weight, value) = (f64::from(weight), f64::from(value));
        match self.similarity {
            UserSimilarity::Pearson if self.is_weighted => {
                (weight - self.mean) * (value - f64::from(mean))
            }
            UserSimilarity::Pearson | UserSimilarity::Cosine => weight * value,
        }
    }

    fn finish(&self, index: &UserIndex<'_>, user: u32, shared: Shared) -> Option<SimilarUser> {
        let moments = index.moments();
        let (product, norm) = match self.similarity {
            UserSimilarity::Cosine => (shared.product, moments.norms[user as usize]),
            UserSimilarity::Pearson => {
                let expected = if self.is_weighted {
                    0.0
                } else {
                    self.sum * f64::from(moments.means[user as usize])
                };
                (shared.product - expected, moments.deviations[user as usize])
            }
        };
        let similarity = product / (self.norm * f64::from(norm));
        let is_alike = similarity > 0.0 && similarity.is_finite();
        is_alike.then_some(SimilarUser { user, similarity, common: shared.common })
    }
}

impl UserSearch {
    /// The at most `k` users most similar to the profile, by (similarity descending, user ascending);
    /// only those with an item in common and a similarity above 0, and never `own`.
    ///
    /// Columns are read from the rarest item on until `budget` entries are read, the last one in
    /// part: common items tell little and cost most. While the budget suffices, the result is exact.
    /// Beyond, candidates come from what was read, and the similarities of the best 4 k of them are
    /// computed from their whole rows: these are exact, but a user may be missing.
    pub fn similar_users(
        &mut self,
        index: &UserIndex<'_>,
        similarity: UserSimilarity,
        profile: Profile<'_>,
        own: Option<u32>,
        k: usize,
        budget: usize,
    ) -> Vec<SimilarUser> {
        let query = Query::new(similarity, index, profile);
        if query.norm <= 0.0 || k == 0 {
            return Vec::new();
        }
        let is_complete = self.read(index, &query, profile, budget);
        let mut found = Vec::with_capacity(self.touched.len());
        for user in self.touched.drain(..) {
            let shared = std::mem::take(&mut self.shared[user as usize]);
            if own != Some(user) {
                found.extend(query.finish(index, user, shared));
            }
        }
        if is_complete {
            keep_best(&mut found, k);
            return found;
        }
        keep_best(&mut found, k.saturating_mul(SHORTLIST));
        let by_label = by_label(index, profile);
        let mut exact = Vec::with_capacity(found.len());
        for SimilarUser { user, .. } in found {
            exact.extend(query.finish(index, user, whole(index, &query, &by_label, user)));
        }
        keep_best(&mut exact, k);
        exact
    }

    /// Sums over columns; whether all were read whole.
    fn read(
        &mut self,
        index: &UserIndex<'_>,
        query: &Query,
        profile: Profile<'_>,
        budget: usize,
    ) -> bool {
        self.shared.resize(self.shared.len().max(index.users()), Shared::default());
        let means = &index.moments().means;
        let entries = profile.rows.iter().zip(profile.weights);
        let mut columns: Vec<_> =
            entries.map(|(&row, &weight)| (index.item(row), row, weight)).collect();
        columns.sort_by_key(|((users, _), row, _)| (users.len(), *row));
        let mut left = budget;
        for ((users, values), _, weight) in columns {
            let read = users.len().min(left);
            left -= read;
            for (at, &user) in users[..read].iter().enumerate() {
                let value = values.map_or(1.0, |values| values[at]);
                let shared = &mut self.shared[user as usize];
                if shared.common == 0 {
                    self.touched.push(user);
                }
                shared.common += 1;
                shared.product += query.product(weight, value, means[user as usize]);
            }
            if read < users.len() {
                return false;
            }
        }
        true
    }
}

/// The profile by label.
fn by_label(index: &UserIndex<'_>, profile: Profile<'_>) -> Vec<(u32, f32)> {
    let entries = profile.rows.iter().zip(profile.weights);
    let mut labels: Vec<(u32, f32)> = entries
        .filter_map(|(&row, &weight)| index.label_of_row(row).map(|label| (label, weight)))
        .collect();
    labels.sort_unstable_by_key(|&(label, _)| label);
    labels
}

/// What the whole row of a user shares with the profile.
fn whole(index: &UserIndex<'_>, query: &Query, profile: &[(u32, f32)], user: u32) -> Shared {
    let (labels, values) = index.user(user);
    let mean = index.moments().means[user as usize];
    let mut shared = Shared::default();
    let mut at = 0;
    for &(label, weight) in profile {
        at += labels[at..].partition_point(|&other| other < label);
        if labels.get(at) == Some(&label) {
            let value = values.map_or(1.0, |values| values[at]);
            shared.common += 1;
            shared.product += query.product(weight, value, mean);
        }
    }
    shared
}

fn keep_best(users: &mut Vec<SimilarUser>, k: usize) {
    if users.len() > k {
        users.select_nth_unstable_by(k, order);
        users.truncate(k);
    }
    users.sort_unstable_by(order);
}

fn order(left: &SimilarUser, right: &SimilarUser) -> Ordering {
    right.similarity.total_cmp(&left.similarity).then(left.user.cmp(&right.user))
}
