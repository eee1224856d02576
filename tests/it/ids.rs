//! Ids that are sent again with the same content and with other: what counts does not depend on the
//! number of shards, and is what a plain list of what was seen says.

use std::collections::{BTreeMap, HashSet};

use jiff::tz::TimeZone;
use mercer_common::{
    event::{
        APPLY_VERSION, RecordContext, Side, SplitEvents, encode_section, interaction_hash,
        item_event_hash,
    },
    log::Sequence,
    slot::{ShardId, ShardLayout},
};
use mercer_proto::{
    google::r#type::Money,
    internal::{ItemEvent, Section, UseApplyVersion, section::Origin},
    v1::{Event, EventType, RecordEventsRequest},
};
use mercer_worker::shard::{
    Counters, Ledger, LineKind, ShardState,
    apply::{Prepared, apply},
};
use proptest::{collection::vec, option, prelude::*, sample::select};
use prost_types::Timestamp;

const SHARDS: [ShardId; 4] = [1, 2, 3, 4];

/// What the shards of one cluster have applied.
struct Cluster {
    context: RecordContext,
    shards: Vec<ShardState>,
    end: Sequence,
}

impl Cluster {
    fn new(shards: ShardId) -> Self {
        let layout = ShardLayout::new(shards);
        let context = RecordContext {
            layout,
            currency: "USD".into(),
            time_zone: TimeZone::UTC,
            visit_key: 5,
            user_visit_key: 6,
        };
        let states = (0..shards).map(|shard| ShardState::new(layout, shard, TimeZone::UTC));
        let mut cluster = Self { context, shards: states.collect(), end: 0 };
        let id_key = cluster.context.id_hasher().key();
        let change = UseApplyVersion { version: APPLY_VERSION, id_key };
        let section = Section { use_apply_version: Some(change), ..Section::default() };
        (0..shards).for_each(|shard| cluster.apply(shard, &section));
        cluster
    }

    /// Sends a call, split as ingest does; false when it is refused.
    fn send(&mut self, request: &RecordEventsRequest) -> bool {
        let mut request = request.clone();
        let hasher = self.context.id_hasher();
        let origin = request.request_id.take().map(|id| {
            let key = hasher.key_of(&id, hasher.content_of(&request), Side::Request);
            Origin::RequestKey(key.to_bytes())
        });
        let Ok(split) = SplitEvents::new(request.events, &self.context, APPLY_VERSION) else {
            return false;
        };
        for (shard, section) in split.into_sections() {
            self.apply(shard, &Section { origin: origin.clone(), ..section });
        }
        true
    }

    fn apply(&mut self, shard: ShardId, section: &Section) {
        self.end += 1;
        let prepared = Prepared::decode(self.context.layout, shard, &encode_section(section));
        apply(&mut self.shards[usize::from(shard)], self.end, prepared.expect("a section"))
            .expect("applies");
    }

    fn counters(&self) -> (Counters, Counters) {
        let all = self.shards.iter().map(ShardState::counters);
        all.fold(Default::default(), |(users, items), (more_users, more_items)| {
            (users.merge(more_users), items.merge(more_items))
        })
    }

    /// Everything that an answer can depend on, in the order that does not depend on shards.
    fn answers(&self) -> (Vec<String>, Vec<String>) {
        let (mut users, mut items) = (Vec::new(), Vec::new());
        for state in &self.shards {
            for (id, user) in state.users() {
                let item = |handle| state.interner().id(handle);
                let mut window = Vec::new();
                for entry in user.window().iter() {
                    window.push((entry.time, item(entry.item), entry.kind));
                }
                let seen: Vec<_> = user.seen().iter().map(|&handle| item(handle)).collect();
                let ledger = user.ledger();
                let rows: Vec<_> = ledger.iter().flat_map(|ledger| ledger.rows()).collect();
                let summary = ledger.map(Ledger::summary);
                users.push(format!("{id}: {window:?} {seen:?} {rows:?} {summary:?}"));
            }
            for item in state.items() {
                items.push(format!("{}: {} {}", item.id(), item.popularity(), item.units()));
            }
        }
        (users, items)
    }
}

/// Money, units bought and units brought back, in millionths.
type Totals = (i128, i128, i128);

impl Cluster {
    /// What all users paid.
    fn of_ledgers(&self) -> Totals {
        let mut totals = Totals::default();
        let users = self.shards.iter().flat_map(ShardState::users);
        for ledger in users.filter_map(|(_, user)| user.ledger()) {
            for (kind, one) in LineKind::ALL.into_iter().zip(ledger.summary().kinds) {
                if kind == LineKind::Returned {
                    totals.2 += one.sums.units;
                } else {
                    totals.0 += one.sums.money;
                    totals.1 += one.sums.units;
                }
            }
        }
        totals
    }

    /// What all items sold.
    fn of_items(&self) -> Totals {
        let mut totals = Totals::default();
        for item in self.shards.iter().flat_map(ShardState::items) {
            totals.0 += i128::from(item.revenue_micros());
            for day in item.series().total() {
                totals.1 += i128::from(day.units_micros);
                totals.2 += i128::from(day.returned_micros);
            }
        }
        totals
    }
}

