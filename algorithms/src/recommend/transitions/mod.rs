//! What follows what, and what is bought together: neighbourhoods that know the order of events.

#[cfg(test)]
mod tests;
mod visits;

use std::ops::Range;

use super::{
    best::{Sums, concatenate, push_best},
    popularity::inverse,
    profile::ProfileSpec,
    sequences::Sequences,
    similarity::Neighbours,
};
use crate::control::{Cancelled, Control, work_off};
use visits::{Choice, Occurrence, Occurrences, Visits};

/// Sources that a thread takes at once.
const CHUNK: usize = 32;
/// Visits of the longest history.
const LONGEST: usize = 2_000;

/// Weights of later visits for an earlier one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TransitionSpec {
    /// What each visit in between leaves of a transition's weight; taken as from 0 to 1.
    pub decay: f64,
    /// Transitions from a visit to the next (1) and to later ones, up to this one, count.
    pub max_gap: usize,
}

impl Default for TransitionSpec {
    fn default() -> Self {
        Self { decay: 0.8, max_gap: 10 }
    }
}

/// When items are bought together often enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BasketSpec {
    /// Baskets that hold both items, at least.
    pub min_support: u32,
}

impl Default for BasketSpec {
    fn default() -> Self {
        Self { min_support: 3 }
    }
}

/// What follows what, in the histories of all users: made once, for any number of calls. 8 bytes an
/// event.
#[derive(Debug)]
pub struct Transitions {
    visits: Visits,
    decays: Vec<f64>,
    row_of_label: Vec<u32>,
    label_of_row: Vec<u32>,
}

