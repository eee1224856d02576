//! Stock, supply terms, suppliers, locations and competitors' prices.

use mercer_proto::v1::{
    Clearing, CompetitorPrice, Location, ServiceTarget, Stock, Supplier, Supply, SupplyTerms,
    UpsertLocationsRequest, UpsertSuppliersRequest, service_target::Target,
};

use super::*;

fn rows(kind: Kind, set: &[&str], content: &str) -> (Vec<Records>, Vec<(u64, String)>) {
    let folder = TempDir::new().expect("a folder");
    let path = csv(&folder, content);
    let outcome = read(&path, kind, &mapping(kind, &[], set), 500).expect("read");
    let reasons = outcome.reasons();
    (outcome.chunks.into_iter().map(|chunk| chunk.records).collect(), reasons)
}

#[test]
fn supply_terms_are_read_and_blank_cells_are_absent() {
    let (records, rejects) = rows(
        Kind::Supply,
        &["supplier_id=acme"],
        "item_id,location_id,lead_time_days,lead_time_deviation_days,order_cost,pack_size,cycle_service,fill_rate\n\
         7,s1,5,1.5,12.50,6,0.95,\n\
         8,*,,,,,,0.98\n",
    );
    assert_eq!(rejects, []);
    let [Records::Supply(request)] = &records[..] else { panic!("{records:?}") };
    let service = |target| Some(ServiceTarget { target: Some(target) });
    let first = SupplyTerms {
        lead_time_days: Some(5.0),
        lead_time_deviation_days: Some(1.5),
        order_cost: usd(12, 500_000_000),
        pack_size: Some(6.0),
        service: service(Target::CycleService(0.95)),
        ..SupplyTerms::default()
    };
    let second = SupplyTerms { service: service(Target::FillRate(0.98)), ..SupplyTerms::default() };
    let supply = |item: &str, location: &str, terms| Supply {
        item_id: item.into(),
        location_id: location.into(),
        supplier_id: "acme".into(),
        terms: Some(terms),
    };
    assert_eq!(request.supply, [supply("7", "s1", first), supply("8", "*", second)]);

    let (records, _) = rows(Kind::Supply, &[], "item_id,lead_time_days\n7,\n");
    let [Records::Supply(request)] = &records[..] else { panic!("{records:?}") };
    assert_eq!(request.supply, [Supply { item_id: "7".into(), ..Supply::default() }]);
}

#[test]
fn bad_terms_name_the_field_and_the_line() {
    let (_, rejects) = rows(
        Kind::Supply,
        &[],
        "item_id,lead_time_days,minimum_order_quantity,order_cost,cycle_service,fill_rate\n\
         a,-1,,,,\n\
         b,,0,,,\n\
         c,,,-2,,\n\
         d,,,,1,\n\
         e,,,,0.9,0.9\n\
         ,1,,,,\n\
         f,soon,,,,\n",
    );
    let expected = [
        (2, "lead_time_days is -1; must lie within 0 and 3650"),
        (3, "minimum_order_quantity is 0; must be above 0 and at most 1000000000000"),
        (4, "order_cost must not be negative"),
        (5, "cycle_service is 1; must be above 0 and below 1"),
        (6, "fill_rate must be empty where cycle_service is set"),
        (7, "item_id must not be empty"),
        (8, "lead_time_days `soon` is not a number"),
    ];
    assert_eq!(rejects, expected.map(|(line, reason)| (line, reason.to_owned())));
}

#[test]
fn suppliers_and_locations() {
    let (records, rejects) = rows(
        Kind::Suppliers,
        &[],
        "supplier_id,name,lead_time_days\nacme,Acme Ltd,5\nbare,,\n,x,1\n",
    );
    assert_eq!(rejects, [(4, "supplier_id must not be empty".to_owned())]);
    let [Records::Suppliers(request)] = &records[..] else { panic!("{records:?}") };
    let terms = SupplyTerms { lead_time_days: Some(5.0), ..SupplyTerms::default() };
    let acme = Supplier { supplier_id: "acme".into(), name: "Acme Ltd".into(), terms: Some(terms) };
    let bare = Supplier { supplier_id: "bare".into(), ..Supplier::default() };
    assert_eq!(request.suppliers, [acme, bare]);

    let (records, rejects) = rows(
        Kind::Locations,
        &[],
        "location_id,time_zone,decrement_on_purchase\n\
         s1,Europe/Berlin,yes\n\
         s2,Mars/Crater,\n\
         *,,\n",
    );
    let expected = [
        (3, "time_zone `Mars/Crater` is no IANA time zone"),
        (4, "location_id must name one location; `*` stands for all of them"),
    ];
    assert_eq!(rejects, expected.map(|(line, reason)| (line, reason.to_owned())));
    let [Records::Locations(request)] = &records[..] else { panic!("{records:?}") };
    let berlin = Location {
        location_id: "s1".into(),
        time_zone: "Europe/Berlin".into(),
        decrement_on_purchase: Some(true),
        ..Location::default()
    };
    assert_eq!(request.locations, [berlin]);
}

