//! Exact ridge regression of every item on all others.

use ndarray::s;

use crate::{
    control::{Cancelled, Control, work_off},
    linalg::{
        sparse::{Columns, Csr},
        symmetric::Symmetric,
    },
    recommend::{
        best::{concatenate, push_best},
        popularity::inverse,
        similarity::Neighbours,
    },
};

/// Rows and columns of a block.
const BLOCK: usize = 256;

/// EASE (Steck 2019, arXiv 1905.03375): the weights `B` without diagonal that minimise
/// `|X - XB|^2 + regularization |B|^2`, of each source row the `k` greatest in magnitude.
///
/// `P = (X'X + regularization I)^-1`, `B_ij = -P_ij / P_jj`. `users` are the parts of `X` in order,
/// their columns and the targets are labels; sources are all rows in order; ties go to the lower
/// row. The inverse is dense: `4 n^2` bytes for `n` items and `n^3` flops, so this is for some
/// 20,000 items. A regularization below 0 counts as 0. The same
/// bits for any number of threads and any split of the users.
///
/// # Errors
/// When `control` says so.
///
/// # Panics
/// When `users` have columns beyond `row_of_label`.
pub fn ease(
    regularization: f64,
    users: &[Csr<'_>],
    row_of_label: &[u32],
    k: usize,
    control: &dyn Control,
) -> Result<Neighbours, Cancelled> {
    in_blocks(regularization, users, row_of_label, k, BLOCK, control)
}

pub(super) fn in_blocks(
    regularization: f64,
    users: &[Csr<'_>],
    row_of_label: &[u32],
    k: usize,
    block: usize,
    control: &dyn Control,
) -> Result<Neighbours, Cancelled> {
    let items = row_of_label.len();
    let columns = Columns::new(users, items, control)?;
    // In units of its diagonal the matrix has ones there, whatever the values are.
    let scales: Vec<f64> = (0..items)
        .map(|label| columns.square(label) + regularization.max(0.0))
        .map(|diagonal| if diagonal > 0.0 { 1.0 / diagonal.sqrt() } else { 1.0 })
        .collect();
    let mut matrix = gram(&columns, &scales, block, control)?;
    drop(columns);
    matrix.sweep(control)?;
    let matrix = &matrix;
    let diagonal: Vec<f64> = (0..items).map(|label| matrix.diagonal(label)).collect();
    let mut pieces = vec![Neighbours::default(); items];
    let jobs = pieces.chunks_mut(block).enumerate().collect();
    work_off(jobs, control, Vec::new, |best, meter, (at, pieces): (usize, &mut [Neighbours])| {
        let panel = matrix.panel(at);
        for ((source, piece), entries) in (at * block..).zip(pieces).zip(panel.columns()) {
            for (label, &entry) in entries.iter().enumerate() {
                if label != source {
                    let scale = scales[source] / scales[label];
                    best.push((label as u32, (-entry / diagonal[label] * scale) as f32));
                }
            }
            push_best(piece, best, k, row_of_label);
            meter.add(8 * items as u64)?;
        }
        Ok(())
    })?;
    let by_row = inverse(row_of_label).into_iter();
    Ok(concatenate(by_row.map(|label| std::mem::take(&mut pieces[label as usize])).collect()))
}

/// `X'X` with `scales` on both sides and ones on its diagonal.
fn gram(
    columns: &Columns<'_>,
    scales: &[f64],
    block: usize,
    control: &dyn Control,
) -> Result<Symmetric, Cancelled> {
    let mut matrix = Symmetric::zeros(columns.items(), block);
    let jobs = matrix.rows_mut().collect();
    work_off(
        jobs,
        control,
        || (),
        |(), meter, (first, mut rows)| {
            for (label, mut row) in (first..).zip(rows.rows_mut()) {
                let row = row.as_slice_mut().expect("rows are contiguous");
                columns.products(label, 0..label as u32, meter, |column, product| {
                    row[column as usize] += product;
                })?;
                for (entry, scale) in row[..label].iter_mut().zip(scales) {
                    *entry *= scales[label] * scale;
                }
                row[label] = 1.0;
                meter.add(label as u64)?;
            }
            let (height, mut diagonal) = (rows.nrows(), rows.slice_mut(s![.., first..]));
            for row in 0..height {
                for column in row + 1..height {
                    diagonal[[row, column]] = diagonal[[column, row]];
                }
            }
            Ok(())
        },
    )?;
    Ok(matrix)
}
