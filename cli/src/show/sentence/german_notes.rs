//! Notes in German.

use mercer_common::note::Language;
use mercer_proto::v1::NoteCode as Code;

pub(super) const NOTES: Language = Language {
    sentence,
    word,
    decimal: ',',
    units: ["Stück", "Stück"],
    days: ["Tag", "Tage", "Tag", "Tagen"],
    date: |date| format!("{}.{}.{}", date.day, date.month, date.year),
};

/// What an order quantity is decided from.
macro_rules! position {
    () => {
        "der Bestand von {position} ({on_hand} am Lager + {on_order} bestellt - {backordered} im \
         Rückstand)"
    };
}

/// Names the items that stand in.
macro_rules! group {
    () => {
        "[die Kategorie `{category}`|der ganze Katalog]"
    };
}

fn sentence(code: Code) -> &'static str {
    match code {
        Code::Unspecified => "",
        Code::OtherVersion => {
            "Die Version {damaged} ist beschädigt oder bei einem Worker geschlossen, siehe `mercer \
             status`[; es antwortet {version}]."
        }
        Code::NothingPurchased => {
            "Es wurde noch nichts gekauft, daher zählt jeder Artikel 0; nach einem Training zählen \
             für die Beliebtheit die anderen Ereignisse."
        }
        Code::PopularByEvents => {
            "Es wurde noch nichts gekauft: Als Beliebtheit zählen die Tage, an denen Kunden ein \
             anderes Ereignis mit dem Artikel hatten, nach dem Stand des Trainings von {version}."
        }
        Code::ElasticityOfNewItem => concat!(
            "Beim Training der Version war kein Verkauf bekannt; für den Artikel steht ",
            group!(),
            "."
        ),
        Code::NoElasticityOfItsOwn => concat!(
            "Die {weeks} ganzen Wochen zwischen dem ersten und dem letzten Verkauf ergeben keine \
             eigene Elastizität: Es sind zu wenige, zu selten mit Verkauf, oder der Preis änderte \
             sich außerhalb von Aktionen und Saison kaum; für den Artikel steht ",
            group!(),
            " mit {elasticity:2}."
        ),
        Code::ElasticityOfWrongSign => concat!(
            "Die eigenen Wochen des Artikels ergeben {own:+2}, also das falsche Vorzeichen; \
             angenähert (Bezug: ",
            group!(),
            ") sind es {elasticity:2}."
        ),
        Code::ElasticityUncertain => concat!(
            "Die eigene Elastizität {own:2} ist unsicher (Standardfehler {error:2}) und zählt zu \
             {weight}; den Rest bestimmt ",
            group!(),
            "."
        ),
        Code::ShareOfLocation => {
            "`{location}` verkauft zu wenig für eine eigene Prognose: Auf diesen Standort entfallen \
             {share} des Artikels."
        }
        Code::NeverSoldAtLocation => {
            "Der Artikel wurde am Standort `{location}` noch nie verkauft: Sein Anteil an der \
             Prognose ist 0."
        }
        Code::ShortHistory => {
            "Die Vorgeschichte ist kurz ({sale_days} mit Verkauf, Zeitraum: {span}), daher stützt \
             sich die Prognose auch auf die Verkäufe anderer Artikel ([Kategorie \
             `{category}`|ganzer Katalog])."
        }
        Code::NoHistory => {
            "Es gibt keine Vorgeschichte, daher ist die Prognose das, was andere Artikel verkaufen \
             ([Kategorie `{category}`|ganzer Katalog])."
        }
        Code::NeverSold => {
            "Weder der Artikel noch seine Kategorie wurde je verkauft, daher ist die Prognose 0."
        }
        Code::SilentDays => {
            "[Am Standort `{location}`|Im ganzen Geschäft] wurde vom {first} bis zum {last} nichts \
             verkauft ({length})[ und davor an {earlier:after}], länger als sonst: Diese Tage \
             gelten als fehlende Daten, nicht als Tage ohne Nachfrage."
        }
        Code::WildDays => {
            "Am {date} wurden {units} verkauft[ (und {others} weitere solche Tage)]; an neun von \
             zehn Verkaufstagen sind es höchstens {usual}. Bitte prüfen, ob das ein Versehen ist. \
             Die Prognose des Artikels zählt [{counted} davon|alle], andere Artikel seiner \
             Kategorie folgen ihnen nicht."
        }
        Code::ForecastStarts => {
            "Die Prognose beginnt am {start}, dem Tag nach dem neuesten Kauf oder der neuesten \
             Rückgabe im Geschäft.[ Neuere Ereignisse, bis zum {newer}, sind keine Verkäufe und \
             verschieben sie nicht.]"
        }
        Code::SumsAtLimit => {
            "Die Verkäufe des Artikels haben die größte Summe erreicht, die gespeichert wird, 9,2 \
             Billionen: Was danach verkauft wurde, fehlt."
        }
        Code::BeyondMethod => {
            "Das Verfahren reicht {length} weit; spätere Tage wiederholen seine letzten {repeated}."
        }
        Code::ForecastAtPrice => {
            "Zu {price} ist der Absatz {factor} mal so groß wie zum jetzigen Preis."
        }
        Code::PlanNotUnderstood => {
            "Der Plan bleibt außer Betracht: `elasticity` wurde nicht trainiert, daher ist nicht \
             bekannt, was Preise und Aktionen bewirken."
        }
        Code::PlannedPricesLeftOut => {
            "Preise des Plans bleiben außer Betracht: Der Artikel hat weder Listenpreis noch \
             Verkauf, mit dem sie verglichen werden könnten."
        }
        Code::PlanOutsideHorizon => {
            "{days} des Plans liegen außerhalb von {first} bis {last} und ändern nichts."
        }
        Code::PlanCut => {
            "Die Wirkung des Plans wird an {days:after} auf das {largest}-Fache begrenzt: Sie läge \
             weit jenseits von allem, was erprobt ist."
        }
        Code::PlanChangesNothing => "Der Plan ändert die Nachfrage an keinem Tag.",
        Code::PlanChangesDemand => {
            "Der Plan ändert {days}, im Mittel auf {share} der üblichen Nachfrage: Elastizität \
             {elasticity:2} gegenüber [den Preisen der letzten Wochen, {lowest:currency} bis \
             {highest:currency}|{price:currency}|einem unbekannten Preis], Aktionen mal \
             {promotion:2}."
        }
        Code::PlannedTogether => {
            "Bestand oder Konditionen sind bekannt von {locations}, wo weniger als die Hälfte des \
             Artikels verkauft wird; daher wird er für alle Standorte zusammen geplant."
        }
        Code::NotOrderedByStatus => "Nichts bestellen: Der Artikel {status}.",
        Code::NotHeld => {
            "Es ist keine Nachfrage zu erwarten: Die Prognose liegt unter einem halben Stück im \
             Jahr, daher wird nichts vorgehalten und der Meldebestand ist 0.[ Zuletzt verkauft am \
             {last_sale}.]"
        }
        Code::StockNeverTold => {
            "Es wird keine Bestellung vorgeschlagen: Der Bestand des Artikels[ am Standort \
             `{location}`] wurde nie gemeldet. Melden Sie ihn mit \
             `mercer import stock` oder SetStock."
        }
        Code::StockNeverCounted => {
            "Der Bestand am Standort `{location}` wurde nur verändert und nie gezählt: Er kann \
             abweichen."
        }
        Code::CoverTooShortNow => {
            "Eine Bestellung für höchstens {cover} überbrückt die {days} nicht, bis die nächste \
             eintreffen kann: Mit {quantity} erreicht der Bestand {position}, weniger als den \
             Meldebestand von {reorder_point}; {cycle_service} der Bestellzyklen bleiben ohne \
             Fehlbestand, und {fill_rate} der Stückzahl wird aus dem Bestand geliefert."
        }
        Code::CoverTooShort => {
            "Eine Bestellung für höchstens {cover} bringt weniger, als die {review_period} zwischen \
             zwei Bestellungen verbrauchen: Auf Dauer bleiben {cycle_service} der Bestellzyklen \
             ohne Fehlbestand, und {fill_rate} der Stückzahl wird aus dem Bestand geliefert, \
             gleich wie hoch der Meldebestand ist."
        }
        Code::NoEconomicLot => {
            "{missing} gibt es keine wirtschaftliche Losgröße: [Eine Bestellung deckt den \
             Bestellabstand von {review_period:after}|Eine Bestellung füllt bis zum Meldebestand \
             auf]."
        }
        Code::LotAboveCover => {
            "Die wirtschaftliche Losgröße von {lot} ist mehr als die mittlere Nachfrage von \
             {cover:after}; geplant wird mit {planned}."
        }
        Code::ReorderPoint => {
            "Damit [{cycle_service} der Bestellzyklen ohne Fehlbestand bleiben|{fill_rate} der \
             Stückzahl aus dem Bestand geliefert werden], deckt der Meldebestand von \
             {reorder_point} eine Lieferzeit von {lead_time} ± {lead_time_deviation:after} [und \
             einen Bestellabstand von {review_period:after}|bei laufend beobachtetem Bestand], in \
             der {mean} ± {deviation} nachgefragt werden[; {undershoot} davon, weil Nachfrage in \
             Schüben den Meldebestand unterschreitet, bevor bestellt wird]."
        }
        Code::ReorderPointAtOnce => {
            "Eine Bestellung trifft sofort ein und der Bestand wird laufend beobachtet, daher deckt \
             der Meldebestand von {reorder_point} keine Zeit[; {undershoot} davon, weil Nachfrage \
             in Schüben den Meldebestand unterschreitet, bevor bestellt wird]."
        }
        Code::OrderNothing => concat!(
            "Nichts bestellen: ",
            position!(),
            " liegt über dem Meldebestand von {reorder_point}."
        ),
        Code::OrderNothingWithoutDemand => concat!(
            "Nichts bestellen: ",
            position!(),
            " genügt, denn es ist keine Nachfrage zu erwarten."
        ),
        Code::Order => concat!(
            "{quantity} bestellen: ",
            position!(),
            " hat den Meldebestand von {reorder_point} erreicht oder unterschritten; {unrounded} \
             mehr ergeben {order_up_to}[; die Mindestmenge von {minimum}, Packungen zu {pack} und \
             die Reichweite von {cover:after} machen daraus {quantity:bare}|; die Mindestmenge von \
             {minimum} und Packungen zu {pack} machen daraus {quantity:bare}]."
        ),
        Code::OrderCut => {
            "Die Bestellung bleibt innerhalb der mittleren Nachfrage von {cover:after}: {quantity}."
        }
        Code::OrderExceedsCover => {
            "Die kleinste Bestellung, die Mindestmenge und Packung zulassen, {quantity}, reicht bei \
             mittlerer Nachfrage [{lasts}|für immer], länger als die {cover}, die eine Bestellung \
             decken soll; die Konditionen des Lieferanten gehen vor."
        }
        Code::SupplierNotCatalogued => {
            "Der Lieferant `{supplier}` ist nicht im Katalog, daher ist nichts über seine \
             Konditionen bekannt."
        }
        Code::ConfiguredTerms => "Nicht angegeben, daher gilt der eingestellte Wert: {*}.",
        Code::TermOutOfRange => {
            "{value} liegt außerhalb des zulässigen Bereichs und bleibt außer Betracht."
        }
        Code::NoSeasonWithoutCost => {
            "Keine Menge für die Saison: Der Einstandspreis ist nicht bekannt."
        }
        Code::NoSeasonWithoutPrice => {
            "Keine Menge für die Saison: Der Artikel hat weder Listenpreis noch Verkauf."
        }
        Code::NoSeasonWithoutLoss => {
            "Keine Menge für die Saison: Was übrig bleibt, bringt seinen Einstandspreis zurück, \
             daher ist keine Menge zu viel."
        }
        Code::SeasonNotWorthAUnit => {
            "Die Saison lohnt kein Stück: Der Preis deckt den Einstandspreis nicht."
        }
        Code::NotPricedByStatus => "Der Artikel {status}.",
        Code::NoPriceKnown => {
            "Es ist kein Preis bekannt: Der Katalog hat keinen über 0, und kein Verkauf wurde \
             bezahlt."
        }
        Code::NoUnitCost => {
            "Der Einstandspreis ist nicht bekannt; der Gewinn braucht ihn, der Umsatz nicht."
        }
        Code::NoDemand => {
            "In {horizon} Tagen ist keine Nachfrage zu erwarten, daher bringt jeder Preis gleich \
             viel."
        }
        Code::NoListPrice => {
            "Der Katalog hat keinen Listenpreis; für ihn steht {price}, im Mittel bezahlt in der \
             letzten Woche mit Verkauf."
        }
        Code::ListPriceNotPositive => {
            "Der Listenpreis des Katalogs ist nicht über 0; für ihn steht {price}, im Mittel \
             bezahlt in der letzten Woche mit Verkauf."
        }
        Code::UnitCostNegative => {
            "Ein Einstandspreis von {unit_cost} liegt unter 0 und bleibt außer Betracht."
        }
        Code::DemandAtCurrentPrice => {
            "Zum jetzigen Preis von {price} und ohne Aktion sind {units} zu erwarten; die üblichen \
             {usual} beruhen auf den Angeboten der letzten Wochen, zu {lowest} bis {highest}."
        }
        Code::MarginWithoutCost => {
            "Die Mindestmarge von {margin} lässt sich ohne Einstandspreis nicht einhalten."
        }
        Code::NoCompetitorPrice => {
            "Es ist kein Preis eines Mitbewerbers bekannt, daher bindet der Preisindex nicht."
        }
        Code::CompetitorPricesTooOld => {
            "{left_out} von {all} Preisen der Mitbewerber sind mehr als {days} Tage älter als der \
             neueste und bleiben außer Betracht."
        }
        Code::CompetitorReference => {
            "Der Preisindex bezieht sich auf {price}, den {reference} Preis von {competitors} \
             Mitbewerbern."
        }
        Code::CurrentPriceNotTried => {
            "Der jetzige Preis von {price} ist keiner der Wochenpreise, auf denen die Prognose \
             beruht: {lowest} bis {highest}."
        }
        Code::PriceWithinTried => {
            "{why} ({elasticity:2} nach Annäherung an die Gruppe), daher bleibt der Preis innerhalb \
             derer, die verlangt wurden: {lowest} bis {highest}."
        }
        Code::CostAbovePrice => {
            "Der Einstandspreis von {unit_cost} liegt über dem jetzigen Preis von {price}: Jedes \
             Stück verliert {loss}."
        }
        Code::CurrentPriceIsBest => {
            "Der jetzige Preis von {price} ist der beste, den die Regeln zulassen."
        }
        Code::PriceChange => {
            "Zu {price} statt {current_price} ist ein {objective} von {expected} statt \
             {expected_now} zu erwarten, mit {units} statt {units_now} Stück; ohne Regeln {goal}."
        }
        Code::RuleImpossible => "Kein Preis hält diese Regel ein: {rule}.",
        Code::RulesImpossible => "Kein Preis hält diese Regeln zugleich ein: {against}; {rule}.",
        Code::RuleBinds => "{rule}: Der Preis bleibt bei {limit}; sonst {goal}.",
        Code::RuleGivesWay => {
            "{rule}: neben den Regeln, die vorgehen, nicht einzuhalten; {price} kommt dem so nahe, \
             wie sie es zulassen."
        }
        Code::EndingsBind => "{rule}: {price} statt {before}.",
        Code::EndingsGiveWay => "{rule}: Keine ohne Verlust liegt zwischen {lowest} und {highest}.",
    }
}

