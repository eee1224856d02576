//! Accumulate and select, one source after another.

use super::{
    ItemStatistics, Neighbours, Similarity,
    columns::Columns,
    prefetch::prefetch,
    users::{Users, ones},
};
use crate::{
    recommend::control::{Cancelled, Control, Meter, work_off},
    sparse::{Csr, TopK},
};

/// Multiply-adds of the sources that a thread takes at once.
const CHUNK: u64 = 500_000;
/// Sources that a thread takes at once.
const CHUNK_ROWS: usize = 256;

struct Task<'a> {
    users: &'a Users<'a>,
    columns: &'a Columns,
    measure: Measure<'a>,
    sources: &'a [u32],
    row_of_label: &'a [u32],
    label_of_row: Vec<u32>,
    k: usize,
}

/// From a sum of products to the weight of a neighbour.
struct Measure<'a> {
    similarity: Similarity,
    statistics: &'a ItemStatistics,
    /// Cosine: 1 / norm by label.
    inverse: Vec<f64>,
}

/// One source and the space of its neighbours.
struct Row<'a> {
    source: usize,
    work: u64,
    length: &'a mut u64,
    targets: &'a mut [u32],
    weights: &'a mut [f32],
}

struct Scratch {
    accumulator: Vec<f32>,
    touched: Vec<u32>,
    top: TopK,
}

pub(super) fn top_neighbours(
    similarity: Similarity,
    parts: &[Csr<'_>],
    statistics: &ItemStatistics,
    sources: &[u32],
    row_of_label: &[u32],
    k: usize,
    control: &dyn Control,
) -> Result<Neighbours, Cancelled> {
    let items = row_of_label.len();
    assert_eq!(statistics.degree.len(), items, "statistics are those of the items");
    assert!(parts.iter().all(|part| part.width() == items), "columns are the items");
    let ones = ones(parts);
    let users = Users::new(parts, &ones, similarity, &mut Meter::new(control))?;
    assert!(u32::try_from(users.rows.len()).is_ok(), "users are numbered in 32 bits");
    let columns = Columns::new(&users, statistics, sources, control)?;
    let task = Task {
        measure: Measure::new(similarity, statistics),
        users: &users,
        columns: &columns,
        sources,
        row_of_label,
        label_of_row: crate::recommend::popularity::inverse(row_of_label),
        k,
    };
    task.run(control)
}

impl Task<'_> {
    fn run(&self, control: &dyn Control) -> Result<Neighbours, Cancelled> {
        let items = self.row_of_label.len();
        let work = self.work(control)?;
        control.begin(work.iter().sum());
        let spaces = work.iter().map(|&work| work.min(self.k as u64).min(items as u64) as usize);
        let space: usize = spaces.clone().sum();
        let mut lengths = vec![0u64; self.sources.len() + 1];
        let mut targets = vec![0u32; space];
        let mut weights = vec![0f32; space];
        let mut rows = Vec::with_capacity(self.sources.len());
        let mut free = (targets.as_mut_slice(), weights.as_mut_slice());
        for (((source, &work), space), length) in
            work.iter().enumerate().zip(spaces.clone()).zip(&mut lengths[1..])
        {
            rows.push(Row {
                source,
                work,
                length,
                targets: free.0.split_off_mut(..space).expect("spaces add up"),
                weights: free.1.split_off_mut(..space).expect("spaces add up"),
            });
        }
        rows.sort_by_key(|row| std::cmp::Reverse(row.work));
        let scratch = || Scratch {
            accumulator: vec![0.0; items],
            touched: vec![0; items + 1],
            top: TopK::new(self.k),
        };
        work_off(chunks(rows), control, scratch, |scratch, meter, chunk| {
            chunk.into_iter().try_for_each(|row| self.neighbours(scratch, meter, row))
        })?;
        // Rows fill their spaces from the front: close the gaps.
        let (mut from, mut to) = (0, 0);
        for (space, length) in spaces.zip(&mut lengths[1..]) {
            let kept = *length as usize;
            targets.copy_within(from..from + kept, to);
            weights.copy_within(from..from + kept, to);
            from += space;
            to += kept;
            *length = to as u64;
        }
        targets.truncate(to);
        weights.truncate(to);
        Ok(Neighbours { offsets: lengths, targets, weights })
    }

    /// Multiply-adds of each source; its neighbours are at most as many.
    fn work(&self, control: &dyn Control) -> Result<Vec<u64>, Cancelled> {
        let mut work = vec![0; self.sources.len()];
        let jobs = work.chunks_mut(4096).zip((0..).step_by(4096)).collect();
        work_off(
            jobs,
            control,
            || (),
            |(), meter, (chunk, first): (&mut [u64], usize)| {
                for (source, work) in (first..).zip(chunk) {
                    let users = self.columns.users(source);
                    let lengths =
                        users.iter().map(|&user| self.users.rows[user as usize].columns.len());
                    *work = lengths.sum::<usize>() as u64;
                    meter.add(4 * users.len() as u64)?;
                }
                Ok(())
            },
        )?;
        Ok(work)
    }

    fn neighbours(
        &self,
        scratch: &mut Scratch,
        meter: &mut Meter<'_>,
        row: Row<'_>,
    ) -> Result<(), Cancelled> {
        let label = self.sources[row.source];
        let touched = self.accumulate(scratch, meter, row.source)?;
        for &column in &scratch.touched[..touched] {
            let sum = std::mem::take(&mut scratch.accumulator[column as usize]);
            if column != label {
                let weight = self.measure.weight(label, column, sum);
                scratch.top.push(weight, self.row_of_label[column as usize]);
            }
        }
        meter.add(2 * touched as u64)?;
        scratch.top.drain(|weight, neighbour| {
            let at = *row.length as usize;
            row.targets[at] = self.label_of_row[neighbour as usize];
            row.weights[at] = weight;
            *row.length += 1;
        });
        Ok(())
    }

    fn accumulate(
        &self,
        scratch: &mut Scratch,
        meter: &mut Meter<'_>,
        source: usize,
    ) -> Result<usize, Cancelled> {
        let users = self.columns.users(source);
        let values = self.columns.values(source);
        let mut touched = 0;
        for (at, &user) in users.iter().enumerate() {
            if let Some(&ahead) = users.get(at + 12) {
                prefetch(&self.users.rows, ahead as usize);
            }
            if let Some(&ahead) = users.get(at + 4) {
                let columns = self.users.rows[ahead as usize].columns;
                prefetch(columns, 0);
                prefetch(columns, 16);
                prefetch(columns, 32);
            }
            let row = self.users.rows[user as usize];
            let scale = row.scale * values.get(at).copied().unwrap_or(1.0);
            let weights = self.users.values.get(user as usize).copied();
            for (at, &column) in row.columns.iter().enumerate() {
                let sum = &mut scratch.accumulator[column as usize];
                scratch.touched[touched] = column;
                touched += usize::from(*sum == 0.0);
                // Never 0, or the column would count as untouched.
                *sum += match weights {
                    Some(weights) => (scale * weights[at]).max(f32::MIN_POSITIVE),
                    None => scale,
                };
            }
            meter.done(row.columns.len() as u64);
            meter.add(row.columns.len() as u64)?;
        }
        Ok(touched)
    }
}

