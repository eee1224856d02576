//! Changes of items, users and stock.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use mercer_common::{
    ids::Checker,
    limits, money,
    slot::{Kind, ShardId},
    time::EventTime,
};
use mercer_proto::{
    google::r#type::Money,
    internal::{self, ItemFields, Mutation, Section, UpsertItem, UpsertUser, UserFields, mutation},
    v1::{
        AdjustStockRequest, DeleteItemRequest, DeleteUserRequest, Item, ItemStatus,
        MutationResponse, SetStockRequest, Stock, UpsertItemsRequest, UpsertUsersRequest, User,
    },
};
use prost::Message as _;
use prost_types::FieldMask;

use super::{Ingest, IngestError, check_request_id, encode};

const ITEM_FIELDS: [&str; 8] = [
    "title",
    "description",
    "category_path",
    "brand",
    "attributes",
    "list_price",
    "unit_cost",
    "status",
];
const USER_FIELDS: [&str; 2] = ["attributes", "denied_item_ids"];

/// The mutations of one call, each with its shard.
type Mutations = Vec<(ShardId, mutation::Kind)>;

impl Ingest {
    pub(crate) async fn upsert_items(
        &self,
        request: UpsertItemsRequest,
    ) -> Result<MutationResponse, IngestError> {
        let bytes = request.encoded_len();
        let mut checker = Checker::default();
        check_records(&mut checker, "items", request.items.len());
        let mask = check_mask(&mut checker, request.update_mask, &ITEM_FIELDS);
        let mut mutations = Mutations::new();
        for (index, item) in request.items.into_iter().enumerate().take(limits::BATCH_RECORDS) {
            let item_id = item.item_id.clone();
            let fields = self.item_fields(&mut checker, &format!("items[{index}]"), item);
            let upsert = UpsertItem { item_id, fields: Some(fields), mask: mask.clone() };
            let shard = self.context.layout.shard_of(Kind::Item, &upsert.item_id);
            mutations.push((shard, mutation::Kind::UpsertItem(upsert)));
        }
        self.mutate(checker, request.request_id.as_deref(), mutations, bytes).await
    }

    pub(crate) async fn delete_item(
        &self,
        request: DeleteItemRequest,
    ) -> Result<MutationResponse, IngestError> {
        let mut checker = Checker::default();
        checker.id(|| "item_id".into(), &request.item_id);
        let shard = self.context.layout.shard_of(Kind::Item, &request.item_id);
        let mutations = vec![(shard, mutation::Kind::DeleteItem(request.item_id))];
        self.mutate(checker, request.request_id.as_deref(), mutations, limits::ID_BYTES).await
    }

    pub(crate) async fn upsert_users(
        &self,
        request: UpsertUsersRequest,
    ) -> Result<MutationResponse, IngestError> {
        let bytes = request.encoded_len();
        let mut checker = Checker::default();
        check_records(&mut checker, "users", request.users.len());
        let mask = check_mask(&mut checker, request.update_mask, &USER_FIELDS);
        let mut mutations = Mutations::new();
        for (index, user) in request.users.into_iter().enumerate().take(limits::BATCH_RECORDS) {
            let path = format!("users[{index}]");
            let shard = self.context.layout.shard_of(Kind::User, &user.user_id);
            let upsert = upsert_user(&mut checker, &path, user, &mask);
            mutations.push((shard, mutation::Kind::UpsertUser(upsert)));
        }
        self.mutate(checker, request.request_id.as_deref(), mutations, bytes).await
    }

    pub(crate) async fn delete_user(
        &self,
        request: DeleteUserRequest,
    ) -> Result<MutationResponse, IngestError> {
        let mut checker = Checker::default();
        checker.id(|| "user_id".into(), &request.user_id);
        let shard = self.context.layout.shard_of(Kind::User, &request.user_id);
        let mutations = vec![(shard, mutation::Kind::DeleteUser(request.user_id))];
        self.mutate(checker, request.request_id.as_deref(), mutations, limits::ID_BYTES).await
    }

