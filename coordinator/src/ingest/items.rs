//! Changes of items.

use mercer_common::{clearing::Described, ids::Checker, limits};
use mercer_proto::{
    google::r#type::Money,
    internal::{ItemFields, UpsertItem, mutation},
    v1::{DeleteItemRequest, Item, ItemStatus, MutationResponse, UpsertItemsRequest},
};
use prost::Message as _;

use super::{
    Ingest, IngestError,
    keeping::sets_attribute,
    mutation::{Mutations, check_attributes, check_mask, records},
};
use crate::validate::{Amount, amount, label};

const FIELDS: [&str; 9] = [
    "title",
    "description",
    "category_path",
    "brand",
    "attributes",
    "list_price",
    "unit_cost",
    "status",
    "embedding",
];

impl Ingest {
    pub(crate) async fn upsert_items(
        &self,
        mut request: UpsertItemsRequest,
    ) -> Result<MutationResponse, IngestError> {
        let bytes = request.encoded_len();
        let mut checker = Checker::default();
        let request_id = request.request_id.take();
        let import = request.import.take();
        let origin = self.records_origin(&mut checker, request_id, import, &request);
        let UpsertItemsRequest { items, update_mask, keep_absent, clears, .. } = request;
        let mut keeping =
            self.keeping(&mut checker, Described::Item, keep_absent, clears, items.len())?;
        keeping.excludes(&mut checker, update_mask.as_ref());
        let mask = check_mask(&mut checker, update_mask, &FIELDS);
        let mut mutations = Mutations::new();
        let items = records(&mut checker, "items", items, limits::BATCH_RECORDS);
        for (index, (path, item)) in items.enumerate() {
            let clears = keeping.clears(&mut checker, index, |path| sets(&item, path));
            let item_id = item.item_id.clone();
            let mut fields = self.item_fields(&mut checker, &path, item);
            if fields.status() == ItemStatus::Unspecified && !keep_absent {
                fields.set_status(ItemStatus::Active);
            }
            let to = self.of_item(&item_id);
            let (fields, mask) = (Some(fields), mask.clone());
            let upsert = UpsertItem { item_id, fields, mask, keep_absent, clears };
            mutations.push((to, mutation::Kind::UpsertItem(upsert)));
        }
        self.mutate(checker, origin, mutations, bytes).await
    }

    pub(crate) async fn delete_item(
        &self,
        mut request: DeleteItemRequest,
    ) -> Result<MutationResponse, IngestError> {
        let mut checker = Checker::default();
        let request_id = request.request_id.take();
        let origin = self.request_origin(&mut checker, request_id, &request);
        checker.known_id(|| "item_id".into(), &request.item_id);
        let to = self.of_item(&request.item_id);
        let mutations = vec![(to, mutation::Kind::DeleteItem(request.item_id))];
        self.mutate(checker, origin, mutations, limits::ID_BYTES).await
    }

    fn item_fields(&self, checker: &mut Checker, path: &str, item: Item) -> ItemFields {
        let field = |name: &str| format!("{path}.{name}");
        checker.id(|| field("item_id"), &item.item_id);
        checker.label(|| field("title"), &item.title);
        checker.length(|| field("description"), &item.description, limits::DESCRIPTION_BYTES);
        checker.label(|| field("brand"), &item.brand);
        let levels = &item.category_path;
        checker.count(|| field("category_path"), levels.len(), limits::CATEGORY_LEVELS);
        for (index, level) in levels.iter().enumerate().take(limits::CATEGORY_LEVELS) {
            label(checker, || format!("{path}.category_path[{index}]"), level);
        }
        check_attributes(checker, path, &item.attributes);
        checker.count(|| field("embedding"), item.embedding.len(), limits::EMBEDDING);
        if let Some(index) = item.embedding.iter().position(|number| !number.is_finite()) {
            checker.violation(format!("{path}.embedding[{index}]"), "must be a finite number");
        }
        let list_price_micros = self.price(checker, || field("list_price"), item.list_price);
        let unit_cost_micros = self.price(checker, || field("unit_cost"), item.unit_cost);
        let status = match ItemStatus::try_from(item.status) {
            Ok(status @ (ItemStatus::Unspecified | ItemStatus::Active | ItemStatus::Inactive)) => {
                status
            }
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
            embedding: item.embedding,
        }
    }

    fn price(
        &self,
        checker: &mut Checker,
        field: impl FnOnce() -> String,
        price: Option<Money>,
    ) -> Option<i64> {
        amount(checker, field, price.as_ref(), &self.context.currency, Amount::NotNegative)
    }
}

/// Whether an item sets what is at `path`.
fn sets(item: &Item, path: &str) -> bool {
    match path {
        "title" => !item.title.is_empty(),
        "description" => !item.description.is_empty(),
        "category_path" => !item.category_path.is_empty(),
        "brand" => !item.brand.is_empty(),
        "list_price" => item.list_price.is_some(),
        "unit_cost" => item.unit_cost.is_some(),
        "embedding" => !item.embedding.is_empty(),
        _ => sets_attribute(&item.attributes, path),
    }
}
