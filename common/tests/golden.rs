//! Formats that must never change: what was written once is read for ever.

use jiff::{Timestamp, tz::TimeZone};
use mercer_common::{
    event::{
        EventChecker, IdHasher, IdKey, RecordContext, Side, SplitEvents, encode_section,
        event_hash, interaction_hash, item_event_hash,
    },
    log::{Epoch, Mark},
    slot::{ShardLayout, Subject, slot},
    token::Token,
};
use mercer_proto::{
    google::r#type::Money,
    internal::{Interaction, ItemEvent, ProducerBatch, Section, UseApplyVersion, section::Origin},
    v1::{DeleteItemRequest, Event, EventType},
};
use prost::Message as _;

/// Computed by another implementation of xxh3 (the Python package `xxhash`).
const SLOTS: &str = include_str!("golden/slots.csv");
const SECTION: &[u8] = include_bytes!("golden/section.bin");
const SECTION_2: &[u8] = include_bytes!("golden/section-2.bin");
const SECTION_5: &[u8] = include_bytes!("golden/section-5.bin");
const USE_VERSION: &[u8] = include_bytes!("golden/use-apply-version.bin");
/// The key of the cluster of these files.
const VISIT_KEY: u64 = 0x0123_4567_89ab_cdef;
const USER_VISIT_KEY: u64 = 0xfedc_ba98_7654_3210;

/// Key of the cluster's hasher.
const KEY: u64 = 0x1262_b69d_90eb_1367;
/// Keys of ids and contents: of the request, and of both sides of the first event.
const REQUEST: (u64, u64) = (0xc458_9745_3721_c32c, 0xec5e_9c38_5aa7_a5bf);
const USER: (u64, u64) = (0x009d_1f6a_e124_ce3f, 0x8863_f2f7_a4bd_ff72);
const ITEM: (u64, u64) = (0xbd10_df93_fa69_52e6, 0x698e_7295_18d5_071c);
/// Hash of the user `1364` with their basket, by the key of users' visits.
const USER_VISIT: u32 = 0xd573_dd71;
/// Hash of the token `t`, from the same package.
const ATTRIBUTION: u64 = 0x7603_3e85_f0ac_f92d;

#[test]
fn slots_of_ids() {
    let lines: Vec<&str> = SLOTS.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines.len(), 24);
    for line in lines {
        let [kind, expected, id] =
            line.splitn(3, ',').collect::<Vec<_>>()[..].try_into().expect("three columns");
        let kind = match kind {
            "user" => Subject::User,
            "item" => Subject::Item,
            other => panic!("{other}"),
        };
        assert_eq!(slot(kind, id).to_string(), expected, "{id}");
    }
}

fn events() -> Vec<Event> {
    let money = |units, nanos| Some(Money { currency_code: String::new(), units, nanos });
    let time = |seconds| Some(prost_types::Timestamp { seconds, nanos: 999 });
    vec![
        Event {
            r#type: EventType::Purchase.into(),
            item_id: "1004906".into(),
            event_time: time(1_483_228_799),
            user_id: Some("1364".into()),
            basket_id: Some("31198459904".into()),
            location_id: Some("north".into()),
            channel: Some("shop".into()),
            attribution_token: Some("t".into()),
            event_id: Some("line-1".into()),
            quantity: Some(2.0),
            amount: money(3, 500_000_000),
            list_price: money(1, 999_999_600),
            promotion: true,
            ..Event::default()
        },
        Event {
            r#type: EventType::Rating.into(),
            item_id: "käse".into(),
            event_time: time(631_152_000),
            user_id: Some("1364".into()),
            rating: Some(-4.5),
            ..Event::default()
        },
        Event {
            r#type: EventType::View.into(),
            item_id: "1004906".into(),
            event_time: time(1_483_228_800),
            session_id: Some("s".into()),
            ..Event::default()
        },
    ]
}

/// The only section of the events when everything lives in one shard, as a version means it.
fn split(apply_version: u32) -> Section {
    let context = RecordContext {
        layout: ShardLayout::new(1),
        currency: "USD".into(),
        time_zone: TimeZone::get("America/New_York").expect("a time zone"),
        visit_key: VISIT_KEY,
        user_visit_key: USER_VISIT_KEY,
    };
    EventChecker::new("USD", Timestamp::from_second(1_500_000_000).expect("a time"))
        .check_batch(&events())
        .expect("valid events");
    let split = SplitEvents::new(events(), &context, apply_version).expect("no clashes");
    let mut sections = split.into_sections();
    let (shard, section) = sections.next().expect("one section");
    assert!(shard == 0 && sections.next().is_none());
    section
}

