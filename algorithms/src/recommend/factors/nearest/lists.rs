//! An inverted file: rows in lists by the centre that they are nearest to.

use std::ops::Range;

use super::{
    best::{Best, Kept},
    units::{SOURCES, TARGETS, Units},
};
use crate::{
    control::{Cancelled, Control, Meter, work_off},
    linalg::dense::multiply,
};

/// Rows per list from which centres are learned.
const SAMPLE: usize = 32;
/// Times that centres move.
const MOVES: usize = 8;
/// Lists that a source is compared with.
const PROBES: usize = 16;
/// Sources that a thread takes at once.
const CHUNK: usize = 4096;

/// Rows by list.
#[derive(Debug)]
pub(super) struct Lists {
    /// Where each list begins; one more than there are lists.
    offsets: Vec<usize>,
    /// Rows of all lists, ascending in each.
    rows: Vec<u32>,
    /// Parallel to `rows`.
    units: Units,
    /// Place of each row in `rows`; none for rows without direction.
    places: Vec<u32>,
    /// Lists that each row is compared with, nearest first; none behind the last.
    probes: Vec<[u32; PROBES]>,
}

/// Place of rows that are in no list.
const NOWHERE: u32 = u32::MAX;

impl Lists {
    /// Spherical k-means (Dhillon and Modha 2001) on evenly spaced rows, then all rows.
    pub(super) fn new(units: &Units, control: &dyn Control) -> Result<Self, Cancelled> {
        let mut all: Vec<u32> = (0..units.count() as u32).collect();
        all.retain(|&row| units.row(row as usize).iter().any(|&value| value != 0.0));
        let count = (2.0 * (all.len() as f64).sqrt()).ceil() as usize;
        let sample = units.select(&spaced(&all, SAMPLE * count));
        let every: Vec<u32> = (0..sample.count() as u32).collect();
        let mut centres = sample.select(&spaced(&every, count));
        for _ in 0..MOVES {
            let lists = nearest_centres::<1>(&centres, &sample, control)?;
            centres = moved(&centres, &sample, &lists);
        }
        let nearest = nearest_centres::<PROBES>(&centres, &units.select(&all), control)?;

        let mut offsets = vec![0; centres.count() + 1];
        nearest.iter().for_each(|lists| offsets[lists[0] as usize + 1] += 1);
        for list in 0..centres.count() {
            offsets[list + 1] += offsets[list];
        }
        let mut next = offsets.clone();
        let mut rows = vec![0; all.len()];
        let mut places = vec![NOWHERE; units.count()];
        let mut probes = vec![[NOWHERE; PROBES]; units.count()];
        for (&row, lists) in all.iter().zip(nearest) {
            probes[row as usize] = lists;
            let place = &mut next[lists[0] as usize];
            rows[*place] = row;
            places[row as usize] = *place as u32;
            *place += 1;
        }
        let units = units.select(&rows);
        Ok(Self { offsets, rows, units, places, probes })
    }

    /// The `k` nearest of each source among the rows of the lists that are nearest to it.
    pub(super) fn nearest(
        &self,
        sources: Range<u32>,
        k: usize,
        control: &dyn Control,
    ) -> Result<Vec<Kept>, Cancelled> {
        assert!(sources.end as usize <= self.places.len(), "sources are rows");
        control.begin(sources.len() as u64);
        // Sources of one list are near to the same lists: together they make larger products.
        let mut order: Vec<u32> =
            sources.clone().filter(|&row| self.places[row as usize] != NOWHERE).collect();
        order.sort_unstable_by_key(|&row| self.places[row as usize]);
        let mut found = vec![Kept::default(); order.len()];
        let jobs = order.chunks(CHUNK).zip(found.chunks_mut(CHUNK)).collect();
        work_off(
            jobs,
            control,
            || Search { best: vec![Best::new(k); CHUNK], ..Search::default() },
            |search, meter, (sources, found)| {
                self.search(search, meter, sources)?;
                for (found, best) in found.iter_mut().zip(&mut search.best) {
                    *found = best.take();
                }
                meter.done(sources.len() as u64);
                Ok(())
            },
        )?;
        let mut kept = vec![Kept::default(); sources.len()];
        for (&row, found) in order.iter().zip(found) {
            kept[(row - sources.start) as usize] = found;
        }
        Ok(kept)
    }

