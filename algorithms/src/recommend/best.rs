//! Sums by label, and the best of them as neighbours of a source.

use super::similarity::Neighbours;

/// Sums by label; all 0 between two sources.
pub(super) struct Sums {
    sums: Vec<f64>,
    touched: Vec<u32>,
}

impl Sums {
    pub(super) fn new(labels: usize) -> Self {
        Self { sums: vec![0.0; labels], touched: Vec::new() }
    }

    /// Adds a product above 0.
    #[inline(always)]
    pub(super) fn add(&mut self, label: u32, product: f64) {
        let sum = &mut self.sums[label as usize];
        if *sum == 0.0 {
            self.touched.push(label);
        }
        *sum += product;
    }

    /// Hands out the labels with a sum, in the order in which they were added first, and clears
    /// them.
    pub(super) fn take(&mut self, mut take: impl FnMut(u32, f64)) {
        for label in self.touched.drain(..) {
            take(label, std::mem::take(&mut self.sums[label as usize]));
        }
    }
}

/// Appends a source with the `k` of `candidates`, pairs of label and weight, that are greatest in
/// magnitude, ties by row: in the order that [`Neighbours`] promises. Weights that are 0 or no
/// numbers are left out; so is what the candidates were.
pub(super) fn push_best(
    neighbours: &mut Neighbours,
    candidates: &mut Vec<(u32, f32)>,
    k: usize,
    row_of_label: &[u32],
) {
    let row = |label: u32| row_of_label[label as usize];
    // Magnitudes order like their bits.
    let magnitude = |&(_, weight): &(u32, f32)| weight.abs().to_bits();
    candidates.retain(|&(_, weight)| weight != 0.0 && weight.is_finite());
    if let Some(last) = k.checked_sub(1).filter(|&last| last < candidates.len()) {
        // Rows are far apart in memory: only those of ties with the last are looked at.
        let (_, worst, _) = candidates
            .select_nth_unstable_by(last, |left, right| magnitude(right).cmp(&magnitude(left)));
        let bar = magnitude(worst);
        candidates.retain(|candidate| magnitude(candidate) >= bar);
        if candidates.len() > k {
            candidates.select_nth_unstable_by(last, |left, right| {
                let by_magnitude = magnitude(right).cmp(&magnitude(left));
                by_magnitude.then_with(|| row(left.0).cmp(&row(right.0)))
            });
        }
    }
    candidates.truncate(k);
    candidates.sort_unstable_by(|left, right| {
        right.1.total_cmp(&left.1).then_with(|| row(left.0).cmp(&row(right.0)))
    });
    if neighbours.offsets.is_empty() {
        neighbours.offsets.push(0);
    }
    neighbours.targets.extend(candidates.iter().map(|&(label, _)| label));
    neighbours.weights.extend(candidates.drain(..).map(|(_, weight)| weight));
    neighbours.offsets.push(neighbours.targets.len() as u64);
}

/// Puts sources that were worked off in pieces behind one another.
pub(super) fn concatenate(pieces: Vec<Neighbours>) -> Neighbours {
    let sources: usize = pieces.iter().map(|piece| piece.offsets.len().saturating_sub(1)).sum();
    let entries: usize = pieces.iter().map(|piece| piece.targets.len()).sum();
    let mut whole = Neighbours {
        offsets: Vec::with_capacity(sources + 1),
        targets: Vec::with_capacity(entries),
        weights: Vec::with_capacity(entries),
    };
    whole.offsets.push(0);
    for piece in pieces {
        let start = whole.targets.len() as u64;
        whole.offsets.extend(piece.offsets.iter().skip(1).map(|end| start + end));
        whole.targets.extend(piece.targets);
        whole.weights.extend(piece.weights);
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_greatest_magnitudes_in_order_of_weight() {
        let rows = [3, 2, 1, 0, 4];
        let mut pieces = vec![Neighbours::default(), Neighbours::default()];
        let mut candidates =
            vec![(0, 0.5), (1, -2.0), (2, 0.5), (3, f32::NAN), (4, 0.25), (3, 0.0)];
        push_best(&mut pieces[0], &mut candidates, 3, &rows);
        push_best(&mut pieces[1], &mut vec![(0, 1.0), (3, 1.0)], 1, &rows);
        push_best(&mut pieces[1], &mut vec![(0, 1.0)], 0, &rows);
        let expected = Neighbours {
            offsets: vec![0, 3, 4, 4],
            targets: vec![2, 0, 1, 3],
            weights: vec![0.5, 0.5, -2.0, 1.0],
        };
        assert_eq!(concatenate(pieces), expected);
        assert_eq!(concatenate(vec![]).offsets, [0]);
    }
}
