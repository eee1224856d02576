//! The system of equations of one row.
//!
//! With `Y` the factors of the row's columns, `W` their weights and `D` a diagonal, solves
//! `(D + Y'WY) x = Y't` by conjugate gradients preconditioned with `D`. Nearly all time goes into
//! products with `Y` and `Y'`: rows are gathered into a buffer of their own once, and each pass
//! takes four of them for both products.

use super::{aligned::Aligned, fixed::LANES};
use crate::recommend::control::{Cancelled, Meter};

type Lane = [f32; LANES];

/// Bytes up to which factors are gathered: they and the vectors stay in the cache of a core.
const GATHERED: usize = 1 << 20;
/// Rows of factors that are asked for ahead of their use.
const AHEAD: usize = 8;
/// Rows that are multiplied at once.
const GROUP: usize = 4;
/// Rows between two reports of work.
const REPORTED: usize = 256;
/// Share of the first residual, squared, at which roundings are all that is left.
const SETTLED: f32 = 1e-14;

/// What a thread needs to solve rows.
pub(super) struct Scratch {
    gathered: Aligned,
    zeros: Aligned,
    residual: Aligned,
    direction: Aligned,
    product: Aligned,
    /// `D`, all above 0.
    pub(super) diagonal: Aligned,
    /// Weight, and weight times target, of each column.
    pub(super) cells: Vec<(f32, f32)>,
}

impl Scratch {
    /// For factors of padded length `stride`.
    pub(super) fn new(stride: usize) -> Self {
        let vector = || Aligned::zeroed(stride);
        Self {
            gathered: Aligned::zeroed((GATHERED / size_of::<f32>()).max(GROUP * stride)),
            zeros: vector(),
            residual: vector(),
            direction: vector(),
            product: vector(),
            diagonal: vector(),
            cells: Vec::new(),
        }
    }
}

/// A row's columns among the factors of the fixed side.
pub(super) struct Row<'a> {
    pub(super) fixed: &'a [f32],
    /// Numbers of a factor, a multiple of [`LANES`].
    pub(super) stride: usize,
    pub(super) columns: &'a [u32],
}

