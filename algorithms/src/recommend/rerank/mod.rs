//! Orders a list by more than relevance, giving up no more of it than the caller allows.

mod greedy;
mod likeness;
#[cfg(test)]
mod tests;

use greedy::Greedy;
pub use likeness::Likeness;

/// Strengths that are tried when the full one costs too much relevance.
const TRIALS: u32 = 24;

/// A property of the results that is wanted beside relevance.
#[derive(Clone, Copy, Debug)]
pub struct Goal<'a> {
    /// How much the best value among the results counts against the best relevance, 0 or more;
    /// anything else counts as 0.
    pub weight: f64,
    /// Value of each result, the more the better; unknown counts as the worst known.
    pub values: &'a [Option<f64>],
}

/// A list to be reordered. Slices are parallel; where one is short, the rest is unknown.
#[derive(Clone, Copy, Debug)]
pub struct Reranking<'a> {
    /// Best first. What is above the one before it counts as much as that one, so that relevance
    /// never rises; what is not a number counts as the least.
    pub relevance: &'a [f64],
    /// Goals beside relevance.
    pub goals: &'a [Goal<'a>],
    /// How much being unlike everything above counts against the best relevance; see
    /// [`Goal::weight`].
    pub diversity: f64,
    /// Likeness of the results; unused without `diversity`.
    pub likeness: &'a [Likeness<'a>],
    /// Length of the new list, at most that of the old one.
    pub n: usize,
    /// Share of relevance that may be given up, 0 to 1.
    pub max_relevance_loss: f64,
}

/// A reordered list.
#[derive(Clone, Debug, PartialEq)]
pub struct Reranked {
    /// Best first.
    pub results: Vec<Placed>,
    /// 1 - relevance of the list / relevance of the first n as given; 0 to `max_relevance_loss`.
    pub relevance_loss: f64,
    /// What the goals' weights were multiplied with to stay within the bound, 0 to 1.
    pub strength: f64,
}

/// A result with what put it into its place; the greatest sum among those left was taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// Index in the given list.
    pub from: usize,
    /// Relevance, scaled to 0..1.
    pub relevance: f64,
    /// Parallel to the goals: strength * weight * value scaled to 0..1.
    pub goals: Vec<f64>,
    /// strength * weight * (1 - greatest likeness to what stands above, 0 to 1).
    pub diversity: f64,
}

/// Takes, place by place, the result with the greatest sum of relevance, goals and diversity
/// (maximal marginal relevance, Carbonell and Goldstein 1998), ties by the given order.
///
/// The relevance of a list is the sum of its scores above that of the least relevant result, each
/// divided by log2(1 + rank). Where the weights as given would lose more of it than allowed, all of
/// them are weakened alike: by bisection, the strongest tried that keeps the bound. Strength 0 is
/// the order as given, so the bound can always be kept.
#[must_use]
pub fn rerank(request: &Reranking<'_>) -> Reranked {
    let greedy = Greedy::new(request);
    let bound = if request.max_relevance_loss > 0.0 { request.max_relevance_loss } else { 0.0 };
    let full = greedy.list(1.0);
    if full.relevance_loss <= bound {
        return full;
    }
    let mut best = greedy.list(0.0);
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..TRIALS {
        let strength = (low + high) / 2.0;
        let list = greedy.list(strength);
        if list.relevance_loss <= bound {
            low = strength;
            best = list;
        } else {
            high = strength;
        }
    }
    best
}
