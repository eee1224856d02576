//! The columns of the matrix: who has each item, in the order of users.

use super::users::Users;
use crate::control::{Cancelled, Control, work_off};

/// Users of each item, ascending.
pub(super) struct Columns {
    /// Where the users of each label begin; one more than there are items.
    offsets: Vec<usize>,
    users: Vec<u32>,
    /// Parallel to `users`, or empty when all values are 1.
    values: Vec<f32>,
}

/// One thread's share: labels that follow one another, with the space of their columns.
struct Share<'a> {
    labels: std::ops::Range<u32>,
    /// Where the next user of each label goes within the space.
    next: Vec<usize>,
    users: &'a mut [u32],
    values: &'a mut [f32],
}

impl Columns {
    /// `degrees` are the numbers of users of each item.
    pub(super) fn new(
        users: &Users,
        degrees: &[u32],
        control: &dyn Control,
    ) -> Result<Self, Cancelled> {
        let mut offsets = Vec::with_capacity(degrees.len() + 1);
        offsets.push(0);
        let mut length = 0;
        offsets.extend(degrees.iter().map(|&degree| {
            length += degree as usize;
            length
        }));
        let values = if users.is_weighted() { length } else { 0 };
        let mut columns = Self { offsets, users: vec![0; length], values: vec![0.0; values] };
        let shares = columns.shares();
        work_off(
            shares,
            control,
            || (),
            |(), meter, mut share| {
                for (number, &user) in (0..).zip(&users.rows) {
                    let labels = users.labels(user);
                    let start = labels.partition_point(|&label| label < share.labels.start);
                    let segment = &labels[start..];
                    let stop = segment.partition_point(|&label| label < share.labels.end);
                    for (at, &label) in (start..).zip(&segment[..stop]) {
                        let slot = &mut share.next[(label - share.labels.start) as usize];
                        share.users[*slot] = number;
                        if let Some(values) = users.values(user) {
                            share.values[*slot] = values[at];
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

    /// Cuts the labels into as many shares as there are threads, of about equal columns.
    fn shares(&mut self) -> Vec<Share<'_>> {
        let Self { offsets, users, values } = self;
        let target = users.len().div_ceil(rayon::current_num_threads()).max(1);
        let items = offsets.len() - 1;
        let mut free = (users.as_mut_slice(), values.as_mut_slice());
        let mut shares = Vec::new();
        let mut first = 0;
        while first < items {
            let base = offsets[first];
            let full = offsets[first..].partition_point(|&offset| offset < base + target);
            let end = items.min(first + full);
            let length = offsets[end] - base;
            let values = length.min(free.1.len());
            shares.push(Share {
                labels: first as u32..end as u32,
                next: offsets[first..end].iter().map(|offset| offset - base).collect(),
                users: free.0.split_off_mut(..length).expect("offsets add up"),
                values: free.1.split_off_mut(..values).expect("as long as the users or empty"),
            });
            first = end;
        }
        shares
    }

    /// Users of an item.
    pub(super) fn users(&self, label: u32) -> &[u32] {
        &self.users[self.range(label)]
    }

    /// Values parallel to [`Columns::users`], or nothing when all are 1.
    pub(super) fn values(&self, label: u32) -> &[f32] {
        if self.values.is_empty() { &[] } else { &self.values[self.range(label)] }
    }

    fn range(&self, label: u32) -> std::ops::Range<usize> {
        self.offsets[label as usize]..self.offsets[label as usize + 1]
    }
}
