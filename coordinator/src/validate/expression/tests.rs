use mercer_proto::{google::r#type::Money, v1::PriceBand};
use proptest::prelude::*;

use super::*;

fn read(expression: &str) -> Result<Option<Filter>, String> {
    let mut checker = Checker::default();
    let filter = filters(&mut checker, None, expression, "USD");
    match checker.finish() {
        Ok(()) => Ok(filter),
        Err(invalid) => {
            assert!(invalid.violations.iter().all(|one| one.field == "filter_expression"));
            Err(invalid.violations[0].description.clone())
        }
    }
}

/// A filter in a short form of its own.
fn show(filter: &Filter) -> String {
    let list = |list: &FilterList| list.filters.iter().map(show).collect::<Vec<_>>().join(" ");
    let amount = |money: &Option<Money>| {
        money.as_ref().map_or("-".to_owned(), |money| {
            let micros = mercer_common::money::to_micros(money, "USD").expect("valid");
            format!("{}", micros as f64 / 1e6)
        })
    };
    match filter.condition.as_ref().expect("set") {
        Condition::AllOf(all) => format!("all({})", list(all)),
        Condition::AnyOf(any) => format!("any({})", list(any)),
        Condition::Not(inner) => format!("not({})", show(inner)),
        Condition::Category(category) => format!("category{:?}", category.path),
        Condition::Attribute(one) => format!("{}{:?}", one.name, one.values),
        Condition::Price(PriceBand { minimum, maximum }) => {
            format!("[{},{}]", amount(minimum), amount(maximum))
        }
        Condition::InStock(stock) => format!("stock({})", stock.location_id),
        Condition::Brand(brand) => format!("brand{:?}", brand.brands),
        Condition::Items(items) => format!("items{:?}", items.item_ids),
    }
}

#[test]
fn expressions_become_filters() {
    let cases = [
        ("brand = Acme", r#"brand["Acme"]"#),
        ("brand:'A \"B\" \\\\ \\*'", r#"brand["A \"B\" \\ *"]"#),
        (r#"category:"Dairy > Milk & Co""#, r#"category["Dairy", "Milk & Co"]"#),
        ("category:DAIRY", r#"category["DAIRY"]"#),
        ("attributes.colour != red", r#"not(colour["red"])"#),
        (r#"attributes."screen size" = '13"'"#, r#"screen size["13\""]"#),
        ("attributes.a.b:c", r#"a.b["c"]"#),
        ("price<20", "[-,19.999999]"),
        ("price <= 20.5", "[-,20.5]"),
        ("price > 0.000001", "[0.000002,-]"),
        ("price >= -3", "[-3,-]"),
        ("price = 9.99", "[9.99,9.99]"),
        ("price != 9", "not([9,9])"),
        ("in_stock", "stock()"),
        ("in_stock = true", "stock()"),
        ("in_stock:false", "not(stock())"),
        ("in_stock != false", "stock()"),
        (r#"in_stock("north wing")"#, "stock(north wing)"),
        ("in_stock(north) = false", "not(stock(north))"),
        ("stock.store-12 > 0", "stock(store-12)"),
        ("stock.s", "stock(s)"),
        ("item_id = 123-ä", r#"items["123-ä"]"#),
        ("-in_stock", "not(stock())"),
        ("NOT in_stock", "not(stock())"),
        ("NOT(in_stock)", "not(stock())"),
        ("((in_stock))", "stock()"),
        // OR binds tighter than AND.
        ("in_stock AND stock.a OR stock.b", "all(stock() any(stock(a) stock(b)))"),
        ("stock.a OR stock.b AND in_stock", "all(any(stock(a) stock(b)) stock())"),
        ("(stock.a AND stock.b) OR in_stock", "any(all(stock(a) stock(b)) stock())"),
        ("stock.a stock.b OR stock.c", "all(stock(a) any(stock(b) stock(c)))"),
        ("NOT stock.a OR stock.b", "any(not(stock(a)) stock(b))"),
        // What needs no level has none.
        ("(stock.a AND (stock.b stock.c))AND(stock.d)", "all(stock(a) stock(b) stock(c) stock(d))"),
        ("stock.a OR (stock.b OR stock.c)", "any(stock(a) stock(b) stock(c))"),
        ("stock.ANDY ORDER", ""),
    ];
    for (expression, expected) in cases {
        match read(expression) {
            Ok(filter) => assert_eq!(show(&filter.expect("some")), expected, "{expression}"),
            Err(problem) => assert!(expected.is_empty(), "{expression}: {problem}"),
        }
    }
    assert_eq!(read(" \t\n"), Ok(None));
}

#[test]
fn problems_name_the_place() {
    let deep = format!("{}in_stock{}", "(".repeat(9), ")".repeat(9));
    let levels = "-(in_stock OR -(in_stock OR -(in_stock OR -(in_stock OR -(in_stock)))))";
    let many = vec!["in_stock"; 65].join(" ");
    let long = format!("brand = {}", "x".repeat(257));
    let cases = [
        ("colour = red", 1, "`colour` is not known here"),
        ("in_stock and price < 3", 10, "must be written `AND`"),
        ("price < 3 AND", 14, "a condition must begin with"),
        ("AND in_stock", 1, "a condition must begin with"),
        ("price < ", 9, "a value is missing"),
        ("brand = AND", 9, "must stand in quotes"),
        ("brand = \"\"", 9, "a value is missing"),
        ("brand = (a OR b)", 9, "a value cannot be an expression"),
        ("brand = a*", 10, "wildcards"),
        ("brand = \"ab*\"", 12, "wildcards"),
        ("brand = \"ä\\n\"", 11, "a backslash"),
        ("brand = \"abc", 9, "no closing quote"),
        ("brand < a", 1, "has no order"),
        ("brand", 1, "must be compared"),
        ("category = a", 1, "`:`"),
        ("category:\"a > \"", 10, "must not be empty"),
        ("attributes = a", 1, "the attribute is missing"),
        ("attributes. = a", 12, "a name is missing"),
        ("price:3", 7, "compared with"),
        ("price = 3,5", 10, "a condition must begin with"),
        ("price = 1e3", 9, "a number"),
        ("price = .5", 9, "a number"),
        ("price = 0.0000001", 9, "6 decimals"),
        ("price = 99999999999999999999", 9, "too large"),
        ("price > 9223372036854.775807", 9, "too large"),
        ("in_stock = maybe", 12, "in_stock can be"),
        ("in_stock > 0", 12, "in_stock can be"),
        ("stock.north > 1", 15, "stock can be"),
        ("in_stock()", 1, "the location is missing"),
        ("in_stock(a b)", 12, "after one value"),
        ("(in_stock", 1, "not closed"),
        ("in_stock)", 9, "no opening bracket"),
        (&deep, 9, "deeper than 8"),
        (levels, 3, "deeper than 8"),
        (&many, 64 * 9 + 1, "more than 64"),
        (&long, 9, "257 bytes"),
    ];
    for (expression, column, detail) in cases {
        let problem = read(expression).expect_err(expression);
        let expected = format!("at character {column}: ");
        assert!(
            problem.starts_with(&expected) && problem.contains(detail),
            "{expression}: {problem}"
        );
    }
    let long = format!("in_stock{}", " ".repeat(limits::FILTER_BYTES));
    assert!(read(&long).expect_err("too long").contains("8200 bytes"));
}

#[test]
fn filter_and_expression_hold_together() {
    let both = |filter: &str, expression: &str| {
        let filter = read(filter).expect("valid");
        let mut checker = Checker::default();
        let both = filters(&mut checker, filter, expression, "USD");
        checker.finish().map(|()| show(&both.expect("some")))
    };
    assert_eq!(both("in_stock", "").as_deref(), Ok("stock()"));
    assert_eq!(
        both("in_stock", "stock.a stock.b").as_deref(),
        Ok("all(stock() stock(a) stock(b))")
    );
    let many = |count| vec!["in_stock"; count].join(" ");
    assert!(both(&many(32), &many(32)).is_ok());
    assert!(both(&many(33), &many(32)).is_err());
    let deep = (1..7).fold("in_stock".to_owned(), |inner, _| format!("-({inner})"));
    assert!(both("stock.a OR stock.b", &deep).is_ok());
    let problem = both("stock.a OR stock.b", &format!("-({deep})")).expect_err("a level more");
    assert_eq!(problem.violations[0].field, "filter_expression");

    // A bad filter does not hide what is wrong with the expression.
    let mut checker = Checker::default();
    filters(&mut checker, Some(Filter::default()), "(", "USD");
    let fields: Vec<String> =
        checker.finish().expect_err("bad").violations.into_iter().map(|one| one.field).collect();
    assert_eq!(fields, ["filter", "filter_expression"]);
}

#[derive(Clone, Debug)]
enum Logic {
    Brand(char),
    Not(Box<Logic>),
    All(Vec<Logic>),
    Any(Vec<Logic>),
}

impl Logic {
    fn text(&self) -> String {
        let joined = |parts: &[Self], by: &str| {
            let texts: Vec<String> =
                parts.iter().map(|part| format!("({})", part.text())).collect();
            texts.join(by)
        };
        match self {
            Self::Brand(name) => format!("brand={name}"),
            Self::Not(inner) => format!("-({})", inner.text()),
            Self::All(parts) => joined(parts, " AND "),
            Self::Any(parts) => joined(parts, " OR "),
        }
    }

    fn holds(&self, brand: char) -> bool {
        match self {
            Self::Brand(name) => *name == brand,
            Self::Not(inner) => !inner.holds(brand),
            Self::All(parts) => parts.iter().all(|part| part.holds(brand)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(brand)),
        }
    }
}

fn holds(filter: &Filter, brand: &str) -> bool {
    match filter.condition.as_ref().expect("set") {
        Condition::AllOf(list) => list.filters.iter().all(|one| holds(one, brand)),
        Condition::AnyOf(list) => list.filters.iter().any(|one| holds(one, brand)),
        Condition::Not(inner) => !holds(inner, brand),
        Condition::Brand(one) => one.brands == [brand],
        other => panic!("{other:?}"),
    }
}

fn logic() -> impl Strategy<Value = Logic> {
    let brand = prop::sample::select(vec!['a', 'b', 'c']).prop_map(Logic::Brand);
    brand.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|one| Logic::Not(Box::new(one))),
            prop::collection::vec(inner.clone(), 1..4).prop_map(Logic::All),
            prop::collection::vec(inner, 1..4).prop_map(Logic::Any),
        ]
    })
}

proptest! {
    #[test]
    fn logic_is_kept(logic in logic()) {
        let filter = read(&logic.text()).expect("valid").expect("some");
        for brand in ['a', 'b', 'c', 'd'] {
            prop_assert_eq!(holds(&filter, &brand.to_string()), logic.holds(brand));
        }
    }

    #[test]
    fn no_text_is_too_much(text in any::<String>()) {
        let _ = read(&text);
    }

    /// Texts of the expression's own pieces get further than arbitrary ones; what is accepted is
    /// a filter that workers accept.
    #[test]
    fn whatever_is_accepted_is_a_valid_filter(pieces in prop::collection::vec(
        prop::sample::select(vec![
            "(", ")", "-", "NOT ", " AND ", " OR ", " ", "price", "brand", "category", "in_stock",
            "stock", "attributes", ".", "a", "\"b > c\"", "'", "=", "<", ":", "7.5", "true", "\\", "*",
        ]),
        0..24,
    )) {
        let mut checker = Checker::default();
        let filter = filters(&mut checker, None, &pieces.concat(), "USD");
        if checker.finish().is_ok() {
            let mut checker = Checker::default();
            super::filter(&mut checker, "filter", filter.as_ref(), "USD");
            prop_assert!(checker.finish().is_ok(), "{filter:?}");
        }
    }
}
