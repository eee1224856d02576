//! What was trained, and the lists it makes.

use super::{Algorithm, split::Prepared};
use crate::recommend::{
    control::{Cancelled, Control},
    popularity,
    postings::{NeighbourRows, Postings, PostingsBuf, regroup},
    score::{Scored, Scorer},
    similarity::{Similarity, SimilarityOptions, statistics, top_neighbours},
};

pub(super) enum Model {
    Neighbours { similarity: Similarity, postings: PostingsBuf },
    Popular { order: Vec<u32> },
}

impl Model {
    pub(super) fn train(
        prepared: &Prepared,
        algorithm: Algorithm,
        neighbours: usize,
        control: &dyn Control,
    ) -> Result<Self, Cancelled> {
        match algorithm {
            Algorithm::Neighbours(similarity) => {
                let items = prepared.items();
                let view = prepared.matrix().view(items);
                let users = [view.expect("profiles are bounded and ascending")];
                let row_of_label = prepared.row_of_label();
                let sources = popularity::inverse(row_of_label);
                let statistics = statistics(&users, items, control)?;
                let neighbours = top_neighbours(
                    similarity,
                    &SimilarityOptions::default(),
                    &users,
                    &statistics,
                    &sources,
                    row_of_label,
                    neighbours,
                    control,
                )?;
                let parts = [NeighbourRows::from(&neighbours)];
                let postings = regroup(&parts, row_of_label, 0..items as u32, control)?;
                Ok(Self::Neighbours { similarity, postings })
            }
            Algorithm::Popular => {
                let mut order = popularity::order(prepared.popularity());
                order.retain(|&item| prepared.popularity()[item as usize] > 0);
                Ok(Self::Popular { order })
            }
        }
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        match self {
            Self::Neighbours { similarity, .. } => Algorithm::Neighbours(*similarity),
            Self::Popular { .. } => Algorithm::Popular,
        }
    }

    /// What ranks, checked once.
    pub(super) fn open(&self) -> Ranker<'_> {
        match self {
            Self::Neighbours { postings, .. } => {
                Ranker::Neighbours(postings.view().expect("regrouped postings are sound"))
            }
            Self::Popular { order } => Ranker::Popular(order),
        }
    }
}

/// Makes the lists of a [`Model`].
#[derive(Clone, Copy)]
pub(super) enum Ranker<'a> {
    Neighbours(Postings<'a>),
    Popular(&'a [u32]),
}

impl Ranker<'_> {
    /// Fills `list` with the best items that the user has not seen, and says how much work it was.
    /// The list of a user without history is empty.
    pub(super) fn rank(
        &self,
        prepared: &Prepared,
        scorer: &mut Scorer,
        user: u32,
        length: usize,
        list: &mut Vec<Scored>,
    ) -> u64 {
        let seen = prepared.seen(user);
        if seen.is_empty() {
            return 1;
        }
        let is_new = |scored: &Scored| seen.binary_search(&scored.candidate).is_err();
        match self {
            Self::Neighbours(postings) => {
                let ranking = scorer.score(*postings, prepared.profile(user));
                let work = ranking.len() as u64;
                list.extend(ranking.filter(is_new).take(length));
                work
            }
            Self::Popular(order) => {
                let count = |item: &u32| prepared.popularity()[*item as usize] as f64;
                let ranking =
                    order.iter().map(|item| Scored { candidate: *item, score: count(item) });
                list.extend(ranking.filter(is_new).take(length));
                (length + seen.len()) as u64
            }
        }
    }
}
