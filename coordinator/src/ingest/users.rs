//! Changes of users.

use mercer_common::{clearing::Described, ids::Checker, limits};
use mercer_proto::{
    internal::{UpsertUser, UserFields, mutation},
    v1::{DeleteUserRequest, MutationResponse, UpsertUsersRequest, User},
};
use prost::Message as _;

use super::{
    Ingest, IngestError,
    keeping::sets_attribute,
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
        let import = request.import.take();
        let origin = self.records_origin(&mut checker, request_id, import, &request);
        let UpsertUsersRequest { users, update_mask, keep_absent, clears, .. } = request;
        let mut keeping =
            self.keeping(&mut checker, Described::User, keep_absent, clears, users.len())?;
        keeping.excludes(&mut checker, update_mask.as_ref());
        let mask = check_mask(&mut checker, update_mask, &FIELDS);
        let mut mutations = Mutations::new();
        let users = records(&mut checker, "users", users, limits::BATCH_RECORDS);
        for (index, (path, user)) in users.enumerate() {
            let clears = keeping.clears(&mut checker, index, |path| match path {
                "denied_item_ids" => !user.denied_item_ids.is_empty(),
                _ => sets_attribute(&user.attributes, path),
            });
            let to = self.of_user(&user.user_id);
            let user_id = user.user_id.clone();
            let (fields, mask) = (Some(user_fields(&mut checker, &path, user)), mask.clone());
            let upsert = UpsertUser { user_id, fields, mask, keep_absent, clears };
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

fn user_fields(checker: &mut Checker, path: &str, user: User) -> UserFields {
    checker.id(|| format!("{path}.user_id"), &user.user_id);
    check_attributes(checker, path, &user.attributes);
    let denied = &user.denied_item_ids;
    checker.count(|| format!("{path}.denied_item_ids"), denied.len(), limits::DENIED_ITEMS);
    for (index, item_id) in denied.iter().enumerate().take(limits::DENIED_ITEMS) {
        checker.known_id(|| format!("{path}.denied_item_ids[{index}]"), item_id);
    }
    UserFields { attributes: user.attributes, denied_item_ids: user.denied_item_ids }
}
