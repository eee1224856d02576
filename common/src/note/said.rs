//! Everything that a note can say, each code with what it names.

use mercer_proto::v1::{NoteArgument, NoteCode};

use super::value::{
    Amount, Days, Declared, Goal, MissingForLot, Number, Objective, Reference, Share, Status, Text,
    Units, Value, WhyWithinTried, declare_word, push_word,
};
use crate::time::Day;

macro_rules! said {
    ($($code:ident { $($name:ident: $type:ty),* })*) => {
        /// What a note says; the API's `NoteCode` tells what each means.
        #[derive(Clone, Debug, PartialEq)]
        #[expect(missing_docs, reason = "the API tells what each code means")]
        pub enum Said { $($code { $($name: $type),* }),* }

        impl Said {
            /// Code of the note.
            #[must_use]
            pub fn code(&self) -> NoteCode {
                match self { $(Self::$code { .. } => NoteCode::$code),* }
            }

            /// Arguments that its sentence names.
            #[must_use]
            pub fn arguments(self) -> Vec<NoteArgument> {
                let mut arguments = Vec::new();
                match self {
                    $(Self::$code { $($name),* } => {
                        $($name.push(stringify!($name), &mut arguments);)*
                    })*
                }
                arguments
            }
        }

        /// All codes, each with the arguments that it has.
        #[must_use]
        pub fn declared() -> Vec<(NoteCode, Vec<Declared>)> {
            let mut all = Vec::new();
            $({
                #[allow(unused_mut, reason = "some have no arguments")]
                let mut arguments = Vec::new();
                $(<$type>::declare(stringify!($name), &mut arguments);)*
                all.push((NoteCode::$code, arguments));
            })*
            all
        }
    };
}

said! {
    OtherVersion { damaged: Text, version: Option<Text> }
    NothingPurchased {}
    PopularByEvents { version: Text }

    ElasticityOfNewItem { category: Option<Text> }
    NoElasticityOfItsOwn { weeks: Number, category: Option<Text>, elasticity: Number }
    ElasticityOfWrongSign { own: Number, category: Option<Text>, elasticity: Number }
    ElasticityUncertain { own: Number, error: Number, weight: Share, category: Option<Text> }

    ShareOfLocation { location: Text, share: Share }
    NeverSoldAtLocation { location: Text }
    ShortHistory { sale_days: Days, span: Days, category: Option<Text> }
    NoHistory { category: Option<Text> }
    NeverSold {}
    SilentDays {
        location: Option<Text>,
        first: Day,
        last: Day,
        length: Days,
        earlier: Option<Days>
    }
    WildDays {
        units: Units,
        date: Day,
        usual: Number,
        others: Option<Number>,
        counted: Option<Number>
    }
    ForecastStarts { start: Day, newer: Option<Day> }
    SumsAtLimit {}
    BeyondMethod { length: Days, repeated: Days }
    ForecastAtPrice { price: Amount, factor: Number }

    PlanNotUnderstood {}
    PlannedPricesLeftOut {}
    PlanOutsideHorizon { days: Days, first: Day, last: Day }
    PlanCut { largest: Number, days: Days }
    PlanChangesNothing {}
    PlanChangesDemand {
        days: Days,
        share: Share,
        elasticity: Number,
        promotion: Number,
        lowest: Option<Amount>,
        highest: Option<Amount>,
        price: Option<Amount>
    }

    PlannedTogether { locations: Text }
    NotOrderedByStatus { status: Status }
    NotHeld { last_sale: Option<Day> }
    StockNeverTold { location: Option<Text> }
    StockNeverCounted { location: Text }
    CoverTooShortNow {
        cover: Days,
        days: Days,
        quantity: Units,
        position: Number,
        reorder_point: Number,
        cycle_service: Share,
        fill_rate: Share
    }
    CoverTooShort {
        cover: Days,
        review_period: Days,
        cycle_service: Share,
        fill_rate: Share
    }
    NoEconomicLot { missing: MissingForLot, review_period: Option<Days> }
    LotAboveCover { lot: Units, cover: Days, planned: Number }
    ReorderPoint {
        reorder_point: Number,
        cycle_service: Option<Share>,
        fill_rate: Option<Share>,
        lead_time: Number,
        lead_time_deviation: Days,
        review_period: Option<Days>,
        mean: Number,
        deviation: Units,
        undershoot: Option<Number>
    }
    ReorderPointAtOnce { reorder_point: Number, undershoot: Option<Number> }
    OrderNothing {
        position: Number,
        on_hand: Number,
        on_order: Number,
        backordered: Number,
        reorder_point: Number
    }
    OrderNothingWithoutDemand {
        position: Number,
        on_hand: Number,
        on_order: Number,
        backordered: Number
    }
    Order {
        quantity: Units,
        position: Number,
        on_hand: Number,
        on_order: Number,
        backordered: Number,
        reorder_point: Number,
        unrounded: Number,
        order_up_to: Number,
        minimum: Option<Number>,
        pack: Option<Number>,
        cover: Option<Days>
    }
    OrderCut { cover: Days, quantity: Units }
    OrderExceedsCover { quantity: Units, lasts: Option<Days>, cover: Days }
    SupplierNotCatalogued { supplier: Text }
    ConfiguredTerms {
        lead_time_days: Option<Number>,
        lead_time_deviation_days: Option<Number>,
        review_period_days: Option<Number>,
        order_cost: Option<Amount>,
        holding_rate: Option<Number>,
        minimum_order_quantity: Option<Number>,
        pack_size: Option<Number>,
        maximum_cover_days: Option<Number>,
        cycle_service: Option<Share>,
        fill_rate: Option<Share>
    }
    TermOutOfRange { value: Number }
    NoSeasonWithoutCost {}
    NoSeasonWithoutPrice {}
    NoSeasonWithoutLoss {}
    SeasonNotWorthAUnit {}

    NotPricedByStatus { status: Status }
    NoPriceKnown {}
    NoUnitCost {}
    NoDemand { horizon: Number }
    NoListPrice { price: Amount }
    ListPriceNotPositive { price: Amount }
    UnitCostNegative { unit_cost: Amount }
    DemandAtCurrentPrice {
        price: Amount,
        units: Units,
        usual: Number,
        lowest: Amount,
        highest: Amount
    }
    MarginWithoutCost { margin: Share }
    NoCompetitorPrice {}
    CompetitorPricesTooOld { left_out: Number, all: Number, days: Number }
    CompetitorReference { price: Amount, competitors: Number, reference: Reference }
    CurrentPriceNotTried { price: Amount, lowest: Amount, highest: Amount }
    PriceWithinTried {
        elasticity: Number,
        lowest: Amount,
        highest: Amount,
        why: WhyWithinTried
    }
    CostAbovePrice { price: Amount, unit_cost: Amount, loss: Amount }
    CurrentPriceIsBest { price: Amount }
    PriceChange {
        price: Amount,
        current_price: Amount,
        objective: Objective,
        expected: Amount,
        expected_now: Amount,
        units: Number,
        units_now: Number,
        goal: Goal,
        optimum: Option<Amount>
    }

    RuleImpossible { rule: NamedRule }
    RulesImpossible { rule: NamedRule, against: NamedRule }
    RuleBinds {
        rule: NamedRule,
        limit: Amount,
        objective: Objective,
        goal: Goal,
        optimum: Option<Amount>
    }
    RuleGivesWay { rule: NamedRule, price: Amount }
    EndingsBind { rule: NamedRule, price: Amount, before: Amount }
    EndingsGiveWay { rule: NamedRule, lowest: Amount, highest: Amount }
}

