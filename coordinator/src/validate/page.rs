//! How long pages of listings may be.

use mercer_common::{limits, rpc::status::InvalidRequest};

/// The number of entries of a page.
pub(crate) fn page_size(requested: u32) -> Result<u32, InvalidRequest> {
    match requested {
        0 => Ok(limits::DEFAULT_PAGE),
        size if size <= limits::PAGE => Ok(size),
        size => Err(InvalidRequest::field(
            "page_size",
            format!("is {size}; at most {} are allowed", limits::PAGE),
        )),
    }
}
