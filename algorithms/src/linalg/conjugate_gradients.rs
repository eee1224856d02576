//! Least squares on some rows of a matrix, by conjugate gradients.
//!
//! With `Y` the chosen rows, `W` their weights and `D` a diagonal, solves
//! `(D + Y'WY) x = Y't` by conjugate gradients preconditioned with `D`. Nearly all time goes into
//! products with `Y` and `Y'`: rows are gathered into a buffer of their own once, and each pass
//! takes four of them for both products.

use super::{
    aligned::Aligned,
    lanes::{GROUP, Group, Kernel, LANES, Lane, Portable},
};
use crate::control::{Cancelled, Meter};

/// Bytes up to which factors are gathered: they and the vectors stay in the cache of a core.
const GATHERED: usize = 1 << 20;
/// Rows of factors that are asked for ahead of their use.
const AHEAD: usize = 8;
/// Rows between two reports of work.
const REPORTED: usize = 256;
/// Share of the first residual, squared, at which roundings are all that is left.
const SETTLED: f32 = 1e-14;

/// What a thread needs to solve rows.
pub(crate) struct Scratch {
    gathered: Aligned,
    zeros: Aligned,
    residual: Aligned,
    direction: Aligned,
    product: Aligned,
    /// `D`, all above 0.
    pub(crate) diagonal: Aligned,
    inverse: Aligned,
    /// `W`, and `t`: weights times targets, each with zeros up to a multiple of [`GROUP`].
    pub(crate) weights: Vec<f32>,
    pub(crate) targets: Vec<f32>,
}

impl Scratch {
    /// Makes room for rows of padded length `stride`.
    pub(crate) fn new(stride: usize) -> Self {
        let vector = || Aligned::zeroed(stride);
        Self {
            gathered: Aligned::zeroed((GATHERED / size_of::<f32>()).max(GROUP * stride)),
            zeros: vector(),
            residual: vector(),
            direction: vector(),
            product: vector(),
            diagonal: vector(),
            inverse: vector(),
            weights: Vec::new(),
            targets: Vec::new(),
        }
    }
}

/// A row's columns among the factors of the fixed side.
pub(crate) struct Row<'a> {
    pub(crate) fixed: &'a [f32],
    /// Numbers of a factor, a multiple of [`LANES`].
    pub(crate) stride: usize,
    pub(crate) columns: &'a [u32],
}

impl Row<'_> {
    /// Moves `x` toward the solution of the system in `scratch`.
    pub(crate) fn solve(
        &self,
        steps: u32,
        x: &mut [f32],
        scratch: &mut Scratch,
        meter: &mut Meter<'_>,
    ) -> Result<(), Cancelled> {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            #[expect(unsafe_code, reason = "calls code for a processor that was asked first")]
            // SAFETY: the processor has both features.
            return unsafe { self.solve_avx2(steps, x, scratch, meter) };
        }
        self.dispatch::<Portable>(steps, x, scratch, meter)
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
        self.dispatch::<super::lanes::Avx2>(steps, x, scratch, meter)
    }

    /// Lengths that are known to the compiler are faster.
    #[inline(always)]
    fn dispatch<K: Kernel>(
        &self,
        steps: u32,
        x: &mut [f32],
        scratch: &mut Scratch,
        meter: &mut Meter<'_>,
    ) -> Result<(), Cancelled> {
        match self.stride / LANES {
            4 => self.descend::<K, 4>(steps, x, scratch, meter),
            8 => self.descend::<K, 8>(steps, x, scratch, meter),
            _ => self.descend::<K, 0>(steps, x, scratch, meter),
        }
    }

    /// Preconditioned conjugate gradients (Hestenes and Stiefel 1952).
    #[inline(always)]
    fn descend<K: Kernel, const LENGTH: usize>(
        &self,
        steps: u32,
        x: &mut [f32],
        scratch: &mut Scratch,
        meter: &mut Meter<'_>,
    ) -> Result<(), Cancelled> {
        let length = if LENGTH > 0 { LENGTH } else { self.stride / LANES };
        let numbers = length * LANES;
        let x = &mut x[..numbers];
        let residual = &mut scratch.residual[..numbers];
        let direction = &mut scratch.direction[..numbers];
        let product = &mut scratch.product[..numbers];
        let diagonal = &scratch.diagonal[..numbers];
        let inverse = &mut scratch.inverse[..numbers];
        let zeros = &lanes(&scratch.zeros)[..length];
        let gathered = lanes_mut(&mut scratch.gathered);
        let weights = scratch.weights.as_chunks().0;
        let targets = scratch.targets.as_chunks().0;
        let is_gathered = weights.len() * GROUP * length <= gathered.len();

        for i in 0..numbers {
            residual[i] = -diagonal[i] * x[i];
            inverse[i] = 1.0 / diagonal[i];
        }
        for (group, (targets, weights)) in targets.iter().zip(weights).enumerate() {
            let at = group * GROUP;
            self.look_ahead(at, length);
            let rows: Group<'_> = std::array::from_fn(|k| self.factor(at + k, zeros));
            let rows = if is_gathered {
                let copies = &mut gathered[at * length..][..GROUP * length];
                for (copy, row) in copies.chunks_exact_mut(length).zip(rows) {
                    copy.copy_from_slice(row);
                }
                split(copies, length)
            } else {
                rows
            };
            K::add::<LENGTH>(rows, lanes(x), targets, weights, lanes_mut(residual));
            self.report(at, meter)?;
        }

        let mut size = 0.0;
        for step in 0..steps {
            // The product's buffer holds the preconditioned residual first.
            for i in 0..numbers {
                product[i] = inverse[i] * residual[i];
            }
            let last = std::mem::replace(&mut size, K::dot(lanes(residual), lanes(product)));
            if !(size > last * SETTLED && size.is_finite()) {
                break;
            }
            let share = if step == 0 { 0.0 } else { size / last };
            for i in 0..numbers {
                direction[i] = product[i] + share * direction[i];
                product[i] = -diagonal[i] * direction[i];
            }
            for (group, weights) in weights.iter().enumerate() {
                let at = group * GROUP;
                let rows = if is_gathered {
                    split(&gathered[at * length..][..GROUP * length], length)
                } else {
                    self.look_ahead(at, length);
                    std::array::from_fn(|k| self.factor(at + k, zeros))
                };
                let none = [0.0; GROUP];
                K::add::<LENGTH>(rows, lanes(direction), &none, weights, lanes_mut(product));
                self.report(at, meter)?;
            }
            // `product` is that of the negated matrix.
            let rate = -size / K::dot(lanes(direction), lanes(product));
            if !rate.is_finite() {
                break;
            }
            for i in 0..numbers {
                x[i] += rate * direction[i];
                residual[i] += rate * product[i];
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
        if at.is_multiple_of(REPORTED) {
            let rows = (self.columns.len() - at).min(REPORTED);
            meter.add((rows * self.stride / LANES) as u64)?;
        }
        Ok(())
    }
}

#[inline(always)]
fn split(rows: &[Lane], length: usize) -> Group<'_> {
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
    #[expect(unsafe_code, reason = "prefetching has no safe form")]
    // SAFETY: a hint on a valid address; it neither reads nor writes.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(lane).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = lane;
}
