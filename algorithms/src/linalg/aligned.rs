//! Numbers that start on a cache line, so that no vector load crosses one.

use std::ops::{Deref, DerefMut};

const LINE: usize = 64;
const ROOM: usize = LINE / size_of::<f32>();

/// A fixed number of floats from a multiple of 64 bytes on.
#[derive(Debug)]
pub(crate) struct Aligned {
    values: Vec<f32>,
    start: usize,
    length: usize,
}

impl Aligned {
    pub(crate) fn zeroed(length: usize) -> Self {
        let values = vec![0.0; length + ROOM];
        // The allocation may not move, so this stays right; speed depends on it, nothing else does.
        let start = values.as_ptr().align_offset(LINE).min(ROOM);
        Self { values, start, length }
    }
}

impl Deref for Aligned {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.values[self.start..self.start + self.length]
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values[self.start..self.start + self.length]
    }
}
