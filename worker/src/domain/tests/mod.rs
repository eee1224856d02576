//! Forecasts and orders against plain sums, sentence by sentence, and under random facts.

mod answers;
mod forecast;
mod policy;
mod random;
mod stages;

use std::sync::Arc;

use jiff::{civil::date, tz::TimeZone};
use mercer_common::{money::from_micros, time::Day};
use mercer_proto::{
    google::r#type::{Date, Money},
    internal::{
        self, DecisionDefaults, DemandProfiles, DemandResult, ElasticityPriors, ElasticityResult,
        LocationShare, SeriesForecast, StoredHistory, series_forecast::Spread,
    },
    v1::{
        ForecastSource, ItemStatus, Note, PlannedPrice, ServiceTarget, Supplier, SupplyTerms,
        note::Kind, service_target::Target,
    },
};

use super::facts::{Defaults, Demand, Elasticity, Facts};
use crate::shard::{Directory, ItemState, Stock, Supply, Terms};

fn usd(amount: f64) -> Money {
    let micros = (amount * 1e6).round() as i64;
    from_micros(micros, "USD")
}

fn terms() -> SupplyTerms {
    SupplyTerms {
        lead_time_days: Some(7.0),
        lead_time_deviation_days: Some(0.0),
        review_period_days: Some(7.0),
        order_cost: Some(usd(20.0)),
        holding_rate: Some(0.25),
        minimum_order_quantity: Some(1.0),
        pack_size: Some(1.0),
        maximum_cover_days: Some(180.0),
        service: Some(ServiceTarget { target: Some(Target::CycleService(0.95)) }),
    }
}

/// An item that costs 4.00, sells 2 a day at 6.00 (three quarters of it in `north`), has been
/// trained on until 2024-03-01, and has 20 on hand in `north`.
#[derive(Debug)]
struct World {
    item: ItemState,
    directory: internal::Directory,
    defaults: DecisionDefaults,
    demand: Option<DemandResult>,
    profiles: DemandProfiles,
    elasticity: Option<ElasticityResult>,
}

fn series(location: &str, daily: f32) -> SeriesForecast {
    SeriesForecast {
        location_id: location.into(),
        source: ForecastSource::OwnHistory.into(),
        method: "ses".into(),
        path: vec![daily; 56],
        repeat: 7,
        spread: Some(Spread::VarianceRatio(1.0)),
        history: Some(StoredHistory {
            first_day: 12_000,
            last_day: 12_099,
            sale_days: 80,
            units: 200.0,
            ..StoredHistory::default()
        }),
        ..SeriesForecast::default()
    }
}

fn stock(location: &str, on_hand: f64, on_order: f64, backordered: f64) -> Stock {
    Stock {
        location: Arc::from(location),
        on_hand,
        as_of_ms: 1,
        on_order,
        backordered,
        stock_outs: Vec::new(),
    }
}

impl World {
    fn new() -> Self {
        let mut item = ItemState::stub("sku".into(), &mut Default::default());
        item.status = ItemStatus::Active;
        item.list_price_micros = Some(6_000_000);
        item.unit_cost_micros = Some(4_000_000);
        item.category_path = ["food", "fruit"].map(Arc::from).into();
        item.stock = vec![stock("north", 20.0, 0.0, 0.0)];
        let as_of = Day::from_date(date(2024, 3, 1)).expect("in range");
        Self {
            item,
            directory: internal::Directory::default(),
            defaults: DecisionDefaults { terms: Some(terms()), ..Default::default() },
            demand: Some(DemandResult {
                item_id: "sku".into(),
                series: vec![series("*", 2.0), series("north", 1.5)],
                shares: vec![LocationShare { location_id: "south".into(), share: 0.25 }],
                paid_price_micros: 5_500_000,
                ..DemandResult::default()
            }),
            profiles: DemandProfiles {
                as_of_day: as_of.0.into(),
                last_day: u32::from(as_of.0) - 2,
                ..DemandProfiles::default()
            },
            elasticity: Some(ElasticityResult {
                item_id: "sku".into(),
                elasticity: -2.0,
                promotion_factor: 1.5,
                ..ElasticityResult::default()
            }),
        }
    }

    fn with<R>(&self, ask: impl FnOnce(&Facts<'_>) -> R) -> R {
        let priors = ElasticityPriors::default();
        let directory = Directory::decode(self.directory.clone(), TimeZone::UTC).expect("amounts");
        let defaults = Defaults::decode(&self.defaults).expect("amounts");
        let demand = Demand::decode((self.demand.clone(), &self.profiles));
        let elasticity = self.elasticity.clone();
        ask(&Facts {
            item: &self.item,
            directory: &directory,
            defaults: &defaults,
            currency: "USD",
            version: "v1",
            demand: Some(demand),
            elasticity: elasticity.map(|it| Elasticity::decode((Some(it), &priors))),
        })
    }

    fn supply(&mut self, location: &str, supplier: &str, terms: SupplyTerms) {
        let terms = Some(Terms::decode(&terms).expect("amounts"));
        let (location, supplier_id) = (Arc::from(location), supplier.into());
        self.item.supply.push(Supply { location, supplier_id, terms });
    }
}

fn day(year: i32, month: i32, day: i32) -> Option<Date> {
    Some(Date { year, month, day })
}

/// What the notes of a kind say of a field.
fn said<'a>(notes: &'a [Note], kind: Kind, field: &str) -> Vec<&'a str> {
    let about = notes.iter().filter(|note| note.kind() == kind && note.field == field);
    about.map(|note| note.message.as_str()).collect()
}