/// A section of apply version 1.
fn section() -> Section {
    let mut section = split(1);
    section.append_time_ms = 1_483_228_800_123;
    section.origin = Some(Origin::Producer(ProducerBatch {
        producer_id: (0..16).collect(),
        batch_sequence: 70,
        acknowledged_through: 6,
        r#final: true,
    }));
    // The golden section is older than this field.
    assert_eq!(section.interactions[0].attribution.take(), Some(ATTRIBUTION));
    section
}

#[test]
fn an_encoded_section() {
    assert_eq!(encode_section(&section()), SECTION);
    let decoded = Section::decode(SECTION).expect("decodes");
    assert_eq!(decoded, section());
    let interactions = [
        Interaction {
            user_id: "1364".into(),
            item_id: "1004906".into(),
            r#type: EventType::Purchase.into(),
            time: 852_076_799,
            value: 2.0,
            event_hash: event_hash("line-1"),
            ..Interaction::default()
        },
        Interaction {
            user_id: "1364".into(),
            item_id: "käse".into(),
            r#type: EventType::Rating.into(),
            time: 0,
            value: -4.5,
            ..Interaction::default()
        },
    ];
    assert_eq!(decoded.interactions, interactions);
    let ItemEvent { amount_micros, list_price_micros, quantity, promotion, .. } =
        decoded.item_events[0];
    assert_eq!((amount_micros, list_price_micros), (Some(3_500_000), Some(2_000_000)));
    assert_eq!((quantity, promotion), (2.0, true));
}

/// In version 2, from a call with a request id.
fn section_2() -> Section {
    let hasher = IdHasher::of_cluster(VISIT_KEY);
    let request = DeleteItemRequest { item_id: "tea".into(), request_id: None };
    let key = hasher.key_of("r1", hasher.content_of(&request), Side::Request);
    Section {
        append_time_ms: 1_483_228_800_123,
        log_time_ms: 86_400_000,
        origin: Some(Origin::RequestKey(key.to_bytes())),
        ..split(2)
    }
}

/// In version 5 both sides say what was paid, and no number of one is found on the other.
#[test]
fn an_encoded_section_of_version_5() {
    let section = split(5);
    assert_eq!(encode_section(&section), SECTION_5);
    assert_eq!(Section::decode(SECTION_5), Ok(section.clone()));
    let (paid, sold) = (&section.interactions[0], &section.item_events[0]);
    assert_eq!((paid.quantity_micros, paid.amount_micros), (Some(2_000_000), Some(3_500_000)));
    assert_eq!((paid.list_price_micros, paid.promotion), (Some(2_000_000), true));
    assert_eq!((&*paid.channel, &*paid.location_id), ("shop", "north"));
    assert_eq!(paid.visit, Some(USER_VISIT));
    let halves = [sold.visit >> 32, sold.visit & u64::from(u32::MAX)];
    assert!(!halves.contains(&USER_VISIT.into()));
    // A rating says nothing of it, and no version before does.
    assert_eq!(section.interactions[1], split(4).interactions[1]);
    assert_eq!(split(4), split(2));
    let hash = interaction_hash(&split(4).interactions[0]);
    assert_eq!(interaction_hash(paid), hash, "an event proves the same in each version");
}

#[test]
fn a_visit_is_of_a_user_and_of_the_first_thing_that_tells_it() {
    let visit_of = |event: Event, user_visit_key| {
        let context = RecordContext {
            layout: ShardLayout::new(1),
            currency: "USD".into(),
            time_zone: TimeZone::get("America/New_York").expect("a time zone"),
            visit_key: VISIT_KEY,
            user_visit_key,
        };
        let split = SplitEvents::new(vec![event], &context, 5).expect("one event");
        let (_, section) = split.into_sections().next().expect("a section");
        section.interactions[0].visit.expect("a purchase")
    };
    let event = || Event { event_id: None, ..events().remove(0) };
    let session = || Event { session_id: Some("s".into()), ..event() };
    let visit = |event| visit_of(event, USER_VISIT_KEY);
    assert_eq!(visit(session()), visit(event()), "the basket comes first");
    let without_basket = || Event { basket_id: None, ..session() };
    let by_day = || Event { session_id: None, ..without_basket() };
    let later = |event: Event| {
        let mut time = event.event_time.expect("timed");
        time.seconds += 86_400;
        Event { event_time: Some(time), ..event }
    };
    assert_eq!(visit(later(without_basket())), visit(without_basket()));
    let other_user = Event { user_id: Some("1365".into()), ..event() };
    let all = [
        visit(event()),
        visit(without_basket()),
        visit(by_day()),
        visit(later(by_day())),
        visit(other_user),
        visit_of(event(), VISIT_KEY),
    ];
    let distinct: std::collections::BTreeSet<u32> = all.into_iter().collect();
    assert_eq!(distinct.len(), all.len());
}

