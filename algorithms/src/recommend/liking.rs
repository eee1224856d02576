//! Which ratings say that a user likes an item.

use crate::recommend::event_type::RATING;

/// Ratings at the middle of the scale that a user's mean starts from: one rating is no mean.
const PRIOR: f64 = 3.0;

/// What a user's ratings are measured by.
///
/// A rating below the middle of its scale says no liking, unless the user rates low: then one below
/// the user's own mean. The scale is told by the user's ratings: with any below 0 its middle is 0;
/// up to 1, with any below 1, it is thumbs, and else of 1 to 5, 1 to 10, or 0 to 100 and above.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Liking {
    /// The rating that says neither.
    neutral: f64,
}

impl Liking {
    /// Reads the scale from a user's events, as types and values side by side.
    pub(crate) fn of(types: &[u8], values: &[f32]) -> Self {
        Self::of_events(types.iter().copied().zip(values.iter().copied()))
    }

    /// Reads the scale from a user's events, as pairs of type and value.
    pub(crate) fn of_events(events: impl Iterator<Item = (u8, f32)>) -> Self {
        let (mut count, mut sum) = (0.0, 0.0);
        let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
        let ratings = events.filter(|(kind, value)| *kind == RATING && value.is_finite());
        for value in ratings.map(|(_, value)| f64::from(value)) {
            count += 1.0;
            sum += value;
            (least, most) = (least.min(value), most.max(value));
        }
        let middle = middle(least, most);
        let mean = (sum + PRIOR * middle) / (count + PRIOR);
        Self { neutral: if middle > 0.0 { middle.min(mean) } else { 0.0 } }
    }

    /// What a rating weighs: as it is where it says liking, 0 where it says neither, and how far it
    /// lies below that, with a negative sign, where it says none.
    pub(crate) fn weight(self, rating: f32) -> f64 {
        let rating = f64::from(rating);
        if rating > self.neutral { rating } else { rating - self.neutral }
    }
}

/// The middle of the scale that these are the lowest and the highest rating of.
fn middle(least: f64, most: f64) -> f64 {
    match most {
        _ if least < 0.0 || !most.is_finite() => 0.0,
        ..=1.0 if least < 1.0 => 0.5,
        ..=5.0 => 3.0,
        ..=10.0 => 5.5,
        ..=100.0 => 50.0,
        most => most / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(ratings: &[f32]) -> Vec<f64> {
        let types = vec![RATING; ratings.len()];
        let liking = Liking::of(&types, ratings);
        ratings.iter().map(|&rating| (liking.weight(rating) * 100.0).round() / 100.0).collect()
    }

    #[test]
    fn a_low_rating_is_no_liking() {
        // The mean of a critic is drawn towards the middle: (14 + 9) / 9.
        assert_eq!(
            weights(&[1.0, 1.0, 1.0, 1.0, 5.0, 5.0]),
            [-1.56, -1.56, -1.56, -1.56, 5.0, 5.0]
        );
        assert_eq!(weights(&[1.0]), [-1.5]);
        assert_eq!(weights(&[5.0, 5.0, 5.0, 5.0]), [5.0; 4], "all that one likes");
        assert_eq!(
            weights(&[4.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0]),
            [4.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0]
        );
        assert_eq!(weights(&[3.0, 5.0, 2.0]), [0.0, 5.0, -1.0]);
        assert_eq!(
            weights(&[1.0, 2.0, 3.0, 3.0, 2.0, 1.0]),
            [-1.33, -0.33, 3.0, 3.0, -0.33, -1.33]
        );
    }

    #[test]
    fn each_scale_has_its_middle() {
        assert_eq!(weights(&[8.0, 4.0, 10.0]), [8.0, -1.5, 10.0]);
        assert_eq!(weights(&[90.0, 20.0]), [90.0, -30.0]);
        assert_eq!(weights(&[1.0, 0.0]), [1.0, -0.5]);
        assert_eq!(weights(&[0.5, 4.5, 2.0]), [-2.5 + 0.33, 4.5, -0.67]);
        // Signs say it themselves.
        assert_eq!(weights(&[-2.5, 1.0, 0.0]), [-2.5, 1.0, 0.0]);
        assert_eq!(weights(&[400.0, 100.0]), [400.0, -100.0]);
        let none = Liking::of(&[1, 5], &[0.0, 2.0]);
        assert_eq!(none.weight(2.0), 2.0);
        assert!(Liking::of(&[RATING], &[f32::NAN]).neutral == 0.0);
    }
}
