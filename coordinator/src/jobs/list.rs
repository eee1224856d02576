//! Listings of jobs, newest first.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use mercer_common::rpc::status::InvalidRequest;
use mercer_proto::v1::{ListJobsRequest, ListJobsResponse};

use super::{JobStore, store::number};
use crate::validate::page_size;

/// A page of jobs; its token names the last job of the page before.
pub(crate) fn list_jobs(
    jobs: &JobStore,
    request: &ListJobsRequest,
) -> Result<ListJobsResponse, InvalidRequest> {
    let size = page_size(request.page_size)?;
    let before = before(&request.page_token)?;
    let (jobs, more) = jobs.list(before, size as usize);
    let last = jobs.last().filter(|_| more);
    let next_page_token = last.map(|job| URL_SAFE_NO_PAD.encode(&job.job_id)).unwrap_or_default();
    Ok(ListJobsResponse { jobs, next_page_token })
}

fn before(page_token: &str) -> Result<u64, InvalidRequest> {
    if page_token.is_empty() {
        return Ok(u64::MAX);
    }
    URL_SAFE_NO_PAD
        .decode(page_token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|job_id| number(&job_id).ok())
        .ok_or_else(|| {
            let problem = "is malformed; pass next_page_token exactly as it was returned";
            InvalidRequest::field("page_token", problem)
        })
}