impl Row<'_> {
    /// Moves `x` toward the solution of the system in `scratch`.
    pub(super) fn solve(
        &self,
        steps: u32,
        x: &mut [f32],
        scratch: &mut Scratch,
        meter: &mut Meter<'_>,
    ) -> Result<(), Cancelled> {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: the processor has both features.
            #[expect(unsafe_code, reason = "calls code for a processor that was asked first")]
            return unsafe { self.solve_avx2(steps, x, scratch, meter) };
        }
        self.dispatch::<false>(steps, x, scratch, meter)
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn solve_avx2(
        &self,
        steps: u32,
        x: &mut [f32],
        scratch: &mut Scratch,
        meter: &mut Meter<'_>,
    ) -> Result<(), Cancelled> {
        self.dispatch::<true>(steps, x, scratch, meter)
    }

    /// Lengths that are known to the compiler are faster.
    #[inline(always)]
    fn dispatch<const FUSED: bool>(
        &self,
        steps: u32,
        x: &mut [f32],
        scratch: &mut Scratch,
        meter: &mut Meter<'_>,
    ) -> Result<(), Cancelled> {
        match self.stride / LANES {
            4 => self.descend::<FUSED, 4>(steps, x, scratch, meter),
            8 => self.descend::<FUSED, 8>(steps, x, scratch, meter),
            _ => self.descend::<FUSED, 0>(steps, x, scratch, meter),
        }
    }

    /// Preconditioned conjugate gradients (Hestenes and Stiefel 1952).
    #[inline(always)]
    fn descend<const FUSED: bool, const LENGTH: usize>(
        &self,
        steps: u32,
        x: &mut [f32],
        scratch: &mut Scratch,
        meter: &mut Meter<'_>,
    ) -> Result<(), Cancelled> {
        let length = if LENGTH > 0 { LENGTH } else { self.stride / LANES };
        let Scratch { gathered, zeros, residual, direction, product, diagonal, cells } = scratch;
        let x = &mut lanes_mut(x)[..length];
        let zeros = &lanes(zeros)[..length];
        let (residual, direction) =
            (&mut lanes_mut(residual)[..length], &mut lanes_mut(direction)[..length]);
        let product = &mut lanes_mut(product)[..length];
        let diagonal = &lanes(diagonal)[..length];
        let gathered = lanes_mut(gathered);
        let is_gathered = self.columns.len().next_multiple_of(GROUP) * length <= gathered.len();

        for c in 0..length {
            for i in 0..LANES {
                residual[c][i] = -diagonal[c][i] * x[c][i];
            }
        }
        for (group, cells) in cells.chunks(GROUP).enumerate() {
            let at = group * GROUP;
            self.look_ahead(at, length);
            if is_gathered {
                let copies = &mut gathered[at * length..][..GROUP * length];
                for (k, copy) in copies.chunks_exact_mut(length).enumerate() {
                    copy.copy_from_slice(self.factor(at + k, zeros));
                }
                let rows = split(copies, length);
                add::<FUSED>(
                    rows,
                    x,
                    cells,
                    |dot, (weight, target)| target - weight * dot,
                    residual,
                );
            } else {
                let rows = std::array::from_fn(|k| self.factor(at + k, zeros));
                add::<FUSED>(
                    rows,
                    x,
                    cells,
                    |dot, (weight, target)| target - weight * dot,
                    residual,
                );
            }
            self.report(at, meter)?;
        }

        let mut size = scaled::<FUSED>(residual, diagonal);
        let settled = size * SETTLED;
        for c in 0..length {
            for i in 0..LANES {
                direction[c][i] = residual[c][i] / diagonal[c][i];
            }
        }
        for step in 0..steps {
            if !(size > settled && size.is_finite()) {
                break;
            }
            for c in 0..length {
                for i in 0..LANES {
                    product[c][i] = diagonal[c][i] * direction[c][i];
                }
            }
            for (group, cells) in cells.chunks(GROUP).enumerate() {
                let at = group * GROUP;
                let rows = if is_gathered {
                    split(&gathered[at * length..][..GROUP * length], length)
                } else {
                    self.look_ahead(at, length);
                    std::array::from_fn(|k| self.factor(at + k, zeros))
                };
                add::<FUSED>(rows, direction, cells, |dot, (weight, _)| weight * dot, product);
                self.report(at, meter)?;
            }
            let rate = size / dot::<FUSED>(direction, product);
            if !rate.is_finite() {
                break;
            }
            for c in 0..length {
                axpy::<FUSED>(&mut x[c], rate, &direction[c]);
            }
            if step + 1 == steps {
                break;
            }
            for c in 0..length {
                axpy::<FUSED>(&mut residual[c], -rate, &product[c]);
            }
            let next = scaled::<FUSED>(residual, diagonal);
            let share = next / size;
            size = next;
            for c in 0..length {
                for i in 0..LANES {
                    direction[c][i] = residual[c][i] / diagonal[c][i] + share * direction[c][i];
                }
            }
        }
        Ok(())
    }

    /// The factor of a column; zeros beyond the last.
    #[inline(always)]
    fn factor<'a>(&'a self, at: usize, zeros: &'a [Lane]) -> &'a [Lane] {
        match self.columns.get(at) {
            Some(&column) => &lanes(self.fixed)[column as usize * zeros.len()..][..zeros.len()],
            None => zeros,
        }
    }

    /// Factors are scattered over memory: asks for those that come next.
    #[inline(always)]
    fn look_ahead(&self, at: usize, length: usize) {
        for ahead in at + AHEAD..at + AHEAD + GROUP {
            if let Some(&column) = self.columns.get(ahead) {
                let first = column as usize * length;
                lanes(self.fixed)[first..first + length].iter().for_each(prefetch);
            }
        }
    }

    #[inline(always)]
    fn report(&self, at: usize, meter: &mut Meter<'_>) -> Result<(), Cancelled> {
        if at % REPORTED == 0 {
            let rows = (self.columns.len() - at).min(REPORTED);
            meter.add((rows * self.stride / LANES) as u64)?;
        }
        Ok(())
    }
}

