//! Names of the methods.

/// How a forecast is made from a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// The last value.
    Naive,
    /// The value of one season before.
    SeasonalNaive,
    /// The mean of the same place in recent seasons.
    WeekdayMean,
    /// The mean of recent values.
    MovingAverage,
    /// Simple exponential smoothing.
    Ses,
    /// Theta, with a seasonal test.
    Theta,
    /// Croston: size and interval of demand apart.
    Croston,
    /// Croston with the Syntetos-Boylan correction of its bias.
    Sba,
    /// Teunter-Syntetos-Babai: size and probability of demand apart.
    Tsb,
}

impl Method {
    /// All methods; of two that do equally well the earlier is taken.
    pub const ALL: [Self; 9] = [
        Self::Naive,
        Self::SeasonalNaive,
        Self::WeekdayMean,
        Self::MovingAverage,
        Self::Ses,
        Self::Theta,
        Self::Croston,
        Self::Sba,
        Self::Tsb,
    ];

    /// The name in configuration, API and command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Naive => "naive",
            Self::SeasonalNaive => "seasonal-naive",
            Self::WeekdayMean => "weekday-mean",
            Self::MovingAverage => "moving-average",
            Self::Ses => "ses",
            Self::Theta => "theta",
            Self::Croston => "croston",
            Self::Sba => "sba",
            Self::Tsb => "tsb",
        }
    }

    /// The method of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }
}
