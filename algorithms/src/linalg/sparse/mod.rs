//! Compressed sparse rows.

mod columns;
mod csr;
mod transpose;

pub(crate) use columns::Columns;
pub use csr::{Csr, CsrBuf, CsrError, VALUES};
pub use transpose::transpose;