fn word(word: &str) -> &'static str {
    match word {
        "deleted" => "wurde gelöscht",
        "inactive" => "ist im Katalog als nicht käuflich geführt",
        "unlisted" => "ist nur aus Ereignissen bekannt und nicht im Katalog",
        "order_cost" => {
            "Niemand hat angegeben, was eine Bestellung kostet (`inventory.order_cost` oder die \
             Konditionen des Lieferanten oder des Artikels); daher"
        }
        "unit_cost" => "Es ist kein Einstandspreis bekannt, Lagern kostet also nichts; daher",
        "positive_unit_cost" => {
            "Der Einstandspreis ist nicht über 0, Lagern kostet also nichts; daher"
        }
        "mean" => "mittleren",
        "lowest" => "niedrigsten",
        "highest" => "höchsten",
        "no_own_elasticity" => "Die eigenen Wochen des Artikels ergeben keine Elastizität",
        "own_elasticity_above_0" => {
            "Die eigenen Wochen des Artikels ergeben eine Elastizität über 0"
        }
        "inelastic" => "Die Nachfrage ist unelastisch",
        "profit" => "Gewinn",
        "revenue" => "Umsatz",
        "goal_at" => "wäre der {objective} bei {optimum} am höchsten",
        "goal_rising" => "stiege der {objective} mit dem Preis ohne Ende",
        "goal_falling" => "stiege der {objective}, je niedriger der Preis",
        "goal_flat" => "wäre der {objective} bei jedem Preis gleich",
        "floor" => "Preisuntergrenze {floor}",
        "ceiling" => "Preisobergrenze {ceiling}",
        "margin_floor" => {
            "Mindestmarge {margin} (mindestens {least_price} bei einem Einstandspreis von \
             {unit_cost})"
        }
        "largest_change" => "größte Änderung {change}, von {from_price} aus",
        "competitor_floor" => "Untergrenze des Preisindex {index_floor} x {competitors_price}",
        "competitor_ceiling" => "Obergrenze des Preisindex {index_ceiling} x {competitors_price}",
        "tested_range" => "Spanne der erprobten Preise {lowest_tried} bis {highest_tried}",
        "endings" => "Preisendungen {endings}",
        _ => "",
    }
}
