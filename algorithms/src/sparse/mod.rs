//! Compressed sparse rows.

mod csr;

pub use csr::{Csr, CsrBuf, CsrError, VALUES};