impl Transitions {
    /// Prepares the users' parts, in order; `row_of_label` breaks ties and numbers the targets.
    ///
    /// # Errors
    /// When `control` says so.
    ///
    /// # Panics
    /// When `sequences` name rows beyond `row_of_label`, or when there are more than `u32::MAX`
    /// users.
    pub fn new(
        spec: &TransitionSpec,
        sequences: &[Sequences<'_>],
        profile: &ProfileSpec,
        row_of_label: &[u32],
        control: &dyn Control,
    ) -> Result<Self, Cancelled> {
        let label_of_row = inverse(row_of_label);
        let visits = Visits::new(sequences, &label_of_row, Choice::Positive(profile), control)?;
        let decay = spec.decay.clamp(0.0, 1.0);
        let mut decays = vec![1.0];
        decays.extend((0..spec.max_gap.min(LONGEST)).map(|between| decay.powi(between as i32)));
        decays.retain(|&decay| decay >= f64::from(f32::MIN_POSITIVE));
        Ok(Self { visits, decays, row_of_label: row_of_label.to_vec(), label_of_row })
    }

    /// The at most `k` items that most follow each source, a row of `sources`, in their order.
    ///
    /// `w(i -> j) = 1/sqrt(d_i) sum_u 1/sqrt(d_u) sum decay^(gap - 1)` over the pairs of a visit of
    /// user `u` with `i` and a later one with `j`, `gap` visits after it; items of one visit count 1
    /// in both directions. `d_i` is the number of visits with `i`, `d_u` that of items in the visits
    /// of `u`. So where all is one visit, as without times, it is the walk of P3alpha with exponent
    /// 1/2.
    ///
    /// A visit holds what the profile weighs above 0 and a user's whole history does not cancel; how
    /// much it weighs does not matter. Results are the same bits for any split of sources and users
    /// and any number of threads. Memory is the occurrences of the sources (8 bytes each), one dense
    /// row of sums a thread, and the result.
    ///
    /// # Errors
    /// When `control` says so.
    ///
    /// # Panics
    /// When there is no such source.
    pub fn neighbours(
        &self,
        sources: Range<u32>,
        k: usize,
        control: &dyn Control,
    ) -> Result<Neighbours, Cancelled> {
        let Self { visits, decays, row_of_label, label_of_row } = self;
        let labels = &label_of_row[sources.start as usize..sources.end as usize];
        nearest(
            visits,
            labels,
            row_of_label,
            k,
            control,
            |sums, at| {
                let scale = 1.0 / f64::from(visits.items_of(at.user)).sqrt();
                let mut work = 0;
                for (items, decay) in visits.from(at).zip(decays) {
                    let product = scale * decay;
                    items.iter().for_each(|&label| sums.add(label, product));
                    work += items.len() as u64;
                }
                work
            },
            |_, visits, sum| (sum / visits.sqrt()) as f32,
        )
    }
}

/// What was bought together: made once, for any number of calls. 8 bytes an event.
#[derive(Debug)]
pub struct Baskets {
    baskets: Visits,
    baskets_of: Vec<u32>,
    min_support: u32,
    row_of_label: Vec<u32>,
    label_of_row: Vec<u32>,
}

impl Baskets {
    /// A basket is what one user purchased at one time; where nobody purchased anything, what
    /// `profile` weighs above 0. Baskets of more than `profile.history_cap` items say nothing of
    /// what goes together and are left out.
    ///
    /// # Errors
    /// When `control` says so.
    ///
    /// # Panics
    /// As [`Transitions::new`].
    pub fn new(
        spec: &BasketSpec,
        sequences: &[Sequences<'_>],
        profile: &ProfileSpec,
        row_of_label: &[u32],
        control: &dyn Control,
    ) -> Result<Self, Cancelled> {
        let label_of_row = inverse(row_of_label);
        let purchases = Choice::Purchases { largest: profile.history_cap };
        let mut baskets = Visits::new(sequences, &label_of_row, purchases, control)?;
        if baskets.count() == 0 {
            baskets = Visits::new(sequences, &label_of_row, Choice::Positive(profile), control)?;
        }
        let baskets_of = baskets.visits_of(row_of_label.len());
        let (min_support, row_of_label) = (spec.min_support, row_of_label.to_vec());
        Ok(Self { baskets, baskets_of, min_support, row_of_label, label_of_row })
    }

    /// The at most `k` items most often in baskets that hold each source, a row of `sources`, in
    /// their order.
    ///
    /// The weight is the confidence: baskets with both / baskets with the source. Only pairs with
    /// enough baskets, and with more than chance would bring (lift above 1), are kept.
    ///
    /// # Errors
    /// When `control` says so.
    ///
    /// # Panics
    /// When there is no such source.
    pub fn neighbours(
        &self,
        sources: Range<u32>,
        k: usize,
        control: &dyn Control,
    ) -> Result<Neighbours, Cancelled> {
        let Self { baskets, baskets_of, min_support, row_of_label, label_of_row } = self;
        let count = baskets.count() as f64;
        let labels = &label_of_row[sources.start as usize..sources.end as usize];
        nearest(
            baskets,
            labels,
            row_of_label,
            k,
            control,
            |sums, at| {
                let items = baskets.from(at).next().unwrap_or_default();
                items.iter().for_each(|&label| sums.add(label, 1.0));
                items.len() as u64
            },
            |label, degree, both| {
                let chance = degree * f64::from(baskets_of[label as usize]) / count;
                let is_enough = both >= f64::from(*min_support) && both > chance;
                if is_enough { (both / degree) as f32 } else { 0.0 }
            },
        )
    }
}

/// The `k` best of each source, a label: `walk` adds what one occurrence of it brings and says how
/// much work it was, `weight` takes a target, the number of the source's occurrences and the sum at
/// the target; 0 leaves it out.
fn nearest(
    visits: &Visits,
    sources: &[u32],
    row_of_label: &[u32],
    k: usize,
    control: &dyn Control,
    walk: impl Fn(&mut Sums, Occurrence) -> u64 + Sync,
    weight: impl Fn(u32, f64, f64) -> f32 + Sync,
) -> Result<Neighbours, Cancelled> {
    let occurrences = Occurrences::new(visits, sources, row_of_label.len(), control)?;
    control.begin((0..sources.len()).map(|source| occurrences.of(source).len() as u64).sum());
    let mut pieces = vec![Neighbours::default(); sources.len().div_ceil(CHUNK)];
    let jobs = pieces.iter_mut().zip((0..).step_by(CHUNK)).collect();
    work_off(
        jobs,
        control,
        || (Sums::new(row_of_label.len()), Vec::new()),
        |(sums, best), meter, (piece, first)| {
            for (source, &label) in (first..).zip(&sources[first..]).take(CHUNK) {
                let occurrences = occurrences.of(source);
                for (at, &occurrence) in occurrences.iter().enumerate() {
                    // Visits are scattered over memory.
                    occurrences.get(at + 12).inspect(|&&later| visits.look_far_ahead(later));
                    occurrences.get(at + 4).inspect(|&&later| visits.look_ahead(later));
                    meter.add(2 + walk(sums, occurrence))?;
                    meter.done(1);
                }
                sums.take(|target, sum| {
                    if target != label {
                        best.push((target, weight(target, occurrences.len() as f64, sum)));
                    }
                });
                meter.add(best.len() as u64)?;
                push_best(piece, best, k, row_of_label);
            }
            Ok(())
        },
    )?;
    Ok(concatenate(pieces))
}
