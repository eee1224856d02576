//! Values of many things in one section, with another section that says where those of each end.
//!
//! *Offsets* begin with 0: one number more than there are things. *Ends* leave that 0 out.

use std::ops::Range;

use mercer_common::artifact::{ArtifactError, Section, SectionWriter};

/// An offset of either width.
pub(super) trait Offset: Copy + Into<u64> + Ord {}
impl Offset for u32 {}
impl Offset for u64 {}

/// Whether offsets start at 0, never fall and end with `length`.
pub(super) fn offsets_fit<T: Offset>(offsets: &[T], length: usize) -> bool {
    offsets.first().is_some_and(|&first| first.into() == 0) && ends_fit(offsets, length)
}

/// Whether ends never fall and the last is `length`, which is 0 where there is none.
pub(super) fn ends_fit<T: Offset>(ends: &[T], length: usize) -> bool {
    ends.is_sorted() && ends.last().map_or(0, |&end| end.into()) == length as u64
}

/// Whether `bytes` are text from each offset or end to the next.
pub(super) fn are_texts<T: Offset>(offsets: &[T], bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| {
        offsets.iter().all(|&offset| text.is_char_boundary(offset.into() as usize))
    })
}

/// Whether `bytes` are texts that end at `ends`, without more.
pub(super) fn texts_fit(ends: &[u64], bytes: &[u8]) -> bool {
    ends_fit(ends, bytes.len()) && are_texts(ends, bytes)
}

/// Whether every index is below `length`.
pub(super) fn are_below(indexes: &[u32], length: usize) -> bool {
    indexes.iter().all(|&index| (index as usize) < length)
}

/// Where the values of a thing lie, by offsets.
pub(super) fn between<T: Offset>(offsets: &[T], index: usize) -> Range<usize> {
    offsets[index].into() as usize..offsets[index + 1].into() as usize
}

/// Where the values of a thing lie, by ends.
pub(super) fn until<T: Offset>(ends: &[T], index: usize) -> Range<usize> {
    let start = if index == 0 { 0 } else { ends[index - 1].into() };
    start as usize..ends[index].into() as usize
}

/// Text that [`are_texts`] has found to be one.
pub(super) fn text(bytes: &[u8], range: Range<usize>) -> &str {
    std::str::from_utf8(&bytes[range]).expect("checked when the file was opened")
}

/// Writes the offsets of consecutive runs as those of one, of which each begins with 0.
pub(super) fn write_offsets<'a>(
    writer: &mut SectionWriter,
    section: Section<u64>,
    runs: impl Iterator<Item = &'a [u64]>,
) -> Result<(), ArtifactError> {
    writer.write(section, &[0])?;
    let mut start = 0;
    for run in runs {
        let offsets: Vec<u64> = run[1..].iter().map(|offset| start + offset).collect();
        writer.write(section, &offsets)?;
        start = offsets.last().copied().unwrap_or(start);
    }
    Ok(())
}
