//! The columns of some items: who has them, in the order of users.

use super::{ItemStatistics, users::Users};
use crate::recommend::control::{Cancelled, Control, work_off};

/// Users of each source, ascending.
pub(super) struct Columns {
    /// By position in the sources as given.
    ranges: Vec<std::ops::Range<usize>>,
    users: Vec<u32>,
    /// Parallel to `users`, or empty when all values are 1.
    values: Vec<f32>,
}

/// One thread's share: a range of labels with the space of their columns.
struct Share<'a> {
    first: u32,
    end: u32,
    /// Start of the space within all columns.
    base: usize,
    users: &'a mut [u32],
    values: &'a mut [f32],
}

const NOT_A_SOURCE: usize = usize::MAX;

impl Columns {
    pub(super) fn new(
        users: &Users<'_>,
        statistics: &ItemStatistics,
        sources: &[u32],
        control: &dyn Control,
    ) -> Result<Self, Cancelled> {
        let mut by_label: Vec<(u32, usize)> = sources.iter().copied().zip(0..).collect();
        by_label.sort_unstable();
        let mut ranges = vec![0..0; sources.len()];
        // Where the next user of a label goes.
        let mut starts = vec![NOT_A_SOURCE; statistics.degree.len()];
        let mut length = 0;
        for &(label, source) in &by_label {
            let start = &mut starts[label as usize];
            assert_eq!(*start, NOT_A_SOURCE, "sources are distinct");
            *start = length;
            ranges[source] = length..length + statistics.degree[label as usize] as usize;
            length = ranges[source].end;
        }
        let mut columns = Self { ranges, users: vec![0; length], values: Vec::new() };
        if users.is_weighted() {
            columns.values = vec![0.0; length];
        }
        columns.fill(users, statistics, &by_label, &starts, control)?;
        Ok(columns)
    }

    fn fill(
        &mut self,
        users: &Users<'_>,
        statistics: &ItemStatistics,
        by_label: &[(u32, usize)],
        starts: &[usize],
        control: &dyn Control,
    ) -> Result<(), Cancelled> {
        let threads = rayon::current_num_threads();
        let target = self.users.len().div_ceil(threads).max(1);
        let mut jobs = Vec::new();
        let (mut free_users, mut free_values) =
            (self.users.as_mut_slice(), self.values.as_mut_slice());
        let mut base = 0;
        let mut rest = by_label;
        while let Some(&(first, _)) = rest.first() {
            let mut length = 0;
            let mut taken = 0;
            for &(label, _) in rest {
                length += statistics.degree[label as usize] as usize;
                taken += 1;
                if length >= target {
                    break;
                }
            }
            let end = rest[taken - 1].0 + 1;
            let values = length.min(free_values.len());
            jobs.push(Share {
                first,
                end,
                base,
                users: free_users.split_off_mut(..length).expect("degrees add up"),
                values: free_values.split_off_mut(..values).expect("as long as the users"),
            });
            base += length;
            rest = &rest[taken..];
        }
        work_off(
            jobs,
            control,
            || (),
            |(), meter, share| {
                let labels = share.first as usize..share.end as usize;
                let mut next = starts[labels].to_vec();
                for (user, row) in (0..).zip(&users.rows) {
                    let start = row.columns.partition_point(|&label| label < share.first);
                    let segment = &row.columns[start..];
                    let stop = segment.partition_point(|&label| label < share.end);
                    for (at, &label) in (start..).zip(&segment[..stop]) {
                        let slot = &mut next[(label - share.first) as usize];
                        if *slot == NOT_A_SOURCE {
                            continue;
                        }
                        share.users[*slot - share.base] = user;
                        if !share.values.is_empty() {
                            share.values[*slot - share.base] = users.values[user as usize][at];
                        }
                        *slot += 1;
                    }
                    meter.add(8 + stop as u64)?;
                }
                Ok(())
            },
        )
    }

    /// Users of the source at this position.
    pub(super) fn users(&self, source: usize) -> &[u32] {
        &self.users[self.ranges[source].clone()]
    }

    /// Values parallel to [`Columns::users`], or nothing when all are 1.
    pub(super) fn values(&self, source: usize) -> &[f32] {
        if self.values.is_empty() { &[] } else { &self.values[self.ranges[source].clone()] }
    }
}
