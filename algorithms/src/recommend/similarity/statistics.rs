//! What similarity needs to know of each item from all users.

use crate::{
    control::{Cancelled, Control, work_off},
    linalg::sparse::Csr,
};

/// Sums over the users of each item, by label.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ItemStatistics {
    /// Users who have the item.
    pub degree: Vec<u32>,
    /// Sum of their values.
    pub sum: Vec<f64>,
    /// Square root of the sum of the squares of their values.
    pub norm: Vec<f64>,
    /// Sum of value / user's sum: bounds what a walk can bring to the item.
    pub walk: Vec<f64>,
}

struct Range<'a> {
    first: u32,
    degree: &'a mut [u32],
    sum: &'a mut [f64],
    norm: &'a mut [f64],
    walk: &'a mut [f64],
}

/// Sums over `users`, the parts of the matrix in order; the same bits for any parts and threads.
///
/// # Errors
/// When `control` says so.
///
/// # Panics
/// When a part is wider than `items`.
pub fn statistics(
    users: &[Csr<'_>],
    items: usize,
    control: &dyn Control,
) -> Result<ItemStatistics, Cancelled> {
    let mut statistics = ItemStatistics {
        degree: vec![0; items],
        sum: vec![0.0; items],
        norm: vec![0.0; items],
        walk: vec![0.0; items],
    };
    let entries: usize = users.iter().map(Csr::entries).sum();
    control.begin(entries as u64);
    let ranges = label_ranges(items, rayon::current_num_threads());
    let mut degree = statistics.degree.as_mut_slice();
    let mut sums = statistics.sum.as_mut_slice();
    let mut norm = statistics.norm.as_mut_slice();
    let mut walk = statistics.walk.as_mut_slice();
    let mut jobs = Vec::with_capacity(ranges.len());
    for range in ranges {
        jobs.push(Range {
            first: range.start as u32,
            degree: degree.split_off_mut(..range.len()).expect("ranges cover the items"),
            sum: sums.split_off_mut(..range.len()).expect("ranges cover the items"),
            norm: norm.split_off_mut(..range.len()).expect("ranges cover the items"),
            walk: walk.split_off_mut(..range.len()).expect("ranges cover the items"),
        });
    }
    work_off(
        jobs,
        control,
        || (),
        |(), meter, range| {
            let end = range.first + range.degree.len() as u32;
            for part in users {
                for row in 0..part.rows() {
                    let columns = part.columns(row);
                    let values = part.values(row);
                    let scale = 1.0 / sum(columns, values);
                    let start = columns.partition_point(|&label| label < range.first);
                    let stop = columns.partition_point(|&label| label < end);
                    for at in start..stop {
                        let item = (columns[at] - range.first) as usize;
                        let value = values.map_or(1.0, |values| f64::from(values[at]));
                        range.degree[item] += 1;
                        range.sum[item] += value;
                        range.norm[item] += value * value;
                        range.walk[item] += value * scale;
                    }
                    let work = stop - start + values.map_or(0, <[f32]>::len);
                    meter.done((stop - start) as u64);
                    meter.add(8 + work as u64)?;
                }
            }
            range.norm.iter_mut().for_each(|norm| *norm = norm.sqrt());
            Ok(())
        },
    )?;
    Ok(statistics)
}

/// Cuts the labels into as many ranges as there are threads, of equal shares of the entries when
/// popularity falls like rank^-0.8.
pub(super) fn label_ranges(items: usize, threads: usize) -> Vec<std::ops::Range<usize>> {
    let cut = |part: usize| (items as f64 * (part as f64 / threads as f64).powi(5)) as usize;
    (0..threads)
        .map(|part| cut(part)..if part + 1 == threads { items } else { cut(part + 1) })
        .collect()
}

/// Sum of a user's values.
pub(super) fn sum(columns: &[u32], values: Option<&[f32]>) -> f64 {
    values.map_or(columns.len() as f64, |values| values.iter().copied().map(f64::from).sum())
}
