//! Changes of users.

use mercer_common::{ids::Checker, limits};
use mercer_proto::{
    internal::{UpsertUser, UserFields, mutation},
    v1::{DeleteUserRequest, MutationResponse, UpsertUsersRequest, User},
};
use prost::Message as _;

use super::{
    Ingest, IngestError,
    mutation::{Mutations, check_attributes, check_mask, records},
};

const FIELDS: [&str; 2] = ["attributes", "denied_item_ids"];

impl Ingest {
    pub(crate) async fn upsert_users(
        &self,
        mut request: UpsertUsersRequest,
    ) -> Result<MutationResponse, IngestError> {
        let bytes = request.encoded_len();
        let mut checker = Checker::default();
        let request_id = request.request_id.take();
        let origin = self.request_origin(&mut checker, request_id, &request);
        let mask = check_mask(&mut checker, request.update_mask, &FIELDS);
        let mut mutations = Mutations::new();
        let users = records(&mut checker, "users", request.users, limits::BATCH_RECORDS);
        for (path, user) in users {
            let to = self.of_user(&user.user_id);
            let upsert = upsert_user(&mut checker, &path, user, &mask);
            mutations.push((to, mutation::Kind::UpsertUser(upsert)));
        }
        self.mutate(checker, origin, mutations, bytes).await
    }

    pub(crate) async fn delete_user(
        &self,
        mut request: DeleteUserRequest,
    ) -> Result<MutationResponse, IngestError> {
        let mut checker = Checker::default();
        let request_id = request.request_id.take();
        let origin = self.request_origin(&mut checker, request_id, &request);
        checker.known_id(|| "user_id".into(), &request.user_id);
        let to = self.of_user(&request.user_id);
        let mutations = vec![(to, mutation::Kind::DeleteUser(request.user_id))];
        self.mutate(checker, origin, mutations, limits::ID_BYTES).await
    }
}

fn upsert_user(checker: &mut Checker, path: &str, user: User, mask: &[String]) -> UpsertUser {
    checker.id(|| format!("{path}.user_id"), &user.user_id);
    check_attributes(checker, path, &user.attributes);
    let denied = &user.denied_item_ids;
    checker.count(|| format!("{path}.denied_item_ids"), denied.len(), limits::DENIED_ITEMS);
    for (index, item_id) in denied.iter().enumerate().take(limits::DENIED_ITEMS) {
        checker.known_id(|| format!("{path}.denied_item_ids[{index}]"), item_id);
    }
    let fields = UserFields { attributes: user.attributes, denied_item_ids: user.denied_item_ids };
    UpsertUser { user_id: user.user_id, fields: Some(fields), mask: mask.to_vec() }
}
