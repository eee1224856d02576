//! Keeps panics of the decoders of Parquet and workbooks on damaged files from being more than an error.
//!
//! They check most of what they read, but not all: some flipped bits make Parquet's index out of
//! bounds. They hold no state that outlives the file, so that unwinding out of them is safe.

use std::{
    cell::Cell,
    panic::{self, AssertUnwindSafe},
};

use anyhow::{Result, anyhow};

thread_local! {
    static DECODING: Cell<bool> = const { Cell::new(false) };
}

/// Makes panics below [`guarded`] silent; all others are reported as before.
pub(crate) fn silence_decoder() {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !DECODING.get() {
            report(info);
        }
    }));
}

/// Runs `decode`; a panic in it is a damaged file.
pub(super) fn guarded<T>(decode: impl FnOnce() -> Result<T>) -> Result<T> {
    DECODING.set(true);
    let result = panic::catch_unwind(AssertUnwindSafe(decode));
    DECODING.set(false);
    result.unwrap_or_else(|_| Err(anyhow!("the file is damaged")))
}
