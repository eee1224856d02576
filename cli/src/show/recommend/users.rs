//! Similar users as they are shown.

use mercer_common::escape;
use mercer_proto::v1::SimilarUsersResponse;
use serde::Serialize;

use crate::show::output;

#[derive(Debug, Serialize)]
pub(crate) struct SimilarUsersAnswer {
    user_id: String,
    version: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    fallback_reason: String,
    algorithm: String,
    users: Vec<SimilarUser>,
    token: String,
}

#[derive(Debug, Serialize)]
struct SimilarUser {
    user_id: String,
    similarity: f64,
    common_items: u32,
}

impl SimilarUsersAnswer {
    pub(crate) fn new(user_id: String, response: SimilarUsersResponse) -> Self {
        let users = response.users.into_iter().map(|user| SimilarUser {
            user_id: user.user_id,
            similarity: user.similarity,
            common_items: user.common_items,
        });
        Self {
            user_id,
            version: response.version,
            fallback_reason: response.fallback_reason,
            algorithm: response.algorithm,
            users: users.collect(),
            token: response.token,
        }
    }

    pub(crate) fn table(&self) -> String {
        let rows = self.users.iter().enumerate().map(|(index, user)| {
            vec![
                (index + 1).to_string(),
                user.user_id.clone(),
                format!("{:.6}", user.similarity),
                output::count(u64::from(user.common_items)),
            ]
        });
        let table = output::table(&[">", "user", ">similarity", ">common items"], rows);
        let mut text = format!(
            "{table}\nalgorithm {}, version {}",
            escape::text(&self.algorithm),
            escape::text(&self.version)
        );
        if !self.fallback_reason.is_empty() {
            text.push_str(&format!("\n{}", escape::text(&self.fallback_reason)));
        }
        text
    }
}