impl<'a> Measure<'a> {
    fn new(similarity: Similarity, statistics: &'a ItemStatistics) -> Self {
        let inverse = match similarity {
            Similarity::P3 => Vec::new(),
            Similarity::ItemCosine => statistics.norm.iter().map(|norm| 1.0 / norm).collect(),
        };
        Self { similarity, statistics, inverse }
    }

    fn weight(&self, source: u32, column: u32, sum: f32) -> f32 {
        let (source, column) = (source as usize, column as usize);
        let weight = match self.similarity {
            Similarity::P3 => f64::from(sum) / self.statistics.sum[source],
            Similarity::ItemCosine => {
                f64::from(sum) * (self.inverse[source] * self.inverse[column])
            }
        };
        weight as f32
    }
}

/// Groups rows, heaviest first, into what a thread takes at once.
fn chunks(rows: Vec<Row<'_>>) -> Vec<Vec<Row<'_>>> {
    let mut chunks: Vec<Vec<Row<'_>>> = Vec::new();
    let mut work = CHUNK;
    for row in rows {
        if work >= CHUNK || chunks.last().is_none_or(|chunk| chunk.len() == CHUNK_ROWS) {
            chunks.push(Vec::new());
            work = 0;
        }
        work += row.work;
        chunks.last_mut().expect("one was pushed").push(row);
    }
    chunks
}
