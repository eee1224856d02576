//! Connections between Mercer's processes.
//!
//! A connection can stall as a whole (a client that drops many busy streams at once can do
//! that), so calls that must always get through, such as heartbeats, do not share one with bulk
//! transfers: call [`connect`] once for each. Keepalive finds a stalled connection and
//! reconnects.

use std::time::Duration;

use thiserror::Error;
use tonic::transport::{Channel, Endpoint};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);
pub(super) const KEEPALIVE: Duration = Duration::from_secs(10);
pub(super) const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
pub(super) const STREAM_WINDOW: u32 = 4 << 20;
pub(super) const CONNECTION_WINDOW: u32 = 16 << 20;

/// The address is not a URL.
#[derive(Debug, Error)]
#[error("`{url}` is not a URL such as http://127.0.0.1:7400: {reason}")]
pub struct UrlError {
    /// URL that was given.
    pub url: String,
    /// What is wrong with it.
    pub reason: String,
}

/// A connection to `url` of its own, made at the first call and again whenever it breaks.
///
/// Limit messages per client (`max_decoding_message_size`, see [`crate::limits`]), and time per
/// call ([`super::Deadline::set_on`]): the connection bounds neither. Must be called within a
/// tokio runtime.
///
/// # Errors
/// [`UrlError`] when `url` is not one.
pub fn connect(url: &str) -> Result<Channel, UrlError> {
    let refused = |reason: String| UrlError { url: url.to_owned(), reason };
    let endpoint = Endpoint::from_shared(url.to_owned()).map_err(|error| {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        refused(cause.unwrap_or_else(|| error.to_string()))
    })?;
    if endpoint.uri().scheme_str() != Some("http") || endpoint.uri().authority().is_none() {
        return Err(refused("it must begin with http:// and name a host".into()));
    }
    Ok(endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .tcp_keepalive(Some(TCP_KEEPALIVE))
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .connect_lazy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn refuses_what_is_not_a_url() {
        connect("http://127.0.0.1:1").expect("a URL");
        for bad in ["", "127.0.0.1:7400", "https://127.0.0.1:7400", "http://", "a b"] {
            let error = connect(bad).expect_err("refused");
            assert!(error.to_string().contains(&format!("`{bad}`")), "{error}");
        }
    }
}
