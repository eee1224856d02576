//! Changes of locations and suppliers, which stand in every shard.

use jiff::tz::TimeZone;
use mercer_common::{clearing::Described, ids::Checker, limits};
use mercer_proto::{
    internal::{MergeLocation, MergeSupplier, mutation},
    v1::{
        DeleteLocationRequest, DeleteSupplierRequest, Location, MutationResponse, Supplier,
        UpsertLocationsRequest, UpsertSuppliersRequest,
    },
};
use prost::Message as _;

use super::{
    Ingest, IngestError,
    keeping::sets_terms,
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
        let import = request.import.take();
        let origin = self.records_origin(&mut checker, request_id, import, &request);
        let UpsertLocationsRequest { locations, keep_absent, clears, .. } = request;
        let mut keeping =
            self.keeping(&mut checker, Described::Location, keep_absent, clears, locations.len())?;
        let mut mutations = Mutations::new();
        let locations = records(&mut checker, "locations", locations, limits::DIRECTORY_RECORDS);
        for (index, (path, location)) in locations.enumerate() {
            let clears = keeping.clears(&mut checker, index, |path| location_sets(&location, path));
            check_location(&mut checker, &path, &location);
            let kind = match keep_absent {
                true => mutation::Kind::MergeLocation(MergeLocation {
                    location: Some(location),
                    clears,
                }),
                false => mutation::Kind::UpsertLocation(location),
            };
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
        let import = request.import.take();
        let origin = self.records_origin(&mut checker, request_id, import, &request);
        let UpsertSuppliersRequest { suppliers, keep_absent, clears, .. } = request;
        let mut keeping =
            self.keeping(&mut checker, Described::Supplier, keep_absent, clears, suppliers.len())?;
        let mut mutations = Mutations::new();
        let suppliers = records(&mut checker, "suppliers", suppliers, limits::DIRECTORY_RECORDS);
        for (index, (path, mut supplier)) in suppliers.enumerate() {
            let clears = keeping.clears(&mut checker, index, |path| supplier_sets(&supplier, path));
            checker.id(|| format!("{path}.supplier_id"), &supplier.supplier_id);
            checker.label(|| format!("{path}.name"), &supplier.name);
            if let Some(terms) = &mut supplier.terms {
                supply_terms(&mut checker, &format!("{path}.terms"), terms, currency);
            }
            let kind = match keep_absent {
                true => mutation::Kind::MergeSupplier(MergeSupplier {
                    supplier: Some(supplier),
                    clears,
                }),
                false => mutation::Kind::UpsertSupplier(supplier),
            };
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

/// Whether a location sets what is at `path`.
fn location_sets(location: &Location, path: &str) -> bool {
    match path {
        "name" => !location.name.is_empty(),
        "time_zone" => !location.time_zone.is_empty(),
        _ => location.decrement_on_purchase.is_some(),
    }
}

/// Whether a supplier sets what is at `path`.
fn supplier_sets(supplier: &Supplier, path: &str) -> bool {
    match path {
        "name" => !supplier.name.is_empty(),
        _ => sets_terms(supplier.terms.as_ref(), path),
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
