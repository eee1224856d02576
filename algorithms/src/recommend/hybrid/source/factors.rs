//! Factors of all items, and users folded in.

use ndarray::{Array2, ArrayView2};

use super::{Person, Query, decayed};
use crate::{
    control::{Cancelled, Control},
    linalg::sparse::{CsrBuf, VALUES},
    recommend::{
        factors::{FactorMatrix, FactorSpec, Fixed, covariance, gramian, nearest, train},
        hybrid::{data::Dataset, scale::vector_scale},
        postings::{NeighbourRows, PostingsBuf, regroup},
        profile::Recency,
    },
};

/// Steps of conjugate gradients from zero that fold a user in.
const FOLD_IN_STEPS: u32 = 12;

pub(crate) struct ItemFactors {
    spec: FactorSpec,
    /// Factors of the items, by row.
    items: Vec<f32>,
    fixed: Fixed,
    covariance: Array2<f64>,
    /// What users are folded in from carries values.
    weighted: bool,
    /// Nearest items by row, from which candidates come where not all items are scored.
    pub(super) neighbours: PostingsBuf,
}

impl ItemFactors {
    pub(super) fn train(
        spec: &FactorSpec,
        data: &Dataset<'_>,
        k: usize,
        control: &dyn Control,
    ) -> Result<Self, Cancelled> {
        let users = [data.matrix.view(data.items).expect("profiles are bounded and ascending")];
        let items = train(spec, &users, &data.row_of_label, control)?.items;
        let matrix =
            FactorMatrix::new(spec.dimensions, [items.as_slice()]).expect("rows of factors");
        let gramian = gramian(&matrix, control)?;
        let fixed = Fixed::new(spec, &matrix, &gramian, control)?;
        let covariance = covariance(&matrix, &gramian);
        let rows = 0..data.items as u32;
        let near = nearest(&matrix, rows.clone(), k, control)?;
        // Targets are rows already.
        let same: Vec<u32> = rows.clone().collect();
        let neighbours = regroup(&[NeighbourRows::from(&near)], &same, rows, control)?;
        let (spec, weighted) = (*spec, data.profile.weighted);
        Ok(Self { spec, items, fixed, covariance, weighted, neighbours })
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(self.items.as_slice())
    }

    pub(super) fn queries(
        &self,
        people: &[Person<'_>],
        recency: Recency,
        control: &dyn Control,
    ) -> Result<Vec<Query>, Cancelled> {
        let dimensions = self.spec.dimensions;
        let is_valued = self.weighted || recency != Recency::default();
        let mut matrix = CsrBuf::new(is_valued);
        for person in people {
            let mut row: Vec<(u32, f32)> = Vec::new();
            for entry in person.entries.iter().filter(|entry| entry.weight > 0.0) {
                row.push((entry.item, decayed(entry, recency).max(*VALUES.start())));
            }
            matrix.push_row(&mut row);
        }
        let items = self.items.len() / dimensions;
        let view = matrix.view(items).expect("profiles are bounded and ascending");
        let spec = FactorSpec { steps: FOLD_IN_STEPS, ..self.spec };
        let solved = self.fixed.solve(&spec, &view, &[], control)?;
        let mut queries = Vec::with_capacity(people.len());
        for (vector, person) in solved.chunks_exact(dimensions).zip(people) {
            queries.push(Query {
                rows: person.entries.iter().map(|entry| entry.item).collect(),
                weights: Vec::new(),
                vector: vector.to_vec(),
                scale: vector_scale(vector, self.covariance.view()),
            });
        }
        Ok(queries)
    }

    /// Scores of all items for some users: a row a user.
    pub(super) fn products(&self, queries: &[Query]) -> Array2<f32> {
        let dimensions = self.spec.dimensions;
        let vectors: Vec<f32> =
            queries.iter().flat_map(|query| query.vector.iter().copied()).collect();
        let vectors = ArrayView2::from_shape((queries.len(), dimensions), &vectors);
        let items = self.items.len() / dimensions;
        let items = ArrayView2::from_shape((items, dimensions), &self.items);
        vectors.expect("a vector a user").dot(&items.expect("whole rows").t())
    }

    pub(super) fn product(&self, row: u32, vector: &[f32]) -> f64 {
        let start = row as usize * self.spec.dimensions;
        let item = &self.items[start..start + self.spec.dimensions];
        item.iter().zip(vector).map(|(left, right)| f64::from(left * right)).sum()
    }
}
