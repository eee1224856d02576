//! What the raw scores of a source are divided by before they are mixed.
//!
//! Scales depend on the query and on published data only, never on the scores of one shard. Each is
//! finite and above 0: 1 where a query says nothing.

use ndarray::ArrayView2;

/// Scale of a neighbourhood: the length that the scores would have if no two items of the profile
/// shared a neighbour, `sqrt(sum h_i^2 |w_i|^2)`. `rows` and `weights` are the profile; `norms[i]`
/// is the length of row i's kept neighbours, 0 beyond the end.
#[must_use]
pub fn profile_scale(rows: &[u32], weights: &[f32], norms: &[f32]) -> f64 {
    let squares = rows.iter().zip(weights).map(|(&row, &weight)| {
        let norm = norms.get(row as usize).copied().unwrap_or_default();
        (f64::from(weight) * f64::from(norm)).powi(2)
    });
    positive(squares.sum::<f64>().sqrt())
}

/// Scale of factors: the standard deviation of the scores over all items, `sqrt(p'Cp)` for the
/// user's `vector` p and the `covariance` C of the items' factors.
///
/// # Panics
/// When the sizes differ.
#[must_use]
pub fn vector_scale(vector: &[f32], covariance: ArrayView2<'_, f64>) -> f64 {
    assert_eq!(covariance.dim(), (vector.len(), vector.len()), "one covariance a dimension");
    let square: f64 = (covariance.rows().into_iter().zip(vector))
        .map(|(row, &left)| {
            let product: f64 = row.iter().zip(vector).map(|(c, &right)| c * f64::from(right)).sum();
            product * f64::from(left)
        })
        .sum();
    positive(square.max(0.0).sqrt())
}

/// Scale of sources that give scores right away, by user or by item: the length of the scores.
#[must_use]
pub fn score_scale(scores: &[f32]) -> f64 {
    positive(scores.iter().map(|&score| f64::from(score).powi(2)).sum::<f64>().sqrt())
}

fn positive(scale: f64) -> f64 {
    if scale.is_finite() && scale >= f64::MIN_POSITIVE { scale } else { 1.0 }
}
