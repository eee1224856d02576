//! One dense row of sums: adding users to it and taking the best out of it.

use super::prefetch::prefetch;

/// A number that products are summed in.
pub(super) trait Sum: Copy + Default + PartialEq + Send {
    fn add(self, product: f32) -> Self;
    fn narrow(self) -> f32;
    fn wide(self) -> f64;
}

impl Sum for f32 {
    #[inline(always)]
    fn add(self, product: f32) -> Self {
        self + product
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
    fn narrow(self) -> f32 {
        self as f32
    }
    #[inline(always)]
    fn wide(self) -> f64 {
        self
    }
}

/// Columns that are looked at together when all are scanned.
const LANES: usize = 16;

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

    /// Hands out the columns of `range`, a multiple of [`LANES`] unless it ends the row, whose key
    /// lies above the bar that `take` last gave, and clears all of them.
    #[inline(always)]
    pub(super) fn take_above(
        &mut self,
        range: std::ops::Range<usize>,
        mut bar: f32,
        key: impl Fn(f32, usize) -> f32,
        mut take: impl FnMut(f32, u32, T) -> f32,
    ) {
        let mut first = range.start;
        for sums in self.sums[range].chunks_mut(LANES) {
            let mut is_any = false;
            for (lane, sum) in sums.iter().enumerate() {
                is_any |= key(sum.narrow(), first + lane) > bar;
            }
            if is_any {
                for (lane, sum) in sums.iter().enumerate() {
                    let key = key(sum.narrow(), first + lane);
                    if key > bar {
                        bar = take(key, (first + lane) as u32, *sum);
                    }
                }
            }
            sums.fill(T::default());
            first += sums.len();
        }
    }
}
