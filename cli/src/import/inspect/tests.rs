//! What a look at a file tells.

use std::{fs, path::Path};

use clap::Parser as _;

use super::*;

#[derive(clap::Parser)]
struct Typed {
    #[command(flatten)]
    args: InspectArgs,
}

/// Inspects a file as `mercer import inspect` with these words.
fn inspect(path: &Path, options: &[&str]) -> Inspection {
    let path = path.to_str().expect("UTF-8");
    let words = ["mercer", "import", "inspect", path].into_iter().chain(options.iter().copied());
    let words: Vec<String> = words.map(String::from).collect();
    let args = Typed::try_parse_from(&words[2..]).expect("valid").args;
    Inspection::of(args, words.into_iter()).expect("inspected")
}

fn file(folder: &tempfile::TempDir, content: &str) -> PathBuf {
    let path = folder.path().join("f.csv");
    fs::write(&path, content).expect("written");
    path
}

#[test]
fn a_file_of_a_known_layout_names_its_preset() {
    let layouts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/layouts");
    for (name, preset) in [
        ("online_retail.csv", "online-retail"),
        ("shopify_orders.csv", "shopify-orders"),
        ("retailrocket.csv", "retailrocket"),
        ("hm_transactions.csv", "hm-transactions"),
        ("movielens_ratings.csv", "movielens"),
        ("complete_journey.csv", "complete-journey"),
        ("amazon_reviews.jsonl", "amazon-reviews"),
        ("ga4_events.csv", "ga4-events"),
    ] {
        let seen = inspect(&layouts.join(name), &[]);
        assert!(seen.command.starts_with("mercer import events "), "{}", seen.command);
        assert!(seen.command.ends_with(&format!("--preset {preset}")), "{}", seen.command);
        assert!(seen.questions.is_empty() && !seen.first.is_empty(), "{name}");
    }
    let seen = inspect(&layouts.join("movielens_movies.csv"), &[]);
    assert!(seen.command.contains("import items"), "{}", seen.command);
}

#[test]
fn a_file_that_is_not_one_event_a_row_is_answered_with_a_query() {
    let layouts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/layouts");
    let path = layouts.join("m5/sales_train_evaluation.csv");
    let seen = inspect(&path, &[]);
    let query = seen.preparing.as_ref().expect("a recipe").query.clone();
    assert!(query.starts_with("COPY (") && query.contains(path.to_str().expect("UTF-8")));
    assert_eq!(seen.command, "mercer import events m5_events.csv --set type=purchase");
    assert_eq!((seen.rows, seen.accepted, seen.columns.len()), (3, 0, 62));
    let text = seen.text();
    assert!(text.contains("it is not one event a row") && text.contains(&query), "{text}");
    // Who says what the file holds is believed.
    assert!(inspect(&path, &["--kind", "items"]).preparing.is_none());
}

#[test]
fn a_file_of_ones_own_is_mapped_and_what_is_open_is_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = file(
        &folder,
        "SKU;Ordered At;Customer ID;Qty;Order ID\nA;03/04/2024;7;1;1\nB;04/04/2024;;2;2\n",
    );
    let seen = inspect(&path, &[]);
    assert_eq!(seen.kind, "events");
    let mapped = "--map 'item_id=SKU,timestamp=Ordered At,user_id=Customer ID,quantity=Qty,\
                  basket_id=Order ID' --set type=purchase";
    assert!(seen.commands[0].ends_with(&format!("{mapped} --dates dmy")), "{:?}", seen.commands);
    assert!(seen.commands[1].ends_with(&format!("{mapped} --dates mdy")), "{:?}", seen.commands);
    assert_eq!((seen.questions.len(), seen.commands.len()), (1, 2));
    assert!(seen.notes.iter().any(|note| note.contains("separated by `;`")));
    assert!(seen.notes.iter().any(|note| note.contains("no amounts were read")));
    let seen = inspect(&path, &["--dates", "dmy"]);
    assert!(seen.questions.is_empty(), "{:?}", seen.questions);
    assert!(seen.command.contains("--dates dmy --map"), "{}", seen.command);
    assert_eq!((seen.accepted, seen.rejected, seen.first.len()), (2, 0, 2));
    assert!(seen.first[0].contains(&("timestamp", "2024-04-03T00:00:00Z".to_owned())));
    let text = seen.text();
    assert!(text.contains("the first rows as they would load"), "{text}");

    let path = file(&folder, "a,b\n1,2\n");
    let seen = inspect(&path, &["--kind", "items"]);
    assert_eq!(seen.lacking, ["item_id"]);
    assert!(seen.command.ends_with("--map item_id=COLUMN"), "{}", seen.command);
    let path = file(&folder, "item_id,title,price\na,x,1\n");
    assert_eq!(inspect(&path, &[]).kind, "items");
    let path = file(&folder, "sku,stock\na,1\n");
    assert_eq!(inspect(&path, &[]).kind, "stock");
}

