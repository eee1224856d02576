//! Compressed sparse rows and the selection of the best.

mod csr;
mod top_k;

pub use csr::{Csr, CsrBuf, CsrError, VALUES};
pub(crate) use top_k::TopK;
