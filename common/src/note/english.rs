//! Notes in English.

use mercer_proto::v1::NoteCode as Code;

use super::Language;

/// English: what `message` is written in.
pub const ENGLISH: Language = Language {
    sentence,
    word,
    decimal: '.',
    units: ["unit", "units"],
    days: ["day", "days", "day", "days"],
    date: |date| format!("{:04}-{:02}-{:02}", date.year, date.month, date.day),
};

/// What an order quantity is decided from.
macro_rules! position {
    () => {
        "the position of {position} ({on_hand} on hand + {on_order} on order - {backordered} \
         backordered) is"
    };
}

/// Which items stand in.
macro_rules! group {
    () => {
        "[category `{category}`|the whole catalogue]"
    };
}

fn sentence(code: Code) -> &'static str {
    match code {
        Code::Unspecified => "",
        Code::OtherVersion => {
            "Version {damaged} is damaged or closed at a worker; see `mercer status`[: {version} \
             answers]."
        }
        Code::NothingPurchased => {
            "Nothing has been purchased, so that all items count 0; after a training popularity \
             goes by the other events."
        }
        Code::PopularByEvents => {
            "Nothing has been purchased: popularity counts the distinct days of users with any \
             other event at the item, as of the training of {version}."
        }
        Code::ElasticityOfNewItem => concat!(
            "No sale was known when the version was trained; ",
            group!(),
            " stands in for the item."
        ),
        Code::NoElasticityOfItsOwn => concat!(
            "The {weeks} whole weeks between its first and last sale give no elasticity of its \
             own: too few, too rarely with a sale, or at a price that hardly varied apart from \
             promotions and season; ",
            group!(),
            " stands in with {elasticity:2}."
        ),
        Code::ElasticityOfWrongSign => concat!(
            "The item's own weeks say {own:+2}, the wrong sign; drawn towards ",
            group!(),
            " it is {elasticity:2}."
        ),
        Code::ElasticityUncertain => concat!(
            "The item's own {own:2} is uncertain (standard error {error:2}) and weighs {weight}; ",
            group!(),
            " weighs the rest."
        ),
        Code::ShareOfLocation => {
            "`{location}` sells too little for a forecast of its own: it has {share} of the item's."
        }
        Code::NeverSoldAtLocation => {
            "The item has never been sold at `{location}`: its share of the forecast is 0."
        }
        Code::ShortHistory => {
            "The history is short ({sale_days} with a sale within {span}), so the forecast leans \
             on what other items of [`{category}`|the catalogue] sell."
        }
        Code::NoHistory => {
            "There is no history, so the forecast is what other items of [`{category}`|the \
             catalogue] sell."
        }
        Code::NeverSold => {
            "Neither the item nor its category has ever been sold, so the forecast is 0."
        }
        Code::SilentDays => {
            "Nothing was sold [at `{location}`|in the whole shop] from {first} to {last} \
             ({length})[, and on {earlier} before], for longer than usual: these days count as \
             missing data, not as days without demand."
        }
        Code::WildDays => {
            "{units} were sold on {date}[ (and {others} more such days)], where nine of ten days \
             with a sale have at most {usual}: check whether that is a slip. The item's forecast \
             counts [{counted} of them|all of them], and other items of its category do not follow \
             it."
        }
        Code::ForecastStarts => {
            "The forecast starts on {start}, the day after the shop's newest purchase or return.[ \
             Newer events, until {newer}, are no sales and do not move it.]"
        }
        Code::SumsAtLimit => {
            "The item's sales are at the largest sum that is kept, 9.2 trillion: what was sold \
             since is left out."
        }
        Code::BeyondMethod => {
            "The method looks {length} ahead; later days repeat its last {repeated}."
        }
        Code::ForecastAtPrice => "At {price} units are {factor} times those at the current price.",
        Code::PlanNotUnderstood => {
            "The plan is left out: `elasticity` has not been trained, so nothing is known of what \
             prices and promotions do."
        }
        Code::PlannedPricesLeftOut => {
            "Prices of the plan are left out: the item has no list price and no sale that they \
             could be compared with."
        }
        Code::PlanOutsideHorizon => {
            "{days} of the plan lie outside {first} to {last} and change nothing."
        }
        Code::PlanCut => {
            "The plan's effect is cut to a factor of {largest} on {days}: it would lie far beyond \
             what was tried."
        }
        Code::PlanChangesNothing => "The plan changes the demand of no day.",
        Code::PlanChangesDemand => {
            "The plan changes {days}, on average to {share} of usual demand: elasticity \
             {elasticity:2} from [the prices of recent weeks, {lowest:currency} to \
             {highest:currency}|{price:currency}|an unknown price], promotions times {promotion:2}."
        }
        Code::PlannedTogether => {
            "Stock or terms are known of {locations}, where less than half of the item is sold, so \
             that it is planned for all locations together."
        }
        Code::NotOrderedByStatus => "Order nothing: the item {status}.",
        Code::NotHeld => {
            "No demand is expected: the forecast is below half a unit a year, so that nothing is \
             held and the reorder point is 0.[ It was last sold on {last_sale}.]"
        }
        Code::StockNeverTold => {
            "No order is proposed: the item's stock[ at `{location}`] was never told. Tell it \
             with `mercer import stock` or SetStock."
        }
        Code::StockNeverCounted => {
            "The stock at `{location}` was adjusted and never counted: what is on hand may be off."
        }
        Code::CoverTooShortNow => {
            "An order that covers at most {cover} does not bridge the {days} until the next one \
             can arrive: with {quantity} the position reaches {position}, below the reorder point \
             of {reorder_point}, and keeps {cycle_service} of order cycles without a stock-out and \
             {fill_rate} of units."
        }
        Code::CoverTooShort => {
            "An order that covers at most {cover} brings less than the {review_period} between two \
             orders take: in the long run it keeps {cycle_service} of order cycles without a \
             stock-out and {fill_rate} of units, whatever the reorder point."
        }
        Code::NoEconomicLot => {
            "{missing} there is no economic order quantity: [an order covers the review period of \
             {review_period}|an order brings the position back to the reorder point]."
        }
        Code::LotAboveCover => {
            "The economic order quantity of {lot} is more than mean demand takes in {cover}; \
             {planned} is planned with instead."
        }
        Code::ReorderPoint => {
            "For [{cycle_service} of order cycles without a stock-out|{fill_rate} of units \
             delivered from stock], the reorder point of {reorder_point} covers a lead time of \
             {lead_time} ± {lead_time_deviation} [and a review period of {review_period}|with stock \
             watched continuously], in which demand is {mean} ± {deviation}[; {undershoot} of it \
             are the undershoot, by which demand in lumps passes the reorder point before an order \
             is placed]."
        }
        Code::ReorderPointAtOnce => {
            "An order arrives at once and stock is watched continuously, so that the reorder point \
             of {reorder_point} covers no time[; {undershoot} of it are the undershoot, by which \
             demand in lumps passes the reorder point before an order is placed]."
        }
        Code::OrderNothing => {
            concat!("Order nothing: ", position!(), " above the reorder point of {reorder_point}.")
        }
        Code::OrderNothingWithoutDemand => concat!(
            "Order nothing: ",
            position!(),
            " all that is needed, for no demand is expected."
        ),
        Code::Order => concat!(
            "Order {quantity}: ",
            position!(),
            " at or below the reorder point of {reorder_point}; {unrounded} more reach \
             {order_up_to}[, which the minimum of {minimum}, packs of {pack} and cover of {cover} \
             make {quantity:bare}|, which the minimum of {minimum} and packs of {pack} make \
             {quantity:bare}]."
        ),
        Code::OrderCut => "The order is kept within what mean demand takes in {cover}: {quantity}.",
        Code::OrderExceedsCover => {
            "The smallest order that minimum and packs allow, {quantity}, lasts [{lasts}|for ever] \
             at mean demand, longer than the {cover} that an order shall cover; the supplier's \
             terms come first."
        }
        Code::SupplierNotCatalogued => {
            "Supplier `{supplier}` is not catalogued, so that nothing is known of its terms."
        }
        Code::ConfiguredTerms => "Not set, so the configured value is used: {*}.",
        Code::TermOutOfRange => "{value} is out of range and is left out.",
        Code::NoSeasonWithoutCost => "No quantity for the season: the unit cost is not known.",
        Code::NoSeasonWithoutPrice => {
            "No quantity for the season: the item has no list price and no sale."
        }
        Code::NoSeasonWithoutLoss => {
            "No quantity for the season: what is left over brings its cost back, so that no \
             quantity is too much."
        }
        Code::SeasonNotWorthAUnit => {
            "The season is not worth a unit: the price does not cover the unit cost."
        }
        Code::NotPricedByStatus => "The item {status}.",
        Code::NoPriceKnown => {
            "No price is known: the catalogue has none above 0, and no sale was paid for."
        }
        Code::NoUnitCost => "The unit cost is not known, and profit needs it; revenue does not.",
        Code::NoDemand => {
            "No demand is expected within {horizon} days, so that all prices earn the same."
        }
        Code::NoListPrice => {
            "The catalogue has no list price; {price}, the mean price paid in the last week with a \
             sale, stands in for it."
        }
        Code::ListPriceNotPositive => {
            "The catalogue's list price is not above 0; {price}, the mean price paid in the last \
             week with a sale, stands in for it."
        }
        Code::UnitCostNegative => "A unit cost of {unit_cost} is below 0 and left out.",
        Code::DemandAtCurrentPrice => {
            "At the current price of {price} and without a promotion {units} are expected; the \
             usual {usual} stand on the offers of recent weeks, at {lowest} to {highest}."
        }
        Code::MarginWithoutCost => {
            "The margin floor of {margin} cannot be kept without a unit cost."
        }
        Code::NoCompetitorPrice => {
            "No competitor's price is known, so the competitor index does not bind."
        }
        Code::CompetitorPricesTooOld => {
            "{left_out} of {all} competitors' prices are more than {days} days older than the \
             newest and are left out."
        }
        Code::CompetitorReference => {
            "The competitor index refers to {price}, the {reference} price of {competitors} \
             competitors."
        }
        Code::CurrentPriceNotTried => {
            "The current price of {price} is none of the weekly prices that the forecast stands \
             on: {lowest} to {highest}."
        }
        Code::PriceWithinTried => {
            "{why} ({elasticity:2} after drawing it towards its group), so the price stays within \
             those that were charged: {lowest} to {highest}."
        }
        Code::CostAbovePrice => {
            "The unit cost of {unit_cost} is above the current price of {price}: each unit loses \
             {loss}."
        }
        Code::CurrentPriceIsBest => {
            "The current price of {price} is the best that the rules allow."
        }
        Code::PriceChange => {
            "At {price} instead of {current_price} {objective} is expected to be {expected} instead \
             of {expected_now}, with {units} instead of {units_now} units; without rules {goal}."
        }
        Code::RuleImpossible => "No price keeps {rule}.",
        Code::RulesImpossible => "No price keeps both {against} and {rule}.",
        Code::RuleBinds => "{rule} holds the price at {limit}; {goal}.",
        Code::RuleGivesWay => {
            "{rule} cannot be kept beside rules that come before it; {price} is as near as they \
             allow."
        }
        Code::EndingsBind => "{rule}: {price} instead of {before}.",
        Code::EndingsGiveWay => "{rule}: none without a loss lies between {lowest} and {highest}.",
    }
}

