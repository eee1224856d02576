//! One dense row of sums: adding users to it and taking the best out of it.

use std::ops::Range;

use super::measure::BLOCK;
use crate::linalg::prefetch;

/// A number that products are summed in.
pub(super) trait Sum: Copy + Default + PartialOrd + Send {
    fn add(self, product: f32) -> Self;
    /// A sum is greater than `limit`, which is not negative, if and only if it is than this.
    fn floor(limit: f32) -> Self;
    fn narrow(self) -> f32;
    fn wide(self) -> f64;
}

impl Sum for f32 {
    #[inline(always)]
    fn add(self, product: f32) -> Self {
        self + product
    }
    #[inline(always)]
    fn floor(limit: f32) -> Self {
        limit
    }
    #[inline(always)]
    fn narrow(self) -> f32 {
        self
    }
    #[inline(always)]
    fn wide(self) -> f64 {
        f64::from(self)
    }
}

impl Sum for f64 {
    #[inline(always)]
    fn add(self, product: f32) -> Self {
        self + f64::from(product)
    }
    #[inline(always)]
    fn floor(limit: f32) -> Self {
        f64::from(limit)
    }
    #[inline(always)]
    fn narrow(self) -> f32 {
        self as f32
    }
    #[inline(always)]
    fn wide(self) -> f64 {
        self
    }
}

/// Counts of products that are all 1: as many columns as memory near the core holds.
macro_rules! count {
    ($($count:ty),*) => {$(
        impl Sum for $count {
            #[inline(always)]
            fn add(self, _: f32) -> Self {
                self + 1
            }
            #[inline(always)]
            fn floor(limit: f32) -> Self {
                // Truncates, and beyond the greatest count gives that.
                limit as Self
            }
            #[inline(always)]
            fn narrow(self) -> f32 {
                f32::from(self)
            }
            #[inline(always)]
            fn wide(self) -> f64 {
                f64::from(self)
            }
        }
    )*};
}

count!(u8, u16);

/// Columns that are looked at together.
const LANES: usize = 32;

/// Sums by column; all 0 between two sources.
pub(super) struct Accumulator<T> {
    sums: Vec<T>,
    /// The first `count` are the columns with a sum, when they are recorded.
    touched: Vec<u32>,
    count: usize,
}

impl<T: Sum> Accumulator<T> {
    pub(super) fn new(width: usize) -> Self {
        Self { sums: vec![T::default(); width], touched: Vec::new(), count: 0 }
    }

    pub(super) fn width(&self) -> usize {
        self.sums.len()
    }

    /// Makes room to record `columns` touched columns.
    pub(super) fn reserve(&mut self, columns: usize) {
        let columns = columns.min(self.width()) + 1;
        if self.touched.len() < columns {
            self.touched.resize(columns, 0);
        }
    }

    /// Adds `product(at)` to the sum of each column; with `RECORD`, notes columns that had none.
    ///
    /// # Safety
    /// Columns are below the width. With `RECORD`, `reserve` was called since the columns were last
    /// taken, with at least the number of all columns added since, and no product is 0.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub(super) unsafe fn add<const RECORD: bool>(
        &mut self,
        columns: &[u32],
        product: impl Fn(usize) -> f32,
    ) {
        let mut count = self.count;
        for (at, &column) in columns.iter().enumerate() {
            debug_assert!((column as usize) < self.sums.len());
            // SAFETY: the caller vouches for the column.
            let sum = unsafe { self.sums.get_unchecked_mut(column as usize) };
            if RECORD {
                debug_assert!(count < self.touched.len());
                // SAFETY: one more is reserved than columns are distinct or were added.
                unsafe { *self.touched.get_unchecked_mut(count) = column };
                count += usize::from(*sum == T::default());
            }
            *sum = sum.add(product(at));
        }
        self.count = count;
    }

    /// Hands out the recorded columns with their sums and clears them; `look_ahead` hears of each
    /// some time before.
    #[inline(always)]
    pub(super) fn take_touched(&mut self, look_ahead: impl Fn(u32), mut take: impl FnMut(u32, T)) {
        let touched = &self.touched[..self.count];
        for (at, &column) in touched.iter().enumerate() {
            if let Some(&ahead) = touched.get(at + 16) {
                prefetch(&self.sums, ahead as usize);
                look_ahead(ahead);
            }
            let sum = std::mem::take(&mut self.sums[column as usize]);
            take(column, sum);
        }
        self.count = 0;
    }

    /// Hands out the columns of `range`, which starts with a block, that are best and clears all of
    /// them. None is whose sum is not above the limit of its block; limits change when `take` says
    /// so.
    #[inline(always)]
    pub(super) fn take_above(
        &mut self,
        range: Range<usize>,
        limit: impl Fn(usize) -> f32,
        is_best: impl Fn(usize, T) -> bool,
        mut take: impl FnMut(u32, T) -> bool,
    ) {
        let mut first = range.start;
        for block in self.sums[range].chunks_mut(BLOCK) {
            let mut floor = T::floor(limit(first));
            for sums in block.chunks_mut(LANES) {
                // First without a look at the columns; both without a branch.
                let may_be = sums.iter().fold(false, |any, &sum| any | (sum > floor));
                let columns = || (first..).zip(&*sums);
                if may_be && columns().fold(false, |any, (at, &sum)| any | is_best(at, sum)) {
                    for (column, &sum) in columns() {
                        if is_best(column, sum) && take(column as u32, sum) {
                            floor = T::floor(limit(first));
                        }
                    }
                }
                sums.fill(T::default());
                first += sums.len();
            }
        }
    }
}
