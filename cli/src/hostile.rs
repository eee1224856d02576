//! Every printed answer with hostile texts in all of its fields.

use mercer_common::escape;
use mercer_proto::v1::{
    DESCRIPTOR_SET, DescribeClusterResponse, ElasticityResponse, Experiment, ForecastResponse,
    GetItemResponse, GetUserResponse, Item, Job, PolicyResponse, PopularItem, PopularResponse,
    PriceResponse, RecommendResponse, RecommendRule, ReportResponse, SimilarUsersResponse, Stock,
};
use prost_reflect::{DescriptorPool, DynamicMessage, Kind, MapKey, MessageDescriptor, Value};
use tonic::Status as Refusal;

use crate::{
    failure,
    import::{
        Kind as Holds,
        rejects::{Reject, Rejects},
        report::{Report, Totals},
    },
    show::{
        catalog::{ItemAnswer, UserAnswer},
        decision::{Answer, ElasticityAnswer, ForecastAnswer, PolicyAnswer, PriceAnswer},
        experiment::{ExperimentRow, Experiments, ReportAnswer},
        jobs::JobRow,
        output,
        recommend::{PopularAnswer, RecommendAnswer, SimilarUsersAnswer, Telling},
        rules::{RuleRow, Rules},
        sentence::Language,
        status::Status,
    },
};

/// Clears a screen, begins lines, hides and reorders.
const HOSTILE: &str = "=a\u{1b}[2J\u{9b}1m\nnext\r\t\u{2028}\u{202e}b\u{200b}";

/// A message with every field set, every text of it to `text`.
fn filled<M: prost::Message + Default>(name: &str, text: &str) -> M {
    let pool = DescriptorPool::decode(DESCRIPTOR_SET).expect("descriptors");
    let descriptor = pool.get_message_by_name(&format!("mercer.v1.{name}")).expect("a message");
    fill(&descriptor, text, 6).transcode_to().expect("the same message")
}

fn fill(descriptor: &MessageDescriptor, text: &str, depth: u32) -> DynamicMessage {
    let mut message = DynamicMessage::new(descriptor.clone());
    for field in descriptor.fields() {
        let one = |kind: Kind| {
            Some(match kind {
                Kind::String => Value::String(text.to_owned()),
                Kind::Bytes => Value::Bytes(vec![1].into()),
                Kind::Bool => Value::Bool(true),
                Kind::Double => Value::F64(0.5),
                Kind::Float => Value::F32(0.5),
                Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(1),
                Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(1),
                Kind::Uint32 | Kind::Fixed32 => Value::U32(1),
                Kind::Uint64 | Kind::Fixed64 => Value::U64(1),
                Kind::Enum(_) => Value::EnumNumber(1),
                Kind::Message(_) if depth == 0 => return None,
                Kind::Message(inner) => Value::Message(fill(&inner, text, depth - 1)),
            })
        };
        let value = if field.is_map() {
            let Kind::Message(entry) = field.kind() else { continue };
            let value = one(entry.map_entry_value_field().kind());
            value.map(|value| Value::Map([(MapKey::String(text.to_owned()), value)].into()))
        } else if field.is_list() {
            one(field.kind()).map(|value| Value::List(vec![value]))
        } else {
            one(field.kind())
        };
        if let Some(value) = value {
            message.set_field(&field, value);
        }
    }
    message
}

