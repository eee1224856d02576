//! Single items and users, and listings of them.

use mercer_common::{ids::Checker, limits, rpc::Deadline, slot::Subject};
use mercer_proto::{
    internal::{GetShardItemRequest, GetShardUserRequest, ListShardRequest},
    v1::{
        GetItemRequest, GetItemResponse, GetUserRequest, GetUserResponse, Item, ItemStatus,
        ListItemsRequest, ListItemsResponse, ListUsersRequest, ListUsersResponse, User,
    },
};

use super::Catalog;
use crate::{
    ask::{AskError, Listing, Page, Place, reserve},
    validate::page_size,
};

impl Catalog {
    pub(crate) async fn get_item(
        &self,
        request: GetItemRequest,
        deadline: Deadline,
    ) -> Result<GetItemResponse, AskError> {
        let mut checker = Checker::default();
        checker.known_id(|| "item_id".into(), &request.item_id);
        checker.finish()?;
        let shard = self.engine.identity.layout().shard_of(Subject::Item, &request.item_id);
        let position = self.engine.required(&request.tokens)?.at(shard);
        let message = GetShardItemRequest { shard: Some(position), item_id: request.item_id };
        let found = self
            .engine
            .fanout
            .ask_shard(shard, reserve(deadline), message, |mut client, request| async move {
                client.get_item(request).await
            })
            .await?;
        let token = self.engine.token(&found.position);
        Ok(GetItemResponse { token, ..found.item.unwrap_or_default() })
    }

    pub(crate) async fn get_user(
        &self,
        request: GetUserRequest,
        deadline: Deadline,
    ) -> Result<GetUserResponse, AskError> {
        let mut checker = Checker::default();
        checker.known_id(|| "user_id".into(), &request.user_id);
        if request.rows as usize > limits::LEDGER_ROWS {
            let (rows, most) = (request.rows, limits::LEDGER_ROWS);
            checker.violation("rows", format!("is {rows}; a ledger keeps at most {most}"));
        }
        checker.finish()?;
        let shard = self.engine.identity.layout().shard_of(Subject::User, &request.user_id);
        let position = self.engine.required(&request.tokens)?.at(shard);
        let GetUserRequest { user_id, rows, .. } = request;
        let message = GetShardUserRequest { shard: Some(position), user_id, rows };
        let found = self
            .engine
            .fanout
            .ask_shard(shard, reserve(deadline), message, |mut client, request| async move {
                client.get_user(request).await
            })
            .await?;
        let token = self.engine.token(&found.position);
        Ok(GetUserResponse { token, ..found.user.unwrap_or_default() })
    }

    pub(crate) async fn list_items(
        &self,
        request: ListItemsRequest,
        deadline: Deadline,
    ) -> Result<ListItemsResponse, AskError> {
        let mut checker = Checker::default();
        if ItemStatus::try_from(request.status).is_err() {
            checker.violation("status", format!("{} is not an item status", request.status));
        }
        checker.finish()?;
        let layout = self.engine.identity.layout();
        let size = page_size(request.page_size)?;
        let status = request.status;
        let place = Place::decode_token(&request.page_token, Listing::Items, status, layout)?;
        let required = self.engine.required(&request.tokens)?;
        let mut page = Page::<Item>::new(size, place, layout.shards());
        while let Some((shard, after_id, limit)) = page.next() {
            let message =
                ListShardRequest { shard: Some(required.at(shard)), after_id, limit, status };
            let response = self
                .engine
                .fanout
                .ask_shard(shard, reserve(deadline), message, |mut client, request| async move {
                    client.list_items(request).await
                })
                .await?;
            page.add(response.items, response.more, |item| &item.item_id);
        }
        let next_page_token = page.next_page_token(Listing::Items, status);
        Ok(ListItemsResponse { items: page.entries, next_page_token })
    }

    pub(crate) async fn list_users(
        &self,
        request: ListUsersRequest,
        deadline: Deadline,
    ) -> Result<ListUsersResponse, AskError> {
        let layout = self.engine.identity.layout();
        let size = page_size(request.page_size)?;
        let place = Place::decode_token(&request.page_token, Listing::Users, 0, layout)?;
        let required = self.engine.required(&request.tokens)?;
        let mut page = Page::<User>::new(size, place, layout.shards());
        while let Some((shard, after_id, limit)) = page.next() {
            let shard_position = Some(required.at(shard));
            let message = ListShardRequest { shard: shard_position, after_id, limit, status: 0 };
            let response = self
                .engine
                .fanout
                .ask_shard(shard, reserve(deadline), message, |mut client, request| async move {
                    client.list_users(request).await
                })
                .await?;
            page.add(response.users, response.more, |user| &user.user_id);
        }
        let next_page_token = page.next_page_token(Listing::Users, 0);
        Ok(ListUsersResponse { users: page.entries, next_page_token })
    }
}