    pub(crate) async fn set_stock(
        &self,
        request: SetStockRequest,
    ) -> Result<MutationResponse, IngestError> {
        let bytes = request.encoded_len();
        let now = self.clock.now();
        let mut checker = Checker::default();
        check_records(&mut checker, "stock", request.stock.len());
        let mut mutations = Mutations::new();
        for (index, stock) in request.stock.into_iter().enumerate().take(limits::BATCH_RECORDS) {
            let path = format!("stock[{index}]");
            check_place(&mut checker, &path, &stock.item_id, &stock.location_id);
            if !(0.0..=limits::QUANTITY).contains(&stock.on_hand) {
                let limit = limits::QUANTITY;
                let problem = format!("is {}; must lie within 0 and {limit:e}", stock.on_hand);
                checker.violation(format!("{path}.on_hand"), problem);
            }
            let as_of_ms = as_of(&mut checker, &path, &stock, now);
            let shard = self.context.layout.shard_of(Kind::Item, &stock.item_id);
            let set = internal::SetStock {
                item_id: stock.item_id,
                location_id: stock.location_id,
                on_hand: stock.on_hand,
                as_of_ms,
            };
            mutations.push((shard, mutation::Kind::SetStock(set)));
        }
        self.mutate(checker, request.request_id.as_deref(), mutations, bytes).await
    }

    pub(crate) async fn adjust_stock(
        &self,
        request: AdjustStockRequest,
    ) -> Result<MutationResponse, IngestError> {
        let bytes = request.encoded_len();
        let mut checker = Checker::default();
        check_records(&mut checker, "deltas", request.deltas.len());
        let mut mutations = Mutations::new();
        for (index, delta) in request.deltas.into_iter().enumerate().take(limits::BATCH_RECORDS) {
            let path = format!("deltas[{index}]");
            check_place(&mut checker, &path, &delta.item_id, &delta.location_id);
            if !(-limits::QUANTITY..=limits::QUANTITY).contains(&delta.delta) {
                let limit = limits::QUANTITY;
                let problem = format!("is {}; must lie within ±{limit:e}", delta.delta);
                checker.violation(format!("{path}.delta"), problem);
            }
            let shard = self.context.layout.shard_of(Kind::Item, &delta.item_id);
            let adjust = internal::AdjustStock {
                item_id: delta.item_id,
                location_id: delta.location_id,
                delta: delta.delta,
            };
            mutations.push((shard, mutation::Kind::AdjustStock(adjust)));
        }
        self.mutate(checker, request.request_id.as_deref(), mutations, bytes).await
    }

    /// Appends the mutations of a call, in order per shard, unless anything was wrong.
    async fn mutate(
        &self,
        mut checker: Checker,
        request_id: Option<&str>,
        mutations: Mutations,
        bytes: usize,
    ) -> Result<MutationResponse, IngestError> {
        let origin = check_request_id(&mut checker, request_id);
        checker.finish()?;
        let _budget = self.budget(bytes).await;
        let mut sections: BTreeMap<ShardId, Section> = BTreeMap::new();
        for (shard, kind) in mutations {
            sections.entry(shard).or_default().mutations.push(Mutation { kind: Some(kind) });
        }
        let sections = encode(sections, origin.as_ref(), self.append_time_ms());
        let token = self.append(sections).await?;
        Ok(MutationResponse { token })
    }

    fn item_fields(&self, checker: &mut Checker, path: &str, item: Item) -> ItemFields {
        let field = |name: &str| format!("{path}.{name}");
        checker.id(|| field("item_id"), &item.item_id);
        checker.length(|| field("title"), &item.title, limits::LABEL_BYTES);
        checker.length(|| field("description"), &item.description, limits::DESCRIPTION_BYTES);
        checker.length(|| field("brand"), &item.brand, limits::LABEL_BYTES);
        let levels = &item.category_path;
        checker.count(|| field("category_path"), levels.len(), limits::CATEGORY_LEVELS);
        for (index, level) in levels.iter().enumerate().take(limits::CATEGORY_LEVELS) {
            label(checker, || format!("{path}.category_path[{index}]"), level);
        }
        check_attributes(checker, path, &item.attributes);
        let list_price_micros = self.money(checker, || field("list_price"), item.list_price);
        let unit_cost_micros = self.money(checker, || field("unit_cost"), item.unit_cost);
        let status = match ItemStatus::try_from(item.status) {
            Ok(ItemStatus::Unspecified | ItemStatus::Active) => ItemStatus::Active,
            Ok(ItemStatus::Inactive) => ItemStatus::Inactive,
            Ok(status @ (ItemStatus::Unlisted | ItemStatus::Deleted)) => {
                checker.violation(field("status"), "must be ACTIVE or INACTIVE");
                status
            }
            Err(_) => {
                checker.violation(field("status"), format!("{} is no item status", item.status));
                ItemStatus::Unspecified
            }
        };
        ItemFields {
            title: item.title,
            description: item.description,
            category_path: item.category_path,
            brand: item.brand,
            attributes: item.attributes,
            list_price_micros,
            unit_cost_micros,
            status: status.into(),
        }
    }

