//! Texts and embeddings together.

use crate::{
    control::{Cancelled, Control, work_off},
    linalg::sparse::Columns,
    recommend::{
        best::{concatenate, push_best},
        factors::FactorMatrix,
        similarity::Neighbours,
    },
};

/// Sources that a thread takes at once.
const CHUNK: usize = 32;

/// What pairs of items weigh by their terms and embeddings.
pub(super) struct Blend<'a> {
    /// Weight of the embeddings, above 0 and at most 1.
    pub(super) weight: f64,
    /// Terms by label.
    pub(super) columns: Columns<'a>,
    /// Lengths of the columns.
    pub(super) norms: &'a [f64],
    /// Embeddings of the items, by row.
    pub(super) embeddings: &'a FactorMatrix<'a>,
    pub(super) row_of_label: &'a [u32],
    pub(super) label_of_row: &'a [u32],
}

impl Blend<'_> {
    /// The `k` best of each source, a label, among its neighbours by text (labels) and those by
    /// embedding (rows).
    pub(super) fn neighbours(
        &self,
        sources: &[u32],
        of_text: &Neighbours,
        of_embedding: &Neighbours,
        k: usize,
        control: &dyn Control,
    ) -> Result<Neighbours, Cancelled> {
        let scales: Vec<f64> = (0..self.embeddings.rows())
            .map(|row| 1.0 / product(self.embeddings.row(row), self.embeddings.row(row)).sqrt())
            .collect();
        control.begin(sources.len() as u64);
        let mut pieces = vec![Neighbours::default(); sources.len().div_ceil(CHUNK)];
        let jobs = pieces.iter_mut().zip((0..).step_by(CHUNK)).collect();
        work_off(
            jobs,
            control,
            || (Vec::new(), Vec::new()),
            |(candidates, best), meter, (piece, first)| {
                for (source, &label) in (first..).zip(&sources[first..]).take(CHUNK) {
                    let text = of(of_text, source);
                    let near = of(of_embedding, source);
                    candidates.extend_from_slice(text);
                    candidates.extend(near.iter().map(|&row| self.label_of_row[row as usize]));
                    candidates.sort_unstable();
                    candidates.dedup();
                    let work = self.embeddings.dimensions() as u64 + 64;
                    for candidate in candidates.drain(..) {
                        best.push((candidate, self.pair(label, candidate, &scales)));
                        meter.add(work)?;
                    }
                    meter.done(1);
                    best.retain(|&(_, weight)| weight > 0.0);
                    push_best(piece, best, k, self.row_of_label);
                }
                Ok(())
            },
        )?;
        Ok(concatenate(pieces))
    }

    fn pair(&self, left: u32, right: u32, scales: &[f64]) -> f32 {
        let (left, right) = (left as usize, right as usize);
        let norm = self.norms[left] * self.norms[right];
        let text = if norm > 0.0 { self.columns.product(left, right) / norm } else { 0.0 };
        let rows = [left, right].map(|label| self.row_of_label[label] as usize);
        let scale = scales[rows[0]] * scales[rows[1]];
        let embedding = product(self.embeddings.row(rows[0]), self.embeddings.row(rows[1])) * scale;
        // Without an embedding its scale is no number, nor is then the product.
        let blended = (1.0 - self.weight) * text + self.weight * embedding;
        if embedding.is_finite() { blended as f32 } else { text as f32 }
    }
}

fn of(neighbours: &Neighbours, source: usize) -> &[u32] {
    let bounds = &neighbours.offsets[source..=source + 1];
    &neighbours.targets[bounds[0] as usize..bounds[1] as usize]
}

/// Dot product in four sums, so that they run side by side.
fn product(left: &[f32], right: &[f32]) -> f64 {
    let mut sums = [0f64; 4];
    for (left, right) in left.chunks(4).zip(right.chunks(4)) {
        for ((sum, left), right) in sums.iter_mut().zip(left).zip(right) {
            *sum += f64::from(*left) * f64::from(*right);
        }
    }
    sums.iter().sum()
}
