//! How alike two results are.

/// Facts of a result that tell how alike it is to others.
#[derive(Clone, Copy, Debug, Default)]
pub struct Likeness<'a> {
    /// Vector of length 1; empty where there is none.
    pub vector: &'a [f32],
    /// Hashes of categories and brand, which count where one of two has no vector; any order.
    pub labels: &'a [u64],
}

impl Likeness<'_> {
    /// Cosine of the vectors where both have one of the same dimension, else Jaccard's index of the
    /// labels: 0 to 1, what points apart is as unlike as can be.
    #[must_use]
    pub fn with(&self, other: &Self) -> f64 {
        if !self.vector.is_empty() && self.vector.len() == other.vector.len() {
            let dot = dot(self.vector, other.vector);
            return if dot > 0.0 { dot.min(1.0) } else { 0.0 };
        }
        let is_first = |labels: &[u64], at: usize| !labels[..at].contains(&labels[at]);
        let distinct =
            |labels: &[u64]| (0..labels.len()).filter(|&at| is_first(labels, at)).count();
        let common = (0..self.labels.len())
            .filter(|&at| is_first(self.labels, at) && other.labels.contains(&self.labels[at]))
            .count();
        let union = distinct(self.labels) + distinct(other.labels) - common;
        if union == 0 { 0.0 } else { common as f64 / union as f64 }
    }
}

/// In eight sums side by side, which a processor adds up at once.
fn dot(one: &[f32], two: &[f32]) -> f64 {
    let mut sums = [0.0f64; 8];
    let (ones, twos) = (one.chunks_exact(8), two.chunks_exact(8));
    let rest = ones.remainder().iter().zip(twos.remainder());
    let rest = rest.fold(0.0, |sum, (&one, &two)| sum + f64::from(one) * f64::from(two));
    for (one, two) in ones.zip(twos) {
        for ((sum, &one), &two) in sums.iter_mut().zip(one).zip(two) {
            *sum += f64::from(one) * f64::from(two);
        }
    }
    sums.into_iter().fold(rest, |total, sum| total + sum)
}