#[test]
fn competitors_prices_are_above_0_or_forgotten() {
    let (records, rejects) = rows(
        Kind::CompetitorPrices,
        &[],
        "item_id,competitor_id,price,as_of\n\
         1,rival,1.99,2017-01-01T11:53:26Z\n\
         1,other,,2017-01-01T11:53:26Z\n\
         1,free,0,\n\
         1,,1,\n",
    );
    let expected = [(4, "price must be above 0"), (5, "competitor_id must not be empty")];
    assert_eq!(rejects, expected.map(|(line, reason)| (line, reason.to_owned())));
    let [Records::CompetitorPrices(request)] = &records[..] else { panic!("{records:?}") };
    let entry = |competitor: &str, price| CompetitorPrice {
        item_id: "1".into(),
        competitor_id: competitor.into(),
        price,
        as_of: at(1_483_271_606),
    };
    let known = [entry("rival", usd(1, 990_000_000)), entry("other", None)];
    assert_eq!(request.prices, known);
}

#[test]
fn stock_has_three_parts() {
    let (records, rejects) = rows(
        Kind::Stock,
        &["as_of=2017-01-01T11:53:26Z"],
        "item_id,location_id,on_hand,on_order,backordered\n1,s1,-2,6,3\n1,s2,5,,\n1,s3,5,-1,\n",
    );
    let expected = (4, "on_order is -1; must lie within 0 and 1000000000000".to_owned());
    assert_eq!(rejects, [expected]);
    let [Records::Stock(request)] = &records[..] else { panic!("{records:?}") };
    let stock = |location: &str, on_hand, on_order, backordered| Stock {
        item_id: "1".into(),
        location_id: location.into(),
        on_hand,
        on_order,
        backordered,
        as_of: at(1_483_271_606),
    };
    assert_eq!(
        request.stock,
        [stock("s1", -2.0, Some(6.0), Some(3.0)), stock("s2", 5.0, None, None)]
    );
}

#[test]
fn no_call_carries_more_locations_than_are_allowed() {
    let locations = (0..2_500)
        .map(|number| Location { location_id: format!("s{number}"), ..Location::default() });
    let all: Vec<Location> = locations.collect();
    let request =
        UpsertLocationsRequest { locations: all.clone(), ..UpsertLocationsRequest::default() };
    let mut sent = Vec::new();
    for part in Records::Locations(request).within_limit() {
        let Records::Locations(part) = part else { panic!("{part:?}") };
        assert!(part.locations.len() <= mercer_common::limits::DIRECTORY_RECORDS);
        sent.extend(part.locations);
    }
    assert_eq!(sent, all);
}

#[test]
fn what_is_cleared_stays_with_its_record_when_a_call_is_split() {
    let suppliers = (0..2_500)
        .map(|number| Supplier { supplier_id: number.to_string(), ..Supplier::default() });
    let cleared = |number: u32| number % 7 == 3;
    let mut clears = Vec::new();
    for index in (0..2_500).filter(|&number| cleared(number)) {
        clears.push(Clearing { index, paths: vec![format!("path {index}")] });
    }
    let request = UpsertSuppliersRequest {
        suppliers: suppliers.collect(),
        keep_absent: true,
        clears,
        ..UpsertSuppliersRequest::default()
    };
    let parts = Records::Suppliers(request).within_limit();
    assert!(parts.len() > 2, "{}", parts.len());
    let mut met: Vec<u32> = Vec::new();
    for part in parts {
        let Records::Suppliers(part) = part else { panic!("{part:?}") };
        assert!(part.keep_absent);
        for Clearing { index, paths } in part.clears {
            let number = &part.suppliers[index as usize].supplier_id;
            assert_eq!(paths, [format!("path {number}")]);
            met.push(number.parse().expect("a number"));
        }
    }
    assert_eq!(met, (0..2_500).filter(|&number| cleared(number)).collect::<Vec<_>>());
}

#[test]
fn a_preset_says_what_it_lacks() {
    for kind in [Kind::Stock, Kind::Supply, Kind::CompetitorPrices, Kind::Suppliers] {
        let preset = crate::import::mapping::Preset::find("complete-journey").expect("known");
        let error = preset.layout(kind).map(|_| ());
        let text = error.expect_err("nothing to read").to_string();
        assert!(text.contains(&format!("holds no {kind}")), "{text}");
    }
}
