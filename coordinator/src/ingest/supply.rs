//! Terms under which items are bought.

use mercer_common::{
    clearing::Described,
    ids::{Checker, EVERYWHERE},
    limits,
};
use mercer_proto::{
    internal::{self, mutation},
    v1::{DeleteSupplyRequest, MutationResponse, SetSupplyRequest, Supply, SupplyTerms},
};
use prost::Message as _;

use super::{
    Ingest, IngestError, KEEPING_SINCE,
    keeping::sets_terms,
    mutation::{Mutations, records},
};
use crate::validate::supply_terms;

impl Ingest {
    pub(crate) async fn set_supply(
        &self,
        mut request: SetSupplyRequest,
    ) -> Result<MutationResponse, IngestError> {
        let bytes = request.encoded_len();
        let currency = &self.context.currency;
        let mut checker = Checker::default();
        let request_id = request.request_id.take();
        let import = request.import.take();
        let origin = self.records_origin(&mut checker, request_id, import, &request);
        let SetSupplyRequest { supply, keep_absent, clears, .. } = request;
        let mut keeping =
            self.keeping(&mut checker, Described::Supply, keep_absent, clears, supply.len())?;
        let mut mutations = Mutations::new();
        let supply = records(&mut checker, "supply", supply, limits::BATCH_RECORDS);
        for (index, (path, mut supply)) in supply.enumerate() {
            let clears = keeping.clears(&mut checker, index, |path| sets(&supply, path));
            checker.id(|| format!("{path}.item_id"), &supply.item_id);
            if supply.location_id.is_empty() {
                EVERYWHERE.clone_into(&mut supply.location_id);
            }
            checker.id(|| format!("{path}.location_id"), &supply.location_id);
            if !supply.supplier_id.is_empty() {
                checker.id(|| format!("{path}.supplier_id"), &supply.supplier_id);
            }
            if let Some(terms) = &mut supply.terms {
                supply_terms(&mut checker, &format!("{path}.terms"), terms, currency);
            }
            let to = self.of_item(&supply.item_id);
            let set = internal::SetSupply {
                item_id: supply.item_id,
                location_id: supply.location_id,
                supplier_id: supply.supplier_id,
                // Terms that say nothing are none.
                terms: supply.terms.filter(|terms| *terms != SupplyTerms::default()),
                keep_absent,
                clears,
            };
            mutations.push((to, mutation::Kind::SetSupply(set)));
        }
        self.mutate(checker, origin, mutations, bytes).await
    }

    pub(crate) async fn delete_supply(
        &self,
        mut request: DeleteSupplyRequest,
    ) -> Result<MutationResponse, IngestError> {
        self.needs_version(KEEPING_SINCE, "the deletion of supply")?;
        let bytes = request.encoded_len();
        let mut checker = Checker::default();
        let request_id = request.request_id.take();
        let origin = self.request_origin(&mut checker, request_id, &request);
        let DeleteSupplyRequest { item_ids, mut location_id, .. } = request;
        match &mut location_id {
            Some(id) if id.is_empty() => EVERYWHERE.clone_into(id),
            Some(id) => checker.known_id(|| "location_id".into(), id),
            None => {}
        }
        let mut mutations = Mutations::new();
        for (path, item_id) in records(&mut checker, "item_ids", item_ids, limits::BATCH_RECORDS) {
            checker.known_id(|| path, &item_id);
            let to = self.of_item(&item_id);
            let delete = internal::DeleteSupply { item_id, location_id: location_id.clone() };
            mutations.push((to, mutation::Kind::DeleteSupply(delete)));
        }
        self.mutate(checker, origin, mutations, bytes).await
    }
}

/// Whether supply sets what is at `path`.
fn sets(supply: &Supply, path: &str) -> bool {
    match path {
        "supplier_id" => !supply.supplier_id.is_empty(),
        _ => sets_terms(supply.terms.as_ref(), path),
    }
}
