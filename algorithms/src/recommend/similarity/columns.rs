//! The columns of some items: who has them, in the order of users.

use super::users::Users;
use crate::recommend::control::{Cancelled, Control, work_off};

/// Users of each source, ascending.
pub(super) struct Columns {
    /// By position in the sources as given.
    ranges: Vec<std::ops::Range<usize>>,
    users: Vec<u32>,
    /// Parallel to `users`, or empty when all values are 1.
    values: Vec<f32>,
}

/// One thread's share: sources that follow one another by label, with the space of their columns.
struct Share<'a> {
    /// The first label, and the one behind the last.
    labels: std::ops::Range<u32>,
    /// Place of the first source among all by label.
    first: usize,
    /// Where the next user of each source goes within the space.
    next: Vec<usize>,
    users: &'a mut [u32],
    values: &'a mut [f32],
}

const NOT_A_SOURCE: u32 = u32::MAX;

impl Columns {
    /// `degrees` are the numbers of users of each item.
    pub(super) fn new(
        users: &Users<'_>,
        degrees: &[u32],
        sources: &[u32],
        control: &dyn Control,
    ) -> Result<Self, Cancelled> {
        let mut by_label: Vec<(u32, usize)> = sources.iter().copied().zip(0..).collect();
        by_label.sort_unstable();
        let mut ranges = vec![0..0; sources.len()];
        let mut place_of_label = vec![NOT_A_SOURCE; degrees.len()];
        let mut length = 0;
        for (place, &(label, source)) in (0..).zip(&by_label) {
            let known = std::mem::replace(&mut place_of_label[label as usize], place);
            assert_eq!(known, NOT_A_SOURCE, "sources are distinct");
            ranges[source] = length..length + degrees[label as usize] as usize;
            length = ranges[source].end;
        }
        let values = if users.is_weighted() { length } else { 0 };
        let mut columns = Self { ranges, users: vec![0; length], values: vec![0.0; values] };
        let shares = columns.shares(&by_label);
        work_off(
            shares,
            control,
            || (),
            |(), meter, mut share| {
                for (user, row) in (0..).zip(&users.rows) {
                    let start = row.columns.partition_point(|&label| label < share.labels.start);
                    let segment = &row.columns[start..];
                    let stop = segment.partition_point(|&label| label < share.labels.end);
                    for (at, &label) in (start..).zip(&segment[..stop]) {
                        let place = place_of_label[label as usize];
                        if place == NOT_A_SOURCE {
                            continue;
                        }
                        let slot = &mut share.next[place as usize - share.first];
                        share.users[*slot] = user;
                        if !share.values.is_empty() {
                            share.values[*slot] = users.values[user as usize][at];
                        }
                        *slot += 1;
                    }
                    meter.add(8 + stop as u64)?;
                }
                Ok(())
            },
        )?;
        Ok(columns)
    }

    /// Cuts the sources into as many shares as there are threads, of about equal columns.
    fn shares(&mut self, by_label: &[(u32, usize)]) -> Vec<Share<'_>> {
        let target = self.users.len().div_ceil(rayon::current_num_threads()).max(1);
        let mut free = (self.users.as_mut_slice(), self.values.as_mut_slice());
        let mut shares = Vec::new();
        let mut first = 0;
        while first < by_label.len() {
            let mut length = 0;
            let mut next = Vec::new();
            while length < target && first + next.len() < by_label.len() {
                next.push(length);
                length += self.ranges[by_label[first + next.len() - 1].1].len();
            }
            let end = first + next.len();
            let values = length.min(free.1.len());
            shares.push(Share {
                labels: by_label[first].0..by_label[end - 1].0 + 1,
                first,
                next,
                users: free.0.split_off_mut(..length).expect("ranges add up"),
                values: free.1.split_off_mut(..values).expect("as long as the users or empty"),
            });
            first = end;
        }
        shares
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