/// To write the files of a new version, set `MERCER_WRITE_GOLDEN`; never write these again.
#[test]
fn encoded_sections_of_version_2() {
    let change = UseApplyVersion { version: 2, id_key: IdHasher::of_cluster(VISIT_KEY).key() };
    let use_version = Section {
        append_time_ms: 1_483_228_800_123,
        log_time_ms: 86_400_000,
        use_apply_version: Some(change),
        ..Section::default()
    };
    for (name, section, golden) in [
        ("section-2.bin", section_2(), SECTION_2),
        ("use-apply-version.bin", use_version, USE_VERSION),
    ] {
        let encoded = encode_section(&section);
        if std::env::var_os("MERCER_WRITE_GOLDEN").is_some() {
            let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
            std::fs::write(folder.join(name), &encoded).expect("written");
            continue;
        }
        assert_eq!(encoded, golden, "{name}");
        assert_eq!(Section::decode(golden), Ok(section), "{name}");
    }
}

/// Keys as the Python package made them, from the encoding of each message.
#[test]
fn keys_of_version_2() {
    let hasher = IdHasher::of_cluster(VISIT_KEY);
    assert_eq!(hasher.key(), KEY);
    let section = section_2();
    let key = |bytes: &[u8]| IdKey::from_bytes(bytes).map(|key| (key.id, key.content));
    let Some(Origin::RequestKey(request)) = &section.origin else { panic!("a request") };
    assert_eq!(key(request), Some(REQUEST));
    assert_eq!(key(&section.interactions[0].event_key), Some(USER));
    assert_eq!(key(&section.item_events[0].event_key), Some(ITEM));
    assert!(section.item_events[0].event_hash.is_empty(), "one of the two");
    assert!(section.item_events[1].event_key.is_empty(), "it has no id");
    // What proves that a record was applied is the same in all versions and clusters.
    let before = split(1);
    assert_eq!(
        section.interactions.iter().map(interaction_hash).collect::<Vec<_>>(),
        before.interactions.iter().map(interaction_hash).collect::<Vec<_>>()
    );
    assert_eq!(
        section.item_events.iter().map(item_event_hash).collect::<Vec<_>>(),
        before.item_events.iter().map(item_event_hash).collect::<Vec<_>>()
    );
}

/// The expected values, too, were computed with the Python package.
#[test]
fn hashes_of_records() {
    let section = section();
    assert_eq!(event_hash("line-1"), 0x2a04_d317_2344_a02c_7e08_6360_be80_3fc0_u128.to_be_bytes());
    assert_eq!(
        interaction_hash(&section.interactions[0]),
        0x82e7_ba18_502d_e12d_f692_8746_6b9f_68e8
    );
    assert_eq!(item_event_hash(&section.item_events[0]), 0xf450_5b9b_8052_e818_0be7_7ffc_fded_ee03);
    let visits = [0, 1, 2].map(|event| section.item_events[event].visit);
    assert_eq!(visits, [0xf0b9_c475_e5f5_450f, 0x9b0d_6997_05ba_51fb, 0x05e8_9a92_039e_8aab]);
}

#[test]
fn a_token() {
    let mut token = Token::default();
    token.advance(0, Mark { epoch: Epoch::NONE, position: 1 });
    token.advance(15, Mark { epoch: Epoch::NONE, position: 0x0102_0304_0506_0708 });
    let format_1 = "AQAAAAAAAAAHAAAAAAAAAAAAAQAPAQIDBAUGBwg";
    assert_eq!(Token::decode(format_1, 7, 0), Ok(token.clone()));
    token.advance(0, Mark { epoch: Epoch(0x1122 << 112 | 0x33), position: 2 });
    let format_2 = "AgAAAAAAAAAHAgAAAAAAAAAAAAAAAAAAAAARIgAAAAAAAAAAAAAAAAAzAAAAAAAAAAAAAAEAAA8BAgMEBQYHCAEAAAAAAAAAAAAC";
    assert_eq!(token.encode(7), format_2);
    assert_eq!(Token::decode(format_2, 7, 0), Ok(token));
}
