//! One pass of the greedy choice.

use super::{Goal, Placed, Reranked, Reranking};

/// A request with all scaled to 0..1.
pub(super) struct Greedy {
    relevance: Vec<f64>,
    /// Values of the results by goal, weighted.
    goals: Vec<Vec<f64>>,
    diversity: f64,
    /// Likeness of the results, row by row; empty when diversity does not count.
    likeness: Vec<f64>,
    n: usize,
    /// Relevance of the first n as given.
    ideal: f64,
}

impl Greedy {
    pub(super) fn new(request: &Reranking<'_>) -> Self {
        let relevance = scaled_relevance(request.relevance);
        let length = relevance.len();
        let goals = request.goals.iter().map(|goal| scaled_goal(goal, length)).collect();
        let diversity = weight(request.diversity);
        let likeness = if diversity > 0.0 { likeness(request, length) } else { Vec::new() };
        let n = request.n.min(length);
        let ideal = (0..n).fold(0.0, |sum, at| sum + relevance[at] * discount(at));
        Self { relevance, goals, diversity, likeness, n, ideal }
    }

    /// The list at a strength of 0 to 1.
    pub(super) fn list(&self, strength: f64) -> Reranked {
        let length = self.relevance.len();
        let wanted: Vec<f64> = (0..length).map(|at| self.wanted(at)).collect();
        let mut nearest = vec![0.0f64; length];
        let mut left: Vec<usize> = (0..length).collect();
        let mut results = Vec::with_capacity(self.n);
        let mut relevance = 0.0;
        for place in 0..self.n {
            let value = |at: usize| {
                let unlike = self.diversity * (1.0 - nearest[at]);
                self.relevance[at] + strength * (wanted[at] + unlike)
            };
            let mut best = 0;
            for candidate in 1..left.len() {
                if value(left[candidate]) > value(left[best]) {
                    best = candidate;
                }
            }
            let from = left.remove(best);
            relevance += self.relevance[from] * discount(place);
            results.push(Placed {
                from,
                relevance: self.relevance[from],
                goals: self.goals.iter().map(|goal| strength * goal[from]).collect(),
                diversity: strength * self.diversity * (1.0 - nearest[from]),
            });
            if let Some(alike) = self.likeness.get(from * length..(from + 1) * length) {
                for (nearest, &alike) in nearest.iter_mut().zip(alike) {
                    *nearest = nearest.max(alike);
                }
            }
        }
        let kept = if self.ideal > 0.0 { relevance / self.ideal } else { 1.0 };
        Reranked { results, relevance_loss: (1.0 - kept).max(0.0), strength }
    }

    fn wanted(&self, at: usize) -> f64 {
        self.goals.iter().fold(0.0, |sum, goal| sum + goal[at])
    }
}

/// Worth of a place, from 0.
fn discount(place: usize) -> f64 {
    1.0 / (place as f64 + 2.0).log2()
}

/// Never rising, the greatest 1 and the least 0; all 0 where all are equal.
fn scaled_relevance(scores: &[f64]) -> Vec<f64> {
    let finite = || scores.iter().copied().filter(|score| score.is_finite());
    let least = finite().fold(f64::INFINITY, f64::min);
    let greatest = finite().fold(f64::NEG_INFINITY, f64::max);
    let mut last = 1.0f64;
    let mut falling = Vec::with_capacity(scores.len());
    for &score in scores {
        let score = if score.is_nan() { f64::NEG_INFINITY } else { score };
        last = share(score, least, greatest).unwrap_or_default().min(last);
        falling.push(last);
    }
    falling
}

/// Where `value` lies between `least`, 0, and `greatest`, 1; none where these are the same.
fn share(value: f64, least: f64, greatest: f64) -> Option<f64> {
    // Halves, so that the difference of any two is finite.
    let range = greatest / 2.0 - least / 2.0;
    let above = value / 2.0 - least / 2.0;
    (range > 0.0).then(|| (above / range).clamp(0.0, 1.0))
}

/// Weight times value between the least and the greatest known; 0 for what is not known.
fn scaled_goal(goal: &Goal<'_>, length: usize) -> Vec<f64> {
    let known =
        |at: usize| goal.values.get(at).copied().flatten().filter(|value| value.is_finite());
    let least = (0..length).filter_map(known).fold(f64::INFINITY, f64::min);
    let greatest = (0..length).filter_map(known).fold(f64::NEG_INFINITY, f64::max);
    let weight = weight(goal.weight);
    let mut scaled = vec![0.0; length];
    for (at, scaled) in scaled.iter_mut().enumerate() {
        if let Some(value) = known(at) {
            *scaled = weight * share(value, least, greatest).unwrap_or(1.0);
        }
    }
    scaled
}

/// A weight beyond any other is as good as one of a million.
fn weight(weight: f64) -> f64 {
    if weight > 0.0 { weight.min(1e6) } else { 0.0 }
}

fn likeness(request: &Reranking<'_>, length: usize) -> Vec<f64> {
    let of = |at: usize| request.likeness.get(at).copied().unwrap_or_default();
    let mut likeness = vec![0.0; length * length];
    for one in 0..length {
        for two in 0..one {
            let alike = of(one).with(&of(two));
            likeness[one * length + two] = alike;
            likeness[two * length + one] = alike;
        }
    }
    likeness
}