/// Adds what the item's side of an event says.
fn add(totals: &mut Totals, record: &ItemEvent) {
    let units = (record.quantity * 1e6).round() as i128;
    if record.r#type() == EventType::Return {
        totals.2 += units;
    } else {
        totals.0 += i128::from(record.amount_micros.unwrap_or_default());
        totals.1 += units;
    }
}

/// Ids that were seen, in plain lists.
#[derive(Default)]
struct Seen {
    requests: HashSet<(String, String)>,
    events: HashSet<(String, String)>,
    interactions: Counters,
    item_events: Counters,
    clashes: u64,
    /// What all events sold.
    sold: Totals,
    /// What those sold that name a user.
    named: Totals,
}

impl Seen {
    fn send(&mut self, request: &RecordEventsRequest, context: &RecordContext) {
        if let Some(id) = &request.request_id
            && !self.requests.insert((id.clone(), format!("{:?}", request.events)))
        {
            return;
        }
        for event in &request.events {
            if let Some(id) = &event.event_id {
                let known = self.events.iter().any(|(known, _)| known == id);
                if !self.events.insert((id.clone(), format!("{event:?}"))) {
                    continue;
                }
                self.clashes += u64::from(known);
            }
            let split = SplitEvents::new(vec![event.clone()], context, APPLY_VERSION);
            for (_, section) in split.expect("one event").into_sections() {
                for record in &section.interactions {
                    count(&mut self.interactions, interaction_hash(record));
                }
                for record in &section.item_events {
                    count(&mut self.item_events, item_event_hash(record));
                    add(&mut self.sold, record);
                    if event.user_id.is_some() {
                        add(&mut self.named, record);
                    }
                }
            }
        }
    }
}

fn count(counters: &mut Counters, hash: u128) {
    let one = Counters { count: 1, hash_sum: hash };
    *counters = std::mem::take(counters).merge(one);
}

/// Whether an id stands for two events within one request.
fn clashes(request: &RecordEventsRequest) -> bool {
    let mut contents: BTreeMap<&str, &Event> = BTreeMap::new();
    let named = request.events.iter().filter_map(|event| Some((event.event_id.as_deref()?, event)));
    named.into_iter().any(|(id, event)| *contents.entry(id).or_insert(event) != event)
}

fn event() -> impl Strategy<Value = Event> {
    let what = (0..8_u8, option::weighted(0.9, 0..6_u8), option::weighted(0.7, 0..6_u8));
    let paid = (option::weighted(0.8, 0..3_i64), any::<bool>(), option::of(0..3_u8), 0..4_u8);
    (what, 0..3_i64, select(&[1.0, 2.5, 0.000_5][..]), paid).prop_map(
        |((item, user, id), days, quantity, (amount, promotion, basket, channel))| Event {
            r#type: (if channel == 3 { EventType::Return } else { EventType::Purchase }).into(),
            item_id: format!("item {item}"),
            user_id: user.map(|user| format!("user {user}")),
            event_id: id.map(|id| format!("event {id}")),
            event_time: Some(Timestamp { seconds: 1_600_000_000 + days * 40_000, nanos: 0 }),
            quantity: Some(quantity),
            amount: amount.map(|units| Money { units, ..Money::default() }),
            promotion,
            basket_id: basket.map(|basket| format!("basket {basket}")),
            channel: (channel > 0).then(|| format!("channel {channel}")),
            ..Event::default()
        },
    )
}

fn request() -> impl Strategy<Value = RecordEventsRequest> {
    (vec(event(), 1..5), option::of(0..3_u8)).prop_map(|(events, id)| RecordEventsRequest {
        events,
        request_id: id.map(|id| format!("request {id}")),
    })
}

proptest! {
    #[test]
    fn what_counts_does_not_depend_on_the_number_of_shards(
        requests in vec(request(), 1..12),
        // Some come again, later.
        order in vec(any::<prop::sample::Index>(), 1..40),
    ) {
        let mut clusters = SHARDS.map(Cluster::new);
        let mut seen = Seen::default();
        for index in order {
            let request = index.get(&requests);
            let refused = clashes(request);
            for cluster in &mut clusters {
                prop_assert_eq!(cluster.send(request), !refused);
            }
            if !refused {
                seen.send(request, &clusters[0].context);
            }
        }
        let answers = clusters[0].answers();
        for cluster in &clusters {
            prop_assert_eq!(&cluster.answers(), &answers);
            prop_assert_eq!(cluster.counters(), (seen.interactions, seen.item_events));
            prop_assert_eq!(cluster.of_ledgers(), seen.named);
            prop_assert_eq!(cluster.of_items(), seen.sold);
        }
        // In one shard every request is compared once; in several, in each that it touches.
        let of_requests = {
            let ids: HashSet<&str> = seen.requests.iter().map(|(id, _)| id.as_str()).collect();
            (seen.requests.len() - ids.len()) as u64
        };
        prop_assert_eq!(clusters[0].shards[0].clashes(), seen.clashes + of_requests);
    }
}