/// Adds to `sum` the rows, each times what `coefficient` makes of its product with `vector`.
#[inline(always)]
fn add<const FUSED: bool>(
    rows: [&[Lane]; GROUP],
    vector: &[Lane],
    cells: &[(f32, f32)],
    coefficient: impl Fn(f32, (f32, f32)) -> f32,
    sum: &mut [Lane],
) {
    let length = vector.len();
    let rows = rows.map(|row| &row[..length]);
    let sum = &mut sum[..length];
    let mut dots = [[0f32; LANES]; GROUP];
    for c in 0..length {
        for k in 0..GROUP {
            multiply_add::<FUSED>(&mut dots[k], &rows[k][c], &vector[c]);
        }
    }
    let mut scales = [0f32; GROUP];
    for (k, &cell) in cells.iter().enumerate().take(GROUP) {
        scales[k] = coefficient(total(&dots[k]), cell);
    }
    for c in 0..length {
        for k in 0..GROUP {
            axpy::<FUSED>(&mut sum[c], scales[k], &rows[k][c]);
        }
    }
}

/// `vector' D^-1 vector`.
#[inline(always)]
fn scaled<const FUSED: bool>(vector: &[Lane], diagonal: &[Lane]) -> f32 {
    let mut sum = [0f32; LANES];
    for (vector, diagonal) in vector.iter().zip(diagonal) {
        let mut quotient = *vector;
        for i in 0..LANES {
            quotient[i] /= diagonal[i];
        }
        multiply_add::<FUSED>(&mut sum, vector, &quotient);
    }
    total(&sum)
}

#[inline(always)]
fn dot<const FUSED: bool>(left: &[Lane], right: &[Lane]) -> f32 {
    let mut sum = [0f32; LANES];
    for (left, right) in left.iter().zip(right) {
        multiply_add::<FUSED>(&mut sum, left, right);
    }
    total(&sum)
}

#[inline(always)]
fn multiply_add<const FUSED: bool>(sum: &mut Lane, left: &Lane, right: &Lane) {
    for i in 0..LANES {
        sum[i] = fused::<FUSED>(left[i], right[i], sum[i]);
    }
}

#[inline(always)]
fn axpy<const FUSED: bool>(sum: &mut Lane, scale: f32, vector: &Lane) {
    for i in 0..LANES {
        sum[i] = fused::<FUSED>(scale, vector[i], sum[i]);
    }
}

/// One rounding where the processor has an instruction for it, which is a function call elsewhere.
#[inline(always)]
fn fused<const FUSED: bool>(left: f32, right: f32, sum: f32) -> f32 {
    if FUSED { left.mul_add(right, sum) } else { left * right + sum }
}

/// Halves until one is left: the order of vector instructions.
#[inline(always)]
fn total(lane: &Lane) -> f32 {
    let mut sums = *lane;
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            sums[i] += sums[i + width];
        }
        width /= 2;
    }
    sums[0]
}

#[inline(always)]
fn split(rows: &[Lane], length: usize) -> [&[Lane]; GROUP] {
    std::array::from_fn(|k| &rows[k * length..(k + 1) * length])
}

#[inline(always)]
fn lanes(values: &[f32]) -> &[Lane] {
    values.as_chunks().0
}

#[inline(always)]
fn lanes_mut(values: &mut [f32]) -> &mut [Lane] {
    values.as_chunks_mut().0
}

#[inline(always)]
fn prefetch(lane: &Lane) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint on a valid address; it neither reads nor writes.
    #[expect(unsafe_code, reason = "prefetching has no safe form")]
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(lane).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = lane;
}
