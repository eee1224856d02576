//! The users nearest to a profile.

use super::{UserIndex, UserSimilarity, index::of_values};
use crate::recommend::score::Profile;

/// Users per wanted one whose similarity is computed from their whole rows, when the budget did not
/// suffice for all columns.
const SHORTLIST: usize = 4;

/// Users whose sums are kept at once: as many as stay in a core's cache.
const BLOCK: u32 = 1 << 15;

/// A user of the index, seen from a profile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SimilarUser {
    /// Index of the user.
    pub user: u32,
    /// Similarity, above 0 and, but for rounding, at most 1.
    pub similarity: f64,
    /// Items that both have.
    pub common: u32,
}

/// Sums over the items that a user shares with the profile.
#[derive(Clone, Copy, Debug, Default)]
struct Shared {
    product: f64,
    common: u32,
}

/// Searches; keeps its memory between calls.
#[derive(Debug, Default)]
pub struct UserSearch {
    /// What the profile shares with each user of a block; `common` is 0 between two blocks.
    shared: Vec<Shared>,
    /// Users of a block with anything in common.
    touched: Vec<u32>,
    /// Score of each label as summed so far; 0 between two calls.
    pub(super) sums: Vec<f64>,
}

/// Part of an item's column that is still to be read.
struct Column<'a> {
    row: u32,
    weight: f32,
    users: &'a [u32],
    values: Option<&'a [f32]>,
}

/// A profile as one similarity sees it.
struct Query {
    similarity: UserSimilarity,
    is_weighted: bool,
    mean: f64,
    sum: f64,
    /// Length of the row as the similarity takes it.
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

    /// Whether means are taken from values.
    fn is_centred(&self) -> bool {
        self.similarity == UserSimilarity::Pearson && self.is_weighted
    }

    /// What the profile's weight and a user's value of one item add; `mean`, the user's, counts only
    /// if values are centred.
    #[inline]
    fn product(&self, weight: f32, value: f32, mean: f32) -> f64 {
        let (weight, value) = (f64::from(weight), f64::from(value));
        if self.is_centred() {
            (weight - self.mean) * (value - f64::from(mean))
        } else {
            weight * value
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
        let (mut columns, is_complete) = columns(index, profile, budget);
        let wanted = if is_complete { k } else { k.saturating_mul(SHORTLIST) };
        let mut found = Best::new(wanted);
        self.shared.resize(BLOCK as usize, Shared::default());
        let users = index.users() as u32;
        for start in (0..users).step_by(BLOCK as usize) {
            self.read(index, &query, &mut columns, start);
            for at in self.touched.drain(..) {
                let user = start + at;
                let shared = std::mem::take(&mut self.shared[at as usize]);
                if own != Some(user) {
                    query.finish(index, user, shared).into_iter().for_each(|one| found.add(one));
                }
            }
        }
        let found = found.finish();
        if is_complete {
            return found;
        }
        let by_label = by_label(index, profile);
        let mut exact = Best::new(k);
        for SimilarUser { user, .. } in found {
            let shared = whole(index, &query, &by_label, user);
            query.finish(index, user, shared).into_iter().for_each(|one| exact.add(one));
        }
        exact.finish()
    }

    /// Sums over what columns hold of the block of users from `start` on.
    fn read(
        &mut self,
        index: &UserIndex<'_>,
        query: &Query,
        columns: &mut Vec<Column<'_>>,
        start: u32,
    ) {
        let means = &index.moments().means;
        for column in columns.iter_mut() {
            let weight = column.weight;
            let read = match column.values {
                None => self.add(column.users, start, |_, _| query.product(weight, 1.0, 0.0)),
                Some(values) if query.is_centred() => self.add(column.users, start, |at, user| {
                    query.product(weight, values[at], means[user as usize])
                }),
                Some(values) => {
                    self.add(column.users, start, |at, _| query.product(weight, values[at], 0.0))
                }
            };
            column.users = &column.users[read..];
            column.values = column.values.map(|values| &values[read..]);
        }
        columns.retain(|column| !column.users.is_empty());
    }

    /// Adds the products of one column, given its place and user; how many there were.
    #[inline]
    fn add(&mut self, users: &[u32], start: u32, product: impl Fn(usize, u32) -> f64) -> usize {
        for (at, &user) in users.iter().enumerate() {
            let Some(shared) = self.shared.get_mut((user - start) as usize) else { return at };
            if shared.common == 0 {
                self.touched.push(user - start);
            }
            shared.common += 1;
            shared.product += product(at, user);
        }
        users.len()
    }
}

/// The columns of the profile's items, the rarest first, as far as the budget goes; whether it goes
/// all the way.
fn columns<'a>(
    index: &UserIndex<'a>,
    profile: Profile<'_>,
    budget: usize,
) -> (Vec<Column<'a>>, bool) {
    let entries = profile.rows.iter().zip(profile.weights);
    let mut columns: Vec<Column<'a>> = entries
        .map(|(&row, &weight)| {
            let (users, values) = index.item(row);
            Column { row, weight, users, values }
        })
        .collect();
    columns.sort_by_key(|column| (column.users.len(), column.row));
    let mut left = budget;
    let mut is_complete = true;
    for column in &mut columns {
        let read = column.users.len().min(left);
        is_complete &= read == column.users.len();
        column.users = &column.users[..read];
        left -= read;
    }
    columns.retain(|column| !column.users.is_empty());
    (columns, is_complete)
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

/// Sums over the items that the whole row of a user shares with the profile.
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

/// The best of all that were added.
struct Best {
    wanted: usize,
    users: Vec<SimilarUser>,
    /// Nobody below is among the best.
    bar: f64,
}

impl Best {
    fn new(wanted: usize) -> Self {
        Self { wanted, users: Vec::new(), bar: 0.0 }
    }

    fn add(&mut self, user: SimilarUser) {
        if user.similarity < self.bar {
            return;
        }
        self.users.push(user);
        if self.users.len() >= self.wanted.saturating_mul(2).max(1_024) {
            self.cut();
            self.bar = self.users.last().map_or(0.0, |last| last.similarity);
        }
    }

    fn cut(&mut self) {
        let order = |left: &SimilarUser, right: &SimilarUser| {
            right.similarity.total_cmp(&left.similarity).then(left.user.cmp(&right.user))
        };
        if self.users.len() > self.wanted {
            self.users.select_nth_unstable_by(self.wanted, order);
            self.users.truncate(self.wanted);
        }
        self.users.sort_unstable_by(order);
    }

    /// Best first.
    fn finish(mut self) -> Vec<SimilarUser> {
        self.cut();
        self.users
    }
}
