//! TF-IDF.

use std::collections::HashMap;

use super::{
    ContentSpec,
    terms::{Terms, is_attribute},
};
use crate::{
    control::{Cancelled, Control, Meter},
    linalg::sparse::{CsrBuf, VALUES},
};

/// Multiply-adds that the cosines of a small catalogue may take.
const WORK: u64 = 1_000_000_000;
/// Multiply-adds that the cosines of a large catalogue may take for each item.
const WORK_PER_ITEM: u64 = 10_000;

/// The weights of terms (rows) at items (columns, by label), ready for their cosine.
///
/// As scikit-learn's `TfidfVectorizer` does by default: `tf (ln((1 + n) / (1 + df)) + 1)`, each item
/// of length 1, where `n` counts the items with any term. Terms of fewer than `min_items` items or
/// more than `max_share` of them are left out before; so are, from the most frequent on, those whose
/// cosines would take more than 10,000 multiply-adds an item. Terms of attributes weigh
/// `attribute_weight` times as much. Rows ascend by term. `parts` are the items in row order.
///
/// # Errors
/// When `control` says so.
///
/// # Panics
/// When `parts` have not as many items as `row_of_label`.
pub fn matrix(
    spec: &ContentSpec,
    parts: &[Terms<'_>],
    row_of_label: &[u32],
    control: &dyn Control,
) -> Result<CsrBuf, Cancelled> {
    let items: usize = parts.iter().map(Terms::items).sum();
    assert_eq!(items, row_of_label.len(), "every item has a row and a label");
    let mut meter = Meter::new(control);
    let mut frequencies: HashMap<u64, u32> = HashMap::new();
    let mut described = 0u32;
    for part in parts {
        for item in 0..part.items() {
            let (terms, _) = part.of(item);
            terms.iter().for_each(|&term| *frequencies.entry(term).or_default() += 1);
            described += u32::from(!terms.is_empty());
            meter.add(16 * terms.len() as u64)?;
        }
    }
    let kept = kept(spec, frequencies, described, items);
    let mut rows: HashMap<u64, Row> = HashMap::with_capacity(kept.len());
    let mut matrix = CsrBuf::new(true);
    let mut end = 0;
    for &(term, frequency) in &kept {
        let idf = (f64::from(1 + described) / f64::from(1 + frequency)).ln() + 1.0;
        let weight = if is_attribute(term) { spec.attribute_weight * idf } else { idf };
        rows.insert(term, Row { weight, next: end });
        end += frequency as usize;
        matrix.offsets.push(end as u64);
    }
    matrix.columns = vec![0; end];
    let mut values = vec![0.0; end];
    let starts = starts(parts);
    let mut weights = Vec::new();
    for (label, &row) in (0..).zip(row_of_label) {
        let part = starts.partition_point(|&start| start <= row as usize) - 1;
        let (terms, counts) = parts[part].of(row as usize - starts[part]);
        weights.clear();
        let mut square = 0.0;
        for (term, &count) in terms.iter().zip(counts) {
            if let Some(row) = rows.get_mut(term) {
                let weight = f64::from(count) * row.weight;
                square += weight * weight;
                weights.push((row.next, weight));
                row.next += 1;
            }
        }
        for &(at, weight) in &weights {
            matrix.columns[at] = label;
            values[at] = ((weight / square.sqrt()) as f32).max(*VALUES.start());
        }
        meter.add(16 * terms.len() as u64)?;
    }
    matrix.values = Some(values);
    Ok(matrix)
}

/// Where a term is written.
struct Row {
    weight: f64,
    next: usize,
}

/// The terms that say something, ascending, with the number of their items.
fn kept(
    spec: &ContentSpec,
    frequencies: HashMap<u64, u32>,
    described: u32,
    items: usize,
) -> Vec<(u64, u32)> {
    let most = spec.max_share * f64::from(described);
    let attributes = spec.attribute_weight >= f64::from(f32::MIN_POSITIVE);
    let telling = frequencies.into_iter().filter(|&(term, frequency)| {
        frequency >= spec.min_items
            && f64::from(frequency) <= most
            && (attributes || !is_attribute(term))
    });
    let mut kept: Vec<(u64, u32)> = telling.collect();
    kept.sort_unstable_by_key(|&(term, frequency)| (frequency, term));
    let mut budget = WORK.max(WORK_PER_ITEM * items as u64);
    let mut affordable = 0;
    for &(_, frequency) in &kept {
        let work = u64::from(frequency) * u64::from(frequency);
        let Some(rest) = budget.checked_sub(work) else { break };
        budget = rest;
        affordable += 1;
    }
    kept.truncate(affordable);
    kept.sort_unstable();
    kept
}

/// The first item of each part.
fn starts(parts: &[Terms<'_>]) -> Vec<usize> {
    let mut starts = Vec::with_capacity(parts.len());
    let mut before = 0;
    for part in parts {
        starts.push(before);
        before += part.items();
    }
    starts
}
