//! Counts of stock and their changes.

use mercer_common::{
    clearing::Described,
    ids::{Checker, DEFAULT_LOCATION},
    limits,
};
use mercer_proto::{
    internal::{self, mutation},
    v1::{AdjustStockRequest, DeleteStockRequest, MutationResponse, SetStockRequest},
};
use prost::Message as _;

use super::{
    Ingest, IngestError, KEEPING_SINCE,
    mutation::{Mutations, as_of, records},
};
use crate::validate::within;

impl Ingest {
    pub(crate) async fn set_stock(
        &self,
        mut request: SetStockRequest,
    ) -> Result<MutationResponse, IngestError> {
        let bytes = request.encoded_len();
        let now = self.clock.now();
        let mut checker = Checker::default();
        let request_id = request.request_id.take();
        let import = request.import.take();
        let origin = self.records_origin(&mut checker, request_id, import, &request);
        let SetStockRequest { stock, keep_absent, clears, .. } = request;
        let mut keeping =
            self.keeping(&mut checker, Described::Stock, keep_absent, clears, stock.len())?;
        let mut mutations = Mutations::new();
        let stock = records(&mut checker, "stock", stock, limits::BATCH_RECORDS);
        for (index, (path, stock)) in stock.enumerate() {
            let clears = keeping.clears(&mut checker, index, |path| match path {
                "on_order" => stock.on_order.is_some(),
                _ => stock.backordered.is_some(),
            });
            check_place(&mut checker, &path, &stock.item_id, &stock.location_id);
            let counts = [
                // Negative after an oversell.
                ("on_hand", Some(stock.on_hand), -limits::QUANTITY),
                ("on_order", stock.on_order, 0.0),
                ("backordered", stock.backordered, 0.0),
            ];
            for (name, count, least) in counts {
                let bounds = least..=limits::QUANTITY;
                within(&mut checker, || format!("{path}.{name}"), count, bounds);
            }
            let as_of_ms = as_of(&mut checker, &path, stock.as_of, now);
            let to = self.of_item(&stock.item_id);
            let set = internal::SetStock {
                item_id: stock.item_id,
                location_id: stock.location_id,
                on_hand: stock.on_hand,
                as_of_ms,
                on_order: stock.on_order,
                backordered: stock.backordered,
                keep_absent,
                clears,
            };
            mutations.push((to, mutation::Kind::SetStock(set)));
        }
        self.mutate(checker, origin, mutations, bytes).await
    }

    pub(crate) async fn delete_stock(
        &self,
        mut request: DeleteStockRequest,
    ) -> Result<MutationResponse, IngestError> {
        self.needs_version(KEEPING_SINCE, "the deletion of stock")?;
        let bytes = request.encoded_len();
        let mut checker = Checker::default();
        let request_id = request.request_id.take();
        let origin = self.request_origin(&mut checker, request_id, &request);
        let DeleteStockRequest { item_ids, mut location_id, .. } = request;
        match &mut location_id {
            Some(id) if id.is_empty() => DEFAULT_LOCATION.clone_into(id),
            Some(id) => checker.known_location(|| "location_id".into(), id),
            None => {}
        }
        let mut mutations = Mutations::new();
        for (path, item_id) in records(&mut checker, "item_ids", item_ids, limits::BATCH_RECORDS) {
            checker.known_id(|| path, &item_id);
            let to = self.of_item(&item_id);
            let delete = internal::DeleteStock { item_id, location_id: location_id.clone() };
            mutations.push((to, mutation::Kind::DeleteStock(delete)));
        }
        self.mutate(checker, origin, mutations, bytes).await
    }

    pub(crate) async fn adjust_stock(
        &self,
        mut request: AdjustStockRequest,
    ) -> Result<MutationResponse, IngestError> {
        let bytes = request.encoded_len();
        let mut checker = Checker::default();
        let request_id = request.request_id.take();
        let origin = self.request_origin(&mut checker, request_id, &request);
        let mut mutations = Mutations::new();
        let deltas = records(&mut checker, "deltas", request.deltas, limits::BATCH_RECORDS);
        for (path, delta) in deltas {
            check_place(&mut checker, &path, &delta.item_id, &delta.location_id);
            let changes = [("delta", delta.delta), ("on_order_delta", delta.on_order_delta)];
            for (name, change) in changes {
                let bounds = -limits::QUANTITY..=limits::QUANTITY;
                within(&mut checker, || format!("{path}.{name}"), Some(change), bounds);
            }
            // Stock is kept in millionths where it is added to.
            if delta.delta != 0.0 && delta.delta.abs() < limits::LEAST_QUANTITY {
                let least = limits::LEAST_QUANTITY;
                let problem = format!("is {}; must be 0 or at least {least}", delta.delta);
                checker.violation(format!("{path}.delta"), problem);
            }
            let to = self.of_item(&delta.item_id);
            let adjust = internal::AdjustStock {
                item_id: delta.item_id,
                location_id: delta.location_id,
                delta: delta.delta,
                on_order_delta: delta.on_order_delta,
            };
            mutations.push((to, mutation::Kind::AdjustStock(adjust)));
        }
        self.mutate(checker, origin, mutations, bytes).await
    }
}

/// Requires an item and one location, which is `default` when empty.
fn check_place(checker: &mut Checker, path: &str, item_id: &str, location_id: &str) {
    checker.id(|| format!("{path}.item_id"), item_id);
    if !location_id.is_empty() {
        checker.location(|| format!("{path}.location_id"), location_id);
    }
}
