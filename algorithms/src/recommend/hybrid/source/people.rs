//! Sources that score by user: what similar users have, and what a user buys again.

use super::{Person, Query, decayed};
use crate::{
    control::{Cancelled, Control, work_off},
    linalg::sparse::{CsrBuf, transpose},
    recommend::{
        hybrid::{data::Dataset, scale::score_scale},
        popularity,
        profile::{ProfileSpec, Recency},
        repurchase::{self, RepurchaseBuf, RepurchaseSpec},
        score::Profile,
        users::{self, UserIndex, UserMoments, UserSearch, UserSimilarity},
    },
};

/// Users that a thread takes at once.
const CHUNK: usize = 32;

pub(crate) struct SimilarUsers {
    similarity: UserSimilarity,
    neighbours: usize,
    /// Items by user, by label.
    rows: CsrBuf,
    /// Users by item, by row.
    columns: CsrBuf,
    moments: UserMoments,
    row_of_label: Vec<u32>,
    label_of_row: Vec<u32>,
}

impl SimilarUsers {
    pub(super) fn train(
        similarity: UserSimilarity,
        data: &Dataset<'_>,
        neighbours: usize,
        control: &dyn Control,
    ) -> Result<Self, Cancelled> {
        let rows = data.matrix.clone();
        let view = rows.view(data.items).expect("profiles are bounded and ascending");
        let moments = UserMoments::new(&[view], control)?;
        let columns = transpose(&[view], &data.row_of_label);
        let row_of_label = data.row_of_label.clone();
        let label_of_row = popularity::inverse(&row_of_label);
        Ok(Self { similarity, neighbours, rows, columns, moments, row_of_label, label_of_row })
    }

    pub(super) fn queries(
        &self,
        people: &[Person<'_>],
        recency: Recency,
        control: &dyn Control,
    ) -> Result<Vec<Query>, Cancelled> {
        let users = self.rows.offsets.len() - 1;
        let rows = [self.rows.view(self.row_of_label.len()).expect("rows of a sound matrix")];
        let columns = [self.columns.view(users).expect("columns of a sound matrix")];
        let (labels, back) = (&self.row_of_label, &self.label_of_row);
        let index = UserIndex::new(&rows, &columns, &self.moments, labels, back)
            .expect("both sides of one matrix");
        let mut queries = vec![Query::default(); people.len()];
        let jobs = people.chunks(CHUNK).zip(queries.chunks_mut(CHUNK)).collect();
        work_off(jobs, control, UserSearch::default, |search, meter, (people, queries)| {
            for (person, query) in people.iter().zip(queries) {
                let entries = person.entries.iter();
                let (rows, weights): (Vec<u32>, Vec<f32>) =
                    entries.map(|entry| (entry.item, decayed(entry, recency))).unzip();
                let profile = Profile { rows: &rows, weights: &weights };
                let (kind, own) = (self.similarity, person.row);
                let found = search.similar_users(
                    &index,
                    kind,
                    profile,
                    own,
                    self.neighbours,
                    users::BUDGET,
                );
                *query = scored(search.scores(&index, kind, &found, users::ITEMS));
                let columns = rows.iter().map(|&row| index_length(&self.columns, row));
                meter.add(columns.sum::<u64>() + 1)?;
            }
            Ok(())
        })?;
        Ok(queries)
    }
}

fn index_length(columns: &CsrBuf, row: u32) -> u64 {
    columns.offsets[row as usize + 1] - columns.offsets[row as usize]
}

pub(crate) struct Repeats {
    model: RepurchaseBuf,
    profile: ProfileSpec,
    spec: RepurchaseSpec,
    now: u32,
}

impl Repeats {
    pub(super) fn train(
        data: &Dataset<'_>,
        spec: &RepurchaseSpec,
        control: &dyn Control,
    ) -> Result<Self, Cancelled> {
        let (parts, profile, now) = ([data.sequences], data.profile.clone(), data.as_of);
        let model = repurchase::fit(&parts, data.items, now, &profile, spec, control)?;
        Ok(Self { model, profile, spec: *spec, now })
    }

    pub(super) fn queries(&self, people: &[Person<'_>]) -> Vec<Query> {
        let Self { profile, spec, now, .. } = self;
        let mut queries = Vec::with_capacity(people.len());
        for person in people {
            let scores = repurchase::scores(person.history, self.model.view(), profile, spec, *now);
            queries.push(scored(scores));
        }
        queries
    }
}

fn scored(scores: Vec<(u32, f32)>) -> Query {
    let (rows, weights): (Vec<u32>, Vec<f32>) = scores.into_iter().unzip();
    Query { scale: score_scale(&weights), rows, weights, vector: Vec::new() }
}
