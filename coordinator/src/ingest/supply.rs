//! Terms under which items are bought.

use mercer_common::{
    ids::{Checker, EVERYWHERE},
    limits,
};
use mercer_proto::{
    internal::{self, mutation},
    v1::{MutationResponse, SetSupplyRequest, SupplyTerms},
};
use prost::Message as _;

use super::{
    Ingest, IngestError,
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
        let origin = self.request_origin(&mut checker, request_id, &request);
        let mut mutations = Mutations::new();
        let supply = records(&mut checker, "supply", request.supply, limits::BATCH_RECORDS);
        for (path, mut supply) in supply {
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
            };
            mutations.push((to, mutation::Kind::SetSupply(set)));
        }
        self.mutate(checker, origin, mutations, bytes).await
    }
}
