//! Changes of locations and suppliers, which stand in every shard.

use jiff::tz::TimeZone;
use mercer_common::{ids::Checker, limits};
use mercer_proto::{
    internal::mutation,
    v1::{
        DeleteLocationRequest, DeleteSupplierRequest, Location, MutationResponse,
        UpsertLocationsRequest, UpsertSuppliersRequest,
    },
};
use prost::Message as _;

use super::{
    Ingest, IngestError,
    mutation::{Destination, Mutations, records},
};
use crate::validate::supply_terms;

impl Ingest {
    pub(crate) async fn upsert_locations(
        &self,
        mut request: UpsertLocationsRequest,
    ) -> Result<MutationResponse, IngestError> {
        let bytes = request.encoded_len();
        let mut checker = Checker::default();
        let request_id = request.request_id.take();
        let origin = self.request_origin(&mut checker, request_id, &request);
        let mut mutations = Mutations::new();
        let limit = limits::DIRECTORY_RECORDS;
        for (path, location) in records(&mut checker, "locations", request.locations, limit) {
            check_location(&mut checker, &path, &location);
            let kind = mutation::Kind::UpsertLocation(location);
            mutations.push((Destination::Everywhere, kind));
        }
        self.mutate(checker, origin, mutations, bytes).await
    }

    pub(crate) async fn delete_location(
        &self,
        mut request: DeleteLocationRequest,
    ) -> Result<MutationResponse, IngestError> {
        let mut checker = Checker::default();
        let request_id = request.request_id.take();
        let origin = self.request_origin(&mut checker, request_id, &request);
        checker.known_location(|| "location_id".into(), &request.location_id);
        let kind = mutation::Kind::DeleteLocation(request.location_id);
        let mutations = vec![(Destination::Everywhere, kind)];
        self.mutate(checker, origin, mutations, limits::ID_BYTES).await
    }

    pub(crate) async fn upsert_suppliers(
        &self,
        mut request: UpsertSuppliersRequest,
    ) -> Result<MutationResponse, IngestError> {
        let bytes = request.encoded_len();
        let currency = &self.context.currency;
        let mut checker = Checker::default();
        let request_id = request.request_id.take();
        let origin = self.request_origin(&mut checker, request_id, &request);
        let mut mutations = Mutations::new();
        let limit = limits::DIRECTORY_RECORDS;
        for (path, mut supplier) in records(&mut checker, "suppliers", request.suppliers, limit) {
            checker.id(|| format!("{path}.supplier_id"), &supplier.supplier_id);
            checker.label(|| format!("{path}.name"), &supplier.name);
            if let Some(terms) = &mut supplier.terms {
                supply_terms(&mut checker, &format!("{path}.terms"), terms, currency);
            }
            let kind = mutation::Kind::UpsertSupplier(supplier);
            mutations.push((Destination::Everywhere, kind));
        }
        self.mutate(checker, origin, mutations, bytes).await
    }

    pub(crate) async fn delete_supplier(
        &self,
        mut request: DeleteSupplierRequest,
    ) -> Result<MutationResponse, IngestError> {
        let mut checker = Checker::default();
        let request_id = request.request_id.take();
        let origin = self.request_origin(&mut checker, request_id, &request);
        checker.known_id(|| "supplier_id".into(), &request.supplier_id);
        let kind = mutation::Kind::DeleteSupplier(request.supplier_id);
        let mutations = vec![(Destination::Everywhere, kind)];
        self.mutate(checker, origin, mutations, limits::ID_BYTES).await
    }
}

fn check_location(checker: &mut Checker, path: &str, location: &Location) {
    checker.location(|| format!("{path}.location_id"), &location.location_id);
    checker.label(|| format!("{path}.name"), &location.name);
    let zone = &location.time_zone;
    if !zone.is_empty() && TimeZone::get(zone).is_err() {
        let problem = format!("`{zone:.64}` is no time zone; give an IANA name such as Asia/Tokyo");
        checker.violation(format!("{path}.time_zone"), problem);
    }
}