fn word(word: &str) -> &'static str {
    match word {
        "deleted" => "was deleted",
        "inactive" => "is catalogued as not for sale",
        "unlisted" => "is known from events only and not catalogued",
        "order_cost" => {
            "nobody has said what an order costs (set `inventory.order_cost`, or the supplier's or \
             the item's terms), so that"
        }
        "unit_cost" => "no unit cost is known, so that holding stock has no cost and",
        "positive_unit_cost" => {
            "the unit cost is not above 0, so that holding stock has no cost and"
        }
        "mean" => "mean",
        "lowest" => "lowest",
        "highest" => "highest",
        "no_own_elasticity" => "the item's own weeks tell no elasticity",
        "own_elasticity_above_0" => "the item's own weeks tell an elasticity above 0",
        "inelastic" => "demand is inelastic",
        "profit" => "profit",
        "revenue" => "revenue",
        "goal_at" => "{objective} would be highest at {optimum}",
        "goal_rising" => "{objective} would rise with the price without end",
        "goal_falling" => "{objective} would rise the lower the price",
        "goal_flat" => "{objective} would be the same at every price",
        "floor" => "the floor of {floor}",
        "ceiling" => "the ceiling of {ceiling}",
        "margin_floor" => {
            "the margin floor of {margin} (at least {least_price} at a cost of {unit_cost})"
        }
        "largest_change" => "the largest change of {change} from {from_price}",
        "competitor_floor" => "the competitor index floor of {index_floor} x {competitors_price}",
        "competitor_ceiling" => {
            "the competitor index ceiling of {index_ceiling} x {competitors_price}"
        }
        "tested_range" => "the range of tested prices {lowest_tried} to {highest_tried}",
        "endings" => "price endings {endings}",
        _ => "",
    }
}