#[test]
fn a_number_far_out_of_its_column_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut content = "item_id,type,timestamp,quantity\n".to_owned();
    for day in 1..=28 {
        let units = if day == 9 { 5_000 } else { day % 3 + 1 };
        content.push_str(&format!("a,purchase,2026-01-{day:02},{units}\n"));
    }
    let seen = inspect(&file(&folder, &content), &[]);
    let far: Vec<_> = seen.columns.iter().map(|column| column.far_out.clone()).collect();
    assert_eq!(far, [vec![], vec![], vec![], vec![(5_000.0, 10)]]);
    assert!(seen.text().contains("`quantity`: 5000 (line 10) lies far out"));
}

#[test]
fn columns_that_are_called_alike_are_asked_about() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = file(
        &folder,
        "item_id,type,timestamp,quantity,amount,Amount\na,purchase,2026-01-05T10:00:00Z,1,2.50,99\n",
    );
    let seen = inspect(&path, &[]);
    assert_eq!((seen.kind.as_str(), seen.lacking.len(), seen.accepted), ("events", 0, 1));
    assert_eq!(seen.questions[0].about, "columns 5 and 6 are all named `Amount`: which is it?");
    assert!(seen.commands[0].ends_with("--map 'amount=Amount#1'"), "{:?}", seen.commands);
    assert!(seen.commands[1].ends_with("--map 'amount=Amount#2'"), "{:?}", seen.commands);
    let text = seen.text();
    assert!(text.contains("say what is meant:\nmercer import events"), "{text}");
}

#[test]
fn prices_of_one_unit_are_proposed_in_words_that_work() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = file(
        &folder,
        "Item ID,Type,When,Qty,\"Price, incl. VAT (EUR)\"\ntea,purchase,2026-01-05T10:00:00Z,2,2.50\n",
    );
    let seen = inspect(&path, &[]);
    let proposed = "--map 'amount=`Price, incl. VAT (EUR)`*`Qty`' where";
    assert!(seen.notes.iter().any(|note| note.contains(proposed)), "{:?}", seen.notes);
    let seen = inspect(&path, &["--map", "amount=`Price, incl. VAT (EUR)`*`Qty`"]);
    assert!(seen.first[0].contains(&("amount", "5.00".to_owned())), "{:?}", seen.first);
    // The command keeps what was typed, and adds the columns that it was not told: one that is part
    // of an amount is a quantity all the same.
    let added = "--map 'item_id=Item ID,timestamp=When,quantity=Qty'";
    assert!(seen.command.ends_with(added), "{:?}", seen.command);
}

#[test]
fn a_file_with_lists_is_looked_at_all_the_same() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/cases");
    let seen = inspect(&cases.join("nested.parquet"), &[]);
    let holds: Vec<_> = seen.columns.iter().map(|column| column.holds).collect();
    assert_eq!(holds.iter().filter(|holds| **holds == "lists").count(), 4, "{holds:?}");
    assert_eq!((seen.kind.as_str(), seen.accepted), ("events", 1));
}
