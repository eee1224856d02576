//! What similar users have.

use super::{SimilarUser, UserIndex, UserSearch, UserSimilarity};

impl UserSearch {
    /// The at most `limit` best items of `neighbours`, as (row, score) ascending by row; scores are
    /// never 0, ties of the limit go to the lower row.
    ///
    /// A score is the sum over the neighbours who have the item of similarity times value; with
    /// [`UserSimilarity::Pearson`] on a matrix of values, times (value - mean of the neighbour). It
    /// is not divided by the sum of similarities: that would predict ratings, but ranks items that a
    /// single neighbour liked above those that all have. Sums run in the order of `neighbours`.
    pub fn scores(
        &mut self,
        index: &UserIndex<'_>,
        similarity: UserSimilarity,
        neighbours: &[SimilarUser],
        limit: usize,
    ) -> Vec<(u32, f32)> {
        let is_centred = similarity == UserSimilarity::Pearson && index.is_weighted();
        self.sums.resize(self.sums.len().max(index.items()), 0.0);
        let mut met: Vec<u32> = Vec::new();
        for neighbour in neighbours {
            let (labels, values) = index.user(neighbour.user);
            let means = &index.moments().means;
            let mean = means.get(neighbour.user as usize).copied().unwrap_or_default();
            let mean = if is_centred { f64::from(mean) } else { 0.0 };
            for (at, &label) in labels.iter().enumerate() {
                let value = values.map_or(1.0, |values| f64::from(values[at]));
                let sum = &mut self.sums[label as usize];
                if *sum == 0.0 {
                    met.push(label);
                }
                *sum += neighbour.similarity * (value - mean);
            }
        }
        let mut found: Vec<(u32, f32)> = Vec::with_capacity(met.len());
        for label in met {
            // A sum that has been 0 in between is met twice and taken once.
            let sum = std::mem::take(&mut self.sums[label as usize]) as f32;
            if sum != 0.0 && sum.is_finite() {
                found.push((index.row_of_label(label), sum));
            }
        }
        if found.len() > limit {
            found.select_nth_unstable_by(limit, |left, right| {
                right.1.total_cmp(&left.1).then(left.0.cmp(&right.0))
            });
            found.truncate(limit);
        }
        found.sort_unstable_by_key(|&(row, _)| row);
        found
    }
}
