//! What sentences say of the parts of scores: the fact that each stands for.

use mercer_algorithms::recommend::{hybrid::Feature, trends::Trend};
use mercer_proto::v1::reason::Code;

/// What it means that an algorithm has an item as the neighbour of another.
pub(super) fn of_neighbours(algorithm: &str) -> Code {
    match algorithm {
        "item-transitions" => Code::OftenBoughtAfter,
        "bought-together" => Code::OftenBoughtWith,
        "content" => Code::SimilarTo,
        _ => Code::ChosenByTheSame,
    }
}

/// What it means that an algorithm gives an item a number, whoever asks.
pub(super) fn of_scores(algorithm: &str) -> Code {
    match Trend::parse(algorithm) {
        Some(Trend::Fresh) => Code::InDemand,
        Some(Trend::Trending) => Code::Rising,
        Some(Trend::New) => Code::New,
        None => Code::Popular,
    }
}

/// What a fact about buying comes down to for an item that nobody has bought.
pub(super) fn of_never_bought(code: Code) -> Code {
    match code {
        Code::Popular | Code::PopularInCategory => Code::OfInterest,
        Code::OftenBoughtAfter | Code::OftenBoughtWith => Code::ChosenByTheSame,
        Code::DueAgain => Code::FitsHistory,
        code => code,
    }
}

/// What it means that an item has more of a property than most.
pub(super) fn of_feature(feature: Feature) -> Code {
    match feature {
        Feature::LogPopularity => Code::Popular,
        Feature::LogPrice => Code::HighPrice,
        Feature::InStock => Code::InStock,
    }
}