/// A rule for prices with its numbers.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the API tells what each means")]
pub enum NamedRule {
    Floor { floor: Amount },
    Ceiling { ceiling: Amount },
    MarginFloor { margin: Share, least_price: Amount, unit_cost: Amount },
    LargestChange { change: Share, from_price: Amount },
    CompetitorFloor { index_floor: Number, competitors_price: Amount },
    CompetitorCeiling { index_ceiling: Number, competitors_price: Amount },
    TestedRange { lowest_tried: Amount, highest_tried: Amount },
    Endings { endings: Text },
}

impl Value for NamedRule {
    fn push(self, name: &'static str, arguments: &mut Vec<NoteArgument>) {
        let mut push_rule = |word| push_word(name, word, arguments);
        match self {
            Self::Floor { floor } => {
                push_rule("floor");
                floor.push("floor", arguments);
            }
            Self::Ceiling { ceiling } => {
                push_rule("ceiling");
                ceiling.push("ceiling", arguments);
            }
            Self::MarginFloor { margin, least_price, unit_cost } => {
                push_rule("margin_floor");
                margin.push("margin", arguments);
                least_price.push("least_price", arguments);
                unit_cost.push("unit_cost", arguments);
            }
            Self::LargestChange { change, from_price } => {
                push_rule("largest_change");
                change.push("change", arguments);
                from_price.push("from_price", arguments);
            }
            Self::CompetitorFloor { index_floor, competitors_price } => {
                push_rule("competitor_floor");
                index_floor.push("index_floor", arguments);
                competitors_price.push("competitors_price", arguments);
            }
            Self::CompetitorCeiling { index_ceiling, competitors_price } => {
                push_rule("competitor_ceiling");
                index_ceiling.push("index_ceiling", arguments);
                competitors_price.push("competitors_price", arguments);
            }
            Self::TestedRange { lowest_tried, highest_tried } => {
                push_rule("tested_range");
                lowest_tried.push("lowest_tried", arguments);
                highest_tried.push("highest_tried", arguments);
            }
            Self::Endings { endings } => {
                push_rule("endings");
                endings.push("endings", arguments);
            }
        }
    }

    fn declare(name: &'static str, declared: &mut Vec<Declared>) {
        const WORDS: [&str; 8] = [
            "floor",
            "ceiling",
            "margin_floor",
            "largest_change",
            "competitor_floor",
            "competitor_ceiling",
            "tested_range",
            "endings",
        ];
        declare_word(name, &WORDS, declared);
        for amount in
            ["floor", "ceiling", "least_price", "unit_cost", "from_price", "competitors_price"]
        {
            Option::<Amount>::declare(amount, declared);
        }
        Option::<Amount>::declare("lowest_tried", declared);
        Option::<Amount>::declare("highest_tried", declared);
        Option::<Share>::declare("margin", declared);
        Option::<Share>::declare("change", declared);
        Option::<Number>::declare("index_floor", declared);
        Option::<Number>::declare("index_ceiling", declared);
        Option::<Text>::declare("endings", declared);
    }
}
