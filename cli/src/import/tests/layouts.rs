//! Known layouts: each preset reads its sample as it says.

use super::*;
use crate::import::mapping::Preset;

#[test]
fn every_preset_reads_its_sample() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/layouts");
    let mut samples = 0;
    for preset in Preset::shipped().expect("valid presets") {
        assert!(!preset.about.is_empty());
        for (kind, layout) in preset.layouts() {
            let Some(sample) = &layout.sample else { continue };
            samples += 1;
            let kind = <Kind as clap::ValueEnum>::from_str(kind, false).expect("a kind");
            let options = Options::of_preset(&layout.reading).expect("valid options");
            let mapping = Mapping::new(kind, Some(layout), &[], &[]).expect("a valid mapping");
            let mut ready = preparation(kind, &mapping, &options);
            ready.layout = Some(layout.clone());
            let outcome = read_as(&folder.join(&sample.file), ready, 500).expect(&preset.name);
            let name = &preset.name;
            assert_eq!(outcome.questions, [], "{name}");
            let accepted: usize = outcome.chunks.iter().map(|chunk| chunk.accepted.len()).sum();
            let rows: u64 = outcome.chunks.iter().map(|chunk| chunk.rows).sum();
            assert_eq!(
                (rows, accepted as u64, outcome.totals.skipped()),
                (sample.rows, sample.accepted, sample.skipped),
                "{name}: {:?}",
                outcome.reasons()
            );
            let mut taken = outcome.totals.0;
            taken.retain(|total| matches!(total.what.as_str(), "accepted" | "returns"));
            if let Some(units) = sample.units {
                assert_eq!(taken.iter().map(|total| total.units).sum::<f64>(), units, "{name}");
            }
            if let Some(money) = sample.money {
                let micros: i128 = taken.iter().map(|total| total.amount_micros).sum();
                assert_eq!(micros, (money * 1e6).round() as i128, "{name}");
            }
        }
    }
    assert!(samples >= 7, "{samples} samples");
}

#[test]
fn a_preset_of_a_file_is_checked() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("own.toml");
    let find = |text: &str| {
        fs::write(&path, text).expect("written");
        Preset::find(path.to_str().expect("UTF-8"))
    };
    let good = "version = 1\nname = \"own\"\nabout = \"Mine.\"\n[layouts.items]\n\
                required = [\"sku\"]\nmap = { item_id = \"sku\" }\n";
    let preset = find(good).expect("a preset");
    let layout = preset.layout(Kind::Items).expect("items");
    let error = layout.check("f.csv", &["name".into()]).expect_err("lacks sku").to_string();
    assert!(error.contains("lacks the preset's column sku"), "{error}");
    let error = preset.layout(Kind::Events).expect_err("no events").to_string();
    assert!(error.contains("holds no events: it has items"), "{error}");
    for (wrong, says) in [
        (good.replace("required", "requires"), "requires"),
        (good.replace("version = 1", "version = 2"), "version 2"),
        (good.replace("item_id", "item"), "`item` is not a field"),
        (good.replace("layouts.items", "layouts.things"), "`things` is not what a file holds"),
        (format!("{good}[layouts.items.reading]\ndelimiter = \";\"\n"), "delimiter"),
    ] {
        let error = format!("{:#}", find(&wrong).expect_err("refused"));
        assert!(error.contains(says), "{says}: {error}");
    }
    let error = Preset::find("no-such-preset").expect_err("unknown").to_string();
    assert!(error.contains("shopify-orders"), "{error}");
}
