//! Attribution tokens: which answer led to an event.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use prost::Message;
use uuid::Uuid;

/// What an attribution token holds; opaque to callers.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Attribution {
    #[prost(string, tag = "1")]
    pub(crate) version: String,
    #[prost(string, tag = "2")]
    pub(crate) algorithm: String,
    /// Id of the answer.
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) answer_id: Vec<u8>,
    #[prost(int64, tag = "4")]
    pub(crate) time_ms: i64,
}

/// The token of a new answer.
pub(crate) fn issue(version: &str, algorithm: &str, time_ms: i64, answer_id: Uuid) -> String {
    let attribution = Attribution {
        version: version.to_owned(),
        algorithm: algorithm.to_owned(),
        answer_id: answer_id.into_bytes().to_vec(),
        time_ms,
    };
    URL_SAFE_NO_PAD.encode(attribution.encode_to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_has_a_token_of_its_own_that_names_version_and_algorithm() {
        let [left, right] = [(); 2].map(|()| issue("v17", "p3", 5, Uuid::new_v4()));
        assert_ne!(left, right);
        assert!(left.len() <= mercer_common::limits::ID_BYTES);
        let bytes = URL_SAFE_NO_PAD.decode(left).expect("base64");
        let attribution = Attribution::decode(bytes.as_slice()).expect("a message");
        assert_eq!((attribution.version.as_str(), attribution.algorithm.as_str()), ("v17", "p3"));
        assert_eq!(attribution.time_ms, 5);
    }
}