/// What each command prints for people of an answer whose texts are all `text`.
fn printed(text: &str) -> Vec<(&'static str, String)> {
    let item = filled::<GetItemResponse>("GetItemResponse", text);
    let user = filled::<GetUserResponse>("GetUserResponse", text);
    let job = JobRow::new(filled::<Job>("Job", text));
    let experiment = filled::<Experiment>("Experiment", text);
    let report = filled::<ReportResponse>("ReportResponse", text);
    let rule = filled::<RecommendRule>("RecommendRule", text);
    let list = filled::<RecommendResponse>("RecommendResponse", text);
    let sentence = Telling::Sentence { language: Language::En, this_year: 2026 };
    let users = filled::<SimilarUsersResponse>("SimilarUsersResponse", text);
    let popular = filled::<PopularResponse>("PopularResponse", text);
    let cluster = filled::<DescribeClusterResponse>("DescribeClusterResponse", text);
    let price = PriceAnswer::new(filled::<PriceResponse>("PriceResponse", text));
    let forecast = ForecastAnswer::new(filled::<ForecastResponse>("ForecastResponse", text));
    let policy = PolicyAnswer::new(filled::<PolicyResponse>("PolicyResponse", text));
    let elasticity = filled::<ElasticityResponse>("ElasticityResponse", text);
    let experiments = Experiments { experiments: vec![ExperimentRow::new(&experiment)] };
    let rules = Rules { rules: vec![RuleRow::new(rule)] };
    let refused = Refusal::invalid_argument(format!("`{text}` is no filter"));
    vec![
        ("item", ItemAnswer::new(item).table()),
        ("user", UserAnswer::new(user).table()),
        ("jobs", job.table()),
        ("experiment list", experiments.table()),
        ("experiment report", ReportAnswer::new(report).table()),
        ("rules", rules.table()),
        ("recommend", RecommendAnswer::new(list.clone(), Telling::Parts).table()),
        ("recommend --explain", RecommendAnswer::new(list, sentence).table()),
        ("similar-users", SimilarUsersAnswer::new(text.to_owned(), users).table()),
        ("popular", PopularAnswer::new(popular).table()),
        ("status", Status::new(cluster).table(jiff::Timestamp::UNIX_EPOCH)),
        ("price", price.text()),
        ("price --items", output::table(PriceAnswer::HEADERS, [price.row()])),
        ("forecast", forecast.text()),
        ("forecast --items", output::table(ForecastAnswer::HEADERS, [forecast.row()])),
        ("inventory", policy.text()),
        ("inventory --items", output::table(PolicyAnswer::HEADERS, [policy.row()])),
        ("elasticity", ElasticityAnswer::new(elasticity).text()),
        ("import", report_of(text).table()),
        ("failure", failure::explain(&anyhow::Error::from(refused).context(text.to_owned()))),
    ]
}

fn report_of(text: &str) -> Report {
    let mut rejects = Rejects::new(None).expect("no file");
    let reject = Reject {
        file: text.to_owned(),
        line: 2,
        field: format!("attribute.{text}"),
        reason: format!("`{text}` is not a number"),
    };
    rejects.add(reject).expect("kept");
    let (reasons, rejects) = rejects.finish().expect("no file");
    let mut report = Report::new(Holds::Items, 1, Totals::default());
    report.rejected = 1;
    (report.reasons, report.rejects) = (reasons, rejects);
    report.unused_columns = vec![text.to_owned()];
    report.notes = vec![format!("`{text}` is taken for item_id")];
    report.seconds = 1.0;
    report
}

#[test]
fn nothing_printed_steers_a_terminal_or_makes_a_line() {
    for ((command, plain), (_, hostile)) in printed("x").into_iter().zip(printed(HOSTILE)) {
        assert!(plain.contains('x'), "{command}: holds no text\n{plain}");
        assert_eq!(escape::block(&hostile), hostile, "{command}: needs escaping");
        let (plain, hostile) = (plain.lines().count(), hostile.lines().count());
        assert_eq!(hostile, plain, "{command}: a text made lines of its own");
    }
}

#[test]
fn hostile_titles_and_ids_look_like_this() {
    let row = |item_id: &str, title: &str| PopularItem {
        item_id: item_id.into(),
        title: title.into(),
        popularity: 2,
        units: 3.0,
        ..PopularItem::default()
    };
    let popular = PopularResponse {
        items: vec![
            row("=1+1", "Tea \u{1b}[31mred\u{1b}[0m"),
            row("gpj.\u{202e}exe", "two\nlines\tand a tab"),
            row("緑茶", "more\r\u{8}\u{7f}\u{9b}2J\u{200b}"),
            row(r"C:\new", r"typed \u{1b}"),
        ],
        coverage: 1.0,
        ..PopularResponse::default()
    };
    let item = GetItemResponse {
        item: Some(Item {
            item_id: "gpj.\u{202e}exe".into(),
            title: "Tea\nstatus  deleted".into(),
            category_path: vec!["A\u{2028}".into(), "B".into()],
            attributes: [("si\u{1b}ze".to_owned(), "1\u{7}l".to_owned())].into(),
            ..Item::default()
        }),
        stock: vec![Stock { location_id: "x\r".into(), on_hand: 1.0, ..Stock::default() }],
        ..GetItemResponse::default()
    };
    let refused = failure::explain(&Refusal::not_found("item `a\nerror: b` is not known").into());
    let shown = [
        PopularAnswer::new(popular).table(),
        ItemAnswer::new(item).table(),
        report_of("a\n\u{1b}b").table(),
        refused,
    ];
    let shown = format!("{}\n", shown.join("\n\n"));
    assert_eq!(shown, include_str!("golden/hostile.txt"), "\n{shown}");
}
