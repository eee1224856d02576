//! Peaks that nothing else in a series comes near: an order of 5,000 where all other days have one.
//!
//! They are additive outliers, which touch the days that they are on and say nothing of those to
//! come (Chen and Liu 1993, Joint estimation of model parameters and outlier effects in time
//! series), yet one of them rules means, and squared errors for years. They are winsorized (Tukey
//! 1962): each counts as much as the largest value that is none.
//!
//! What comes back is no such peak: days of a promotion, of a season or of orders in bulk are near
//! one another, so that each keeps the others.

/// How many times the largest of all other values a peak must exceed.
const TIMES: f64 = 10.0;
/// Values above 0 of which one may be a peak, and peaks at most.
const ONE_OF: usize = 100;
const MOST: usize = 3;
/// Values above 0 that a series must have to tell what is usual.
const LEAST: usize = 5;

/// Cuts peaks to the largest value that is none, which is returned; `None` where there are no
/// peaks. Values that are not finite stay.
pub fn cut_peaks(series: &mut [f64]) -> Option<f64> {
    let mut largest: Vec<f64> =
        series.iter().copied().filter(|value| value.is_finite() && *value > 0.0).collect();
    if largest.len() < LEAST {
        return None;
    }
    let most = (largest.len() / ONE_OF).clamp(1, MOST);
    let (_, _, _) = largest.select_nth_unstable_by(most, |left, right| right.total_cmp(left));
    largest.truncate(most + 1);
    largest.sort_unstable_by(|left, right| right.total_cmp(left));
    let gap = (0..most).rev().find(|&place| largest[place] > TIMES * largest[place + 1])?;
    let limit = largest[gap + 1];
    for value in series.iter_mut().filter(|value| value.is_finite()) {
        *value = value.min(limit);
    }
    Some(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(series: &[f64]) -> (Vec<f64>, Option<f64>) {
        let mut series = series.to_vec();
        let limit = cut_peaks(&mut series);
        (series, limit)
    }

    /// A year of days with these values on some of them.
    fn year(usual: f64, peaks: &[(usize, f64)]) -> Vec<f64> {
        let mut series = vec![usual; 365];
        for &(day, value) in peaks {
            series[day] = value;
        }
        series
    }

    #[test]
    fn a_lonely_peak_counts_as_much_as_the_largest_other_day() {
        let (series, limit) = cut(&year(1.0, &[(100, 5_000.0), (200, 9.0)]));
        assert_eq!((series, limit), (year(1.0, &[(100, 9.0), (200, 9.0)]), Some(9.0)));
        // Up to one of a hundred, at most three.
        let peaks = [(100, 5_000.0), (101, 4_000.0), (300, 90.0)];
        assert_eq!(cut(&year(1.0, &peaks)), (year(1.0, &[]), Some(1.0)));
        // Whatever lies between peaks and the usual.
        let peaks = [(100, 5_000.0), (101, 4_000.0), (300, 11.0), (301, 9.0)];
        assert_eq!(cut(&year(1.0, &peaks)).1, Some(11.0));
    }

    #[test]
    fn what_comes_back_stays() {
        // A promotion of a week; three days of bulk; orders in bulk each quarter.
        let promotion: Vec<(usize, f64)> = (100..107).map(|day| (day, 200.0)).collect();
        let near = [(10, 400.0), (11, 300.0), (12, 350.0), (13, 40.0)];
        let bulk: Vec<(usize, f64)> = (0..4).map(|quarter| (quarter * 90 + 5, 500.0)).collect();
        for peaks in [&promotion[..], &near, &bulk] {
            assert_eq!(cut(&year(1.0, peaks)), (year(1.0, peaks), None), "{peaks:?}");
        }
        // Ten times as much is not more than ten times as much.
        assert_eq!(cut(&year(1.0, &[(7, 10.0)])).1, None);
    }

    #[test]
    fn what_was_not_observed_and_too_little_stay() {
        assert_eq!(cut(&[]).1, None);
        assert_eq!(cut(&[0.0, 1.0, 0.0, 1.0, 1.0, 5_000.0]).1, None);
        let (series, limit) = cut(&[1.0, f64::NAN, 1.0, f64::INFINITY, 1.0, 1.0, 5_000.0, 0.0]);
        assert_eq!(limit, Some(1.0));
        assert!(series[1].is_nan() && series[3] == f64::INFINITY);
        assert_eq!((series[6], series[7]), (1.0, 0.0));
        assert_eq!(cut(&[0.0; 50]).1, None);
    }
}
