//! What was found in a log, and what of it was saved.

use std::{fmt::Write as _, path::PathBuf};

use mercer_common::{escape, log::embedded::Inspection};
use serde::Serialize;

use crate::show::output::{self, count};

#[derive(Debug, Serialize)]
pub(crate) struct Verified {
    pub(crate) sound: bool,
    incarnation: Option<String>,
    acknowledged: Option<u64>,
    end: u64,
    sections: u64,
    bytes: u64,
    segments: Vec<SegmentRow>,
    damage: Vec<DamageRow>,
    missing: Vec<Range>,
    refusal: Option<String>,
}

#[derive(Debug, Serialize)]
struct SegmentRow {
    file: String,
    first: u64,
    last: u64,
    frames: u64,
    sections: u64,
    bytes: u64,
    sealed: bool,
}

#[derive(Debug, Serialize)]
struct DamageRow {
    file: String,
    offset: u64,
    detail: String,
}

/// Positions, both inclusive.
#[derive(Debug, Serialize)]
struct Range {
    first: u64,
    last: u64,
}

#[derive(Debug, Serialize)]
pub(crate) struct SalvageRow {
    pub(crate) incarnation: String,
    /// Both logs are the same up to here.
    pub(crate) same_through: u64,
    #[serde(flatten)]
    pub(crate) found: Verified,
    pub(crate) out: PathBuf,
}

impl Verified {
    pub(crate) fn new(found: &Inspection) -> Self {
        let segments = found.segments.iter().map(|one| SegmentRow {
            file: one.file.clone(),
            first: one.first,
            last: one.last,
            frames: one.frames,
            sections: one.sections,
            bytes: one.bytes,
            sealed: one.sealed,
        });
        let segments: Vec<SegmentRow> = segments.collect();
        let damage = found.damage.iter().map(|one| DamageRow {
            file: one.file.clone(),
            offset: one.offset,
            detail: one.detail.clone(),
        });
        let missing = found.missing.iter().map(|&(first, last)| Range { first, last });
        Self {
            sound: found.damage.is_empty() && found.missing.is_empty() && found.refusal.is_none(),
            incarnation: found.identity.as_ref().map(|one| format!("{:016x}", one.incarnation)),
            acknowledged: found.acknowledged,
            end: found.end,
            sections: segments.iter().map(|segment| segment.sections).sum(),
            bytes: segments.iter().map(|segment| segment.bytes).sum(),
            segments,
            damage: damage.collect(),
            missing: missing.collect(),
            refusal: found.refusal.clone(),
        }
    }

    pub(crate) fn table(&self) -> String {
        let rows = self.segments.iter().map(|one| {
            vec![
                one.file.clone(),
                count(one.first),
                count(one.last),
                count(one.frames),
                count(one.sections),
                output::bytes(one.bytes),
                if one.sealed { "sealed" } else { "open" }.to_owned(),
            ]
        });
        let headers = ["segment", ">first", ">last", ">frames", ">sections", ">bytes", "state"];
        let mut text = output::table(&headers, rows);
        for one in &self.damage {
            let line = format!("{} at byte {}: {}", one.file, one.offset, one.detail);
            let _ = write!(text, "\ndamaged: {}", escape::text(&line));
        }
        for one in &self.missing {
            let _ = write!(text, "\nmissing: positions {} to {}", one.first, one.last);
        }
        if let Some(refusal) = &self.refusal {
            let _ = write!(text, "\na start is refused: {}", escape::text(refusal));
        }
        let is = if self.sound { "everything is whole" } else { "not everything is whole" };
        let (sections, bytes) = (count(self.sections), output::bytes(self.bytes));
        let _ = write!(text, "\n{is}: {sections} sections through position {}, {bytes}", self.end);
        text
    }
}

impl SalvageRow {
    pub(crate) fn table(&self) -> String {
        format!(
            "{}\nsaved as log {} in {}; the same as before through position {}\nStop the cluster, move the old `log` folder away and this one in its place.",
            self.found.table(),
            self.incarnation,
            escape::text(&self.out.to_string_lossy()),
            self.same_through
        )
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct Discarded {
    pub(crate) folder: PathBuf,
    pub(crate) bytes: u64,
    pub(crate) removed: bool,
}

impl Discarded {
    pub(crate) fn text(&self) -> String {
        let (folder, bytes) = (self.folder.to_string_lossy(), output::bytes(self.bytes));
        let folder = escape::text(&folder);
        let is = if self.removed { "removed" } else { "would be removed" };
        format!("{folder} {is}: {bytes}")
    }
}
