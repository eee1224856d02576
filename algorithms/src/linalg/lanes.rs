//! Products of a few rows with a vector and back, for the processor at hand.

/// Numbers of a vector register, or of two: lengths are multiples.
pub(crate) const LANES: usize = 16;
/// Rows that are multiplied at once.
pub(crate) const GROUP: usize = 4;

/// The numbers that are worked on at once.
pub(crate) type Lane = [f32; LANES];
/// Rows of one length.
pub(crate) type Group<'a> = [&'a [Lane]; GROUP];

/// Products of lanes, of which nearly all time of [`conjugate_gradients`](super::conjugate_gradients)
/// is made.
pub(crate) trait Kernel {
    /// Adds to `sum` each row times `bases - weights * (row . vector)`. Rows are of `LENGTH` lanes,
    /// or of any number when that is 0.
    fn add<const LENGTH: usize>(
        rows: Group<'_>,
        vector: &[Lane],
        bases: &[f32; GROUP],
        weights: &[f32; GROUP],
        sum: &mut [Lane],
    );

    /// Sum of the products of the numbers at the same places.
    fn dot(left: &[Lane], right: &[Lane]) -> f32;
}

/// Products for any processor.
pub(crate) struct Portable;

impl Kernel for Portable {
    #[inline(always)]
    fn add<const LENGTH: usize>(
        rows: Group<'_>,
        vector: &[Lane],
        bases: &[f32; GROUP],
        weights: &[f32; GROUP],
        sum: &mut [Lane],
    ) {
        for k in 0..GROUP {
            let scale = bases[k] - weights[k] * Self::dot(rows[k], vector);
            for (sum, row) in sum.iter_mut().zip(rows[k]) {
                sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += scale * value);
            }
        }
    }

    #[inline(always)]
    fn dot(left: &[Lane], right: &[Lane]) -> f32 {
        let mut sums = [0f32; LANES];
        for (left, right) in left.iter().zip(right) {
            for i in 0..LANES {
                sums[i] += left[i] * right[i];
            }
        }
        sums.iter().sum()
    }
}

#[cfg(target_arch = "x86_64")]
pub(crate) use x86::Avx2;

#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "vector instructions, and loads that they need")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{GROUP, Group, Kernel, Lane};

    /// For processors with AVX2 and FMA, and for code that is compiled for them.
    pub(crate) struct Avx2;

    impl Kernel for Avx2 {
        #[inline(always)]
        fn add<const LENGTH: usize>(
            rows: Group<'_>,
            vector: &[Lane],
            bases: &[f32; GROUP],
            weights: &[f32; GROUP],
            sum: &mut [Lane],
        ) {
            // SAFETY: only code that runs where AVX2 and FMA were found names this type.
            unsafe { add::<LENGTH>(rows, vector, bases, weights, sum) }
        }

        #[inline(always)]
        fn dot(left: &[Lane], right: &[Lane]) -> f32 {
            // SAFETY: as above.
            unsafe { dot(left, right) }
        }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn add<const LENGTH: usize>(
        rows: Group<'_>,
        vector: &[Lane],
        bases: &[f32; GROUP],
        weights: &[f32; GROUP],
        sum: &mut [Lane],
    ) {
        let length = if LENGTH > 0 { LENGTH } else { vector.len() };
        let vector = &vector[..length];
        let [r0, r1, r2, r3] = rows;
        let (r0, r1, r2, r3) = (&r0[..length], &r1[..length], &r2[..length], &r3[..length]);
        let sum = &mut sum[..length];
        let mut low = [_mm256_setzero_ps(); GROUP];
        let mut high = low;
        for c in 0..length {
            let [v_low, v_high] = load(&vector[c]);
            for (k, row) in [r0, r1, r2, r3].into_iter().enumerate() {
                let [r_low, r_high] = load(&row[c]);
                low[k] = _mm256_fmadd_ps(r_low, v_low, low[k]);
                high[k] = _mm256_fmadd_ps(r_high, v_high, high[k]);
            }
        }
        let (d0, d1) = (_mm256_add_ps(low[0], high[0]), _mm256_add_ps(low[1], high[1]));
        let (d2, d3) = (_mm256_add_ps(low[2], high[2]), _mm256_add_ps(low[3], high[3]));
        let sums = _mm256_hadd_ps(_mm256_hadd_ps(d0, d1), _mm256_hadd_ps(d2, d3));
        let dots = _mm_add_ps(_mm256_castps256_ps128(sums), _mm256_extractf128_ps::<1>(sums));
        // SAFETY: four numbers each.
        let (bases, weights) =
            unsafe { (_mm_loadu_ps(bases.as_ptr()), _mm_loadu_ps(weights.as_ptr())) };
        let scales = _mm_fnmadd_ps(weights, dots, bases);
        let s0 = _mm256_broadcastss_ps(scales);
        let s1 = _mm256_broadcastss_ps(_mm_shuffle_ps::<0b01>(scales, scales));
        let s2 = _mm256_broadcastss_ps(_mm_shuffle_ps::<0b10>(scales, scales));
        let s3 = _mm256_broadcastss_ps(_mm_shuffle_ps::<0b11>(scales, scales));
        for c in 0..length {
            let mut sums = load(&sum[c]);
            for (row, scale) in [(r0, s0), (r1, s1), (r2, s2), (r3, s3)] {
                let [r_low, r_high] = load(&row[c]);
                sums[0] = _mm256_fmadd_ps(r_low, scale, sums[0]);
                sums[1] = _mm256_fmadd_ps(r_high, scale, sums[1]);
            }
            // SAFETY: two halves of a lane.
            unsafe {
                _mm256_storeu_ps(sum[c].as_mut_ptr(), sums[0]);
                _mm256_storeu_ps(sum[c].as_mut_ptr().add(8), sums[1]);
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn dot(left: &[Lane], right: &[Lane]) -> f32 {
        let mut sums = [_mm256_setzero_ps(); 2];
        for (left, right) in left.iter().zip(right) {
            let (left, right) = (load(left), load(right));
            sums[0] = _mm256_fmadd_ps(left[0], right[0], sums[0]);
            sums[1] = _mm256_fmadd_ps(left[1], right[1], sums[1]);
        }
        let sum = _mm256_add_ps(sums[0], sums[1]);
        let sum = _mm_add_ps(_mm256_castps256_ps128(sum), _mm256_extractf128_ps::<1>(sum));
        let sum = _mm_hadd_ps(sum, sum);
        _mm_cvtss_f32(_mm_hadd_ps(sum, sum))
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn load(lane: &Lane) -> [__m256; 2] {
        // SAFETY: two halves of a lane.
        unsafe { [_mm256_loadu_ps(lane.as_ptr()), _mm256_loadu_ps(lane.as_ptr().add(8))] }
    }
}
