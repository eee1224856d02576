//! A matrix that is asked for neighbours, of all items at once or of some after others.

use super::{
    ItemStatistics, Neighbours, Similarity, SimilarityOptions,
    columns::Columns,
    counted,
    kernel::{self, HEAD},
    measure::{ByBoth, BySource, Measure, Products},
    users::Users,
    weighing::Weighing,
};
use crate::{
    control::{Cancelled, Control, Meter},
    linalg::sparse::Csr,
};

/// Users by items, weighed for a similarity: a copy by users and one by items, each as large as the
/// matrix.
pub struct SimilarityMatrix {
    similarity: Similarity,
    options: SimilarityOptions,
    users: Users,
    columns: Columns,
    how: How,
    row_of_label: Vec<u32>,
}

/// Way in which sums become weights.
enum How {
    BySource(BySource),
    ByBoth(ByBoth),
    /// Common users are counted beside.
    Counted(ItemStatistics),
}

impl SimilarityMatrix {
    /// `users` are the parts of the matrix in order, their columns are labels, `statistics` are
    /// theirs; `row_of_label` breaks ties.
    ///
    /// # Errors
    /// When `control` says so.
    ///
    /// # Panics
    /// When `users`, `statistics` and `row_of_label` disagree on the items, when there are more than
    /// `u32::MAX` users, or when a column is beyond the items although the matrix was said to be
    /// verified.
    pub fn new(
        similarity: Similarity,
        options: &SimilarityOptions,
        users: &[Csr<'_>],
        statistics: ItemStatistics,
        row_of_label: &[u32],
        control: &dyn Control,
    ) -> Result<Self, Cancelled> {
        let items = row_of_label.len();
        assert_eq!(statistics.degree.len(), items, "statistics are those of the items");
        assert!(users.iter().all(|part| part.width() == items), "columns are the items");
        let mut meter = Meter::new(control);
        let weighing = Weighing::new(similarity, options, users, &statistics, &mut meter)?;
        let drops_users = weighing.scales.iter().any(|&scale| scale <= 0.0);
        let users = Users::new(users, weighing, HEAD, &mut meter)?;
        assert!(u32::try_from(users.rows.len()).is_ok(), "users are numbered in 32 bits");
        let columns = if drops_users {
            Columns::new(&users, &users.degrees(items), control)?
        } else {
            Columns::new(&users, &statistics.degree, control)?
        };
        let how = if similarity.is_counted() || options.shrinkage > 0.0 {
            How::Counted(statistics)
        } else {
            match Products::new(similarity, options, &users, &statistics) {
                Products::BySource(measure) => How::BySource(measure),
                Products::ByBoth(measure) => How::ByBoth(measure),
            }
        };
        let row_of_label = row_of_label.to_vec();
        Ok(Self { similarity, options: *options, users, columns, how, row_of_label })
    }

    /// The at most `k` nearest items of each source, in the order of `sources`; never the item
    /// itself. A source's neighbours do not depend on which others are asked for. Work is reported in
    /// multiply-adds; memory is one accumulator a thread and the result.
    ///
    /// # Errors
    /// When `control` says so.
    ///
    /// # Panics
    /// When a source is no label.
    pub fn nearest(
        &self,
        sources: &[u32],
        k: usize,
        control: &dyn Control,
    ) -> Result<Neighbours, Cancelled> {
        match &self.how {
            How::BySource(measure) => self.summed(measure, sources, k, control),
            How::ByBoth(measure) => self.summed(measure, sources, k, control),
            How::Counted(statistics) => {
                let task = counted::Task {
                    similarity: self.similarity,
                    options: &self.options,
                    users: &self.users,
                    columns: &self.columns,
                    statistics,
                    sources,
                    row_of_label: &self.row_of_label,
                    k,
                };
                task.run(control)
            }
        }
    }

    fn summed<M: Measure>(
        &self,
        measure: &M,
        sources: &[u32],
        k: usize,
        control: &dyn Control,
    ) -> Result<Neighbours, Cancelled> {
        let Self { users, columns, row_of_label, .. } = self;
        kernel::Task::new(users, columns, measure, sources, row_of_label, k).run(control)
    }
}

impl std::fmt::Debug for SimilarityMatrix {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (users, items) = (self.users.rows.len(), self.row_of_label.len());
        write!(formatter, "SimilarityMatrix({}, {users} x {items})", self.similarity)
    }
}