    /// Leaves the nearest of each of `sources` in `search`, list by list.
    fn search(
        &self,
        search: &mut Search,
        meter: &mut Meter<'_>,
        sources: &[u32],
    ) -> Result<(), Cancelled> {
        self.probe(search, sources);
        let Search { probes, members, cosines, best } = search;
        // Those of one list, and not too many of them.
        let groups = probes.chunk_by(|left, right| left.0 == right.0);
        for probes in groups.flat_map(|probes| probes.chunks(SOURCES)) {
            let list = probes[0].0 as usize;
            let range = self.offsets[list]..self.offsets[list + 1];
            members.clear();
            for &(_, at) in probes {
                members.push(self.places[sources[at as usize] as usize]);
            }
            let left = self.units.select(members);
            for start in range.clone().step_by(TARGETS) {
                let end = range.end.min(start + TARGETS);
                let rows = &self.rows[start..end];
                cosines.resize(probes.len() * rows.len(), 0.0);
                let targets = self.units.view(start..end);
                multiply(left.view(0..probes.len()), targets.t(), cosines);
                for (&(_, at), cosines) in probes.iter().zip(cosines.chunks_exact(rows.len())) {
                    best[at as usize].offer(sources[at as usize], cosines, |at| rows[at]);
                }
                meter.add((cosines.len() * self.units.dimensions()) as u64 / 16)?;
            }
        }
        Ok(())
    }

    /// Leaves (list, index of a source) of all lists to compare with, by list.
    fn probe(&self, search: &mut Search, sources: &[u32]) {
        search.probes.clear();
        for (at, &row) in (0..).zip(sources) {
            let lists = self.probes[row as usize].iter().filter(|&&list| list != NOWHERE);
            search.probes.extend(lists.map(|&list| (list, at)));
        }
        search.probes.sort_unstable();
    }
}

/// Room that a thread needs to search.
#[derive(Default)]
struct Search {
    probes: Vec<(u32, u32)>,
    members: Vec<u32>,
    cosines: Vec<f32>,
    best: Vec<Best>,
}

/// Chooses at most `count` of `rows`, evenly spaced.
fn spaced(rows: &[u32], count: usize) -> Vec<u32> {
    let count = count.min(rows.len());
    (0..count).map(|at| rows[at * rows.len() / count]).collect()
}

/// The `N` centres that each row is nearest to, nearest first, ties by number; only those at less than
/// a right angle, but for the first.
fn nearest_centres<const N: usize>(
    centres: &Units,
    rows: &Units,
    control: &dyn Control,
) -> Result<Vec<[u32; N]>, Cancelled> {
    let count = centres.count();
    let mut found = vec![[NOWHERE; N]; rows.count()];
    let jobs = found.chunks_mut(SOURCES).zip((0..).step_by(SOURCES)).collect();
    work_off(
        jobs,
        control,
        || (vec![0f32; SOURCES * count], Best::new(N)),
        |(cosines, best), meter, job: (&mut [[u32; N]], usize)| {
            let (found, first) = job;
            let cosines = &mut cosines[..found.len() * count];
            let rows = rows.view(first..first + found.len());
            multiply(rows, centres.view(0..count).t(), cosines);
            for (found, cosines) in found.iter_mut().zip(cosines.chunks_exact(count)) {
                best.offer(NOWHERE, cosines, |centre| centre as u32);
                for (found, centre) in found.iter_mut().zip(best.take().rows()) {
                    *found = centre;
                }
                if found[0] == NOWHERE {
                    found[0] = greatest(cosines);
                }
            }
            meter.add((cosines.len() * centres.dimensions()) as u64 / 16)
        },
    )?;
    Ok(found)
}

/// The place of the greatest, the first where several are.
fn greatest(cosines: &[f32]) -> u32 {
    let (mut place, mut greatest) = (0, f32::NEG_INFINITY);
    for (at, &cosine) in (0..).zip(cosines) {
        if cosine > greatest {
            (place, greatest) = (at, cosine);
        }
    }
    place
}

/// Centres in the middle of their rows; one without rows stays.
fn moved(centres: &Units, rows: &Units, lists: &[[u32; 1]]) -> Units {
    let dimensions = centres.dimensions();
    let mut sums = vec![0f64; centres.count() * dimensions];
    let mut counts = vec![0u32; centres.count()];
    for (row, &[list]) in lists.iter().enumerate() {
        counts[list as usize] += 1;
        let sum = &mut sums[list as usize * dimensions..][..dimensions];
        sum.iter_mut().zip(rows.row(row)).for_each(|(sum, &value)| *sum += f64::from(value));
    }
    let mut middles: Vec<f32> = sums.iter().map(|&sum| sum as f32).collect();
    for (centre, &count) in counts.iter().enumerate() {
        if count == 0 {
            middles[centre * dimensions..][..dimensions].copy_from_slice(centres.row(centre));
        }
    }
    Units::of(dimensions, middles)
}
