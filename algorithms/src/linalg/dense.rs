//! Products of dense matrices that lie in slices.

use ndarray::{ArrayView2, ArrayViewMut2, linalg::general_mat_mul};

/// `rows` by `columns` numbers as a matrix.
pub(crate) fn view(values: &[f32], rows: usize, columns: usize) -> ArrayView2<'_, f32> {
    ArrayView2::from_shape((rows, columns), values).expect("a slice of rows by columns")
}

/// Writes `left right` to `product`, row by row.
///
/// Each element is summed in the same order wherever it stands, so it does not depend on how rows
/// are grouped into calls.
pub(crate) fn multiply(left: ArrayView2<'_, f32>, right: ArrayView2<'_, f32>, product: &mut [f32]) {
    let shape = (left.nrows(), right.ncols());
    let mut product = ArrayViewMut2::from_shape(shape, product).expect("room for rows by columns");
    general_mat_mul(1.0, &left, &right, 0.0, &mut product);
}