    fn money(
        &self,
        checker: &mut Checker,
        field: impl Fn() -> String,
        amount: Option<Money>,
    ) -> Option<i64> {
        match money::to_micros(&amount?, &self.context.currency) {
            Ok(micros) if micros >= 0 => return Some(micros),
            Ok(_) => checker.violation(field(), "must not be negative"),
            Err(error) => checker.violation(field(), error.to_string()),
        }
        None
    }
}

fn upsert_user(checker: &mut Checker, path: &str, user: User, mask: &[String]) -> UpsertUser {
    checker.id(|| format!("{path}.user_id"), &user.user_id);
    check_attributes(checker, path, &user.attributes);
    let denied = &user.denied_item_ids;
    checker.count(|| format!("{path}.denied_item_ids"), denied.len(), limits::DENIED_ITEMS);
    for (index, item_id) in denied.iter().enumerate().take(limits::DENIED_ITEMS) {
        checker.id(|| format!("{path}.denied_item_ids[{index}]"), item_id);
    }
    let fields = UserFields { attributes: user.attributes, denied_item_ids: user.denied_item_ids };
    UpsertUser { user_id: user.user_id, fields: Some(fields), mask: mask.to_vec() }
}

fn check_records(checker: &mut Checker, field: &str, count: usize) {
    if count == 0 {
        checker.violation(field, "must not be empty");
    }
    checker.count(|| field.into(), count, limits::BATCH_RECORDS);
}

/// The fields to change, each once; none means all.
fn check_mask(checker: &mut Checker, mask: Option<FieldMask>, allowed: &[&str]) -> Vec<String> {
    let mut paths = mask.map(|mask| mask.paths).unwrap_or_default();
    for (index, path) in paths.iter().enumerate() {
        if !allowed.contains(&path.as_str()) {
            let problem =
                format!("`{path:.64}` cannot be changed; there are {}", allowed.join(", "));
            checker.violation(format!("update_mask.paths[{index}]"), problem);
        }
    }
    paths.sort_unstable();
    paths.dedup();
    paths
}

fn check_attributes(checker: &mut Checker, path: &str, attributes: &BTreeMap<String, String>) {
    checker.count(|| format!("{path}.attributes"), attributes.len(), limits::ATTRIBUTES);
    for (name, value) in attributes.iter().take(limits::ATTRIBUTES) {
        label(checker, || format!("{path}.attributes"), name);
        checker.length(|| format!("{path}.attributes[{name:.64}]"), value, limits::LABEL_BYTES);
    }
}

fn label(checker: &mut Checker, field: impl Fn() -> String, label: &str) {
    if label.is_empty() {
        checker.violation(field(), "must not have an empty name");
    }
    checker.length(field, label, limits::LABEL_BYTES);
}

fn check_place(checker: &mut Checker, path: &str, item_id: &str, location_id: &str) {
    checker.id(|| format!("{path}.item_id"), item_id);
    if !location_id.is_empty() {
        checker.location(|| format!("{path}.location_id"), location_id);
    }
}

/// When a stock figure was true; the present when the caller does not say.
fn as_of(checker: &mut Checker, path: &str, stock: &Stock, now: Timestamp) -> i64 {
    let Some(time) = &stock.as_of else { return now.as_millisecond() };
    let latest = now.saturating_add(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MAX);
    let timestamp = Timestamp::new(time.seconds, time.nanos).ok().filter(|timestamp| {
        time.nanos >= 0
            && EventTime::from_unix_seconds(time.seconds).is_some()
            && *timestamp <= latest
    });
    if timestamp.is_none() {
        checker.violation(format!("{path}.as_of"), "must lie from 1990 to a day ahead");
    }
    timestamp.unwrap_or(now).as_millisecond()
}
