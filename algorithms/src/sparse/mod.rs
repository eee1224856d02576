//! Compressed sparse rows.

mod csr;
mod transpose;

pub use csr::{Csr, CsrBuf, CsrError, VALUES};
pub use transpose::transpose;
