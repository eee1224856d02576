//! How a checked event becomes records of the log.

use bytes::Bytes;
use jiff::{civil::Date, tz::TimeZone};
use mercer_proto::{
    internal::{Interaction, ItemEvent, Section},
    v1::{Event, EventType},
};
use prost::Message as _;
use xxhash_rust::xxh3::{Xxh3, xxh3_64, xxh3_64_with_seed, xxh3_128};

use super::{IdHasher, LEDGERS_SINCE, Side};
use crate::{
    money,
    rpc::status::InvalidRequest,
    slot::{ShardId, ShardLayout, Subject},
    time::EventTime,
};

/// Records a section from which making room at once is worth it: below, few sections get any.
const WORTH_ROOM: usize = 4;

/// What the splitting of events depends on; fixed when the cluster is created.
#[derive(Clone, Debug)]
pub struct RecordContext {
    /// Which shard an id lives in.
    pub layout: ShardLayout,
    /// The one currency.
    pub currency: String,
    /// Decides the local day of a visit.
    pub time_zone: TimeZone,
    /// Keys the hashes that stand for users and baskets on the item's side.
    pub visit_key: u64,
    /// Keys the hashes that stand for visits on the user's side: an equal one would tell an item's
    /// records whose they are, also after the user was deleted.
    pub user_visit_key: u64,
}

impl RecordContext {
    /// What stands for ids and their content.
    #[must_use]
    pub fn id_hasher(&self) -> IdHasher {
        IdHasher::of_cluster(self.visit_key)
    }
}

/// The records of a batch of events, by shard.
#[derive(Debug)]
pub struct SplitEvents {
    sections: Vec<Section>,
    content: u128,
}

impl SplitEvents {
    /// Splits checked events: an interaction for the user's shard unless anonymous, and an item
    /// event for the item's shard. They mean what `apply_version` says.
    ///
    /// # Errors
    /// When two events have one id and different content.
    pub fn new(
        events: Vec<Event>,
        context: &RecordContext,
        apply_version: u32,
    ) -> Result<Self, InvalidRequest> {
        let hasher = context.id_hasher();
        let shards = usize::from(context.layout.shards());
        let mut sections = vec![Section::default(); shards];
        // Records do not move while a section grows to half as much again as an even split gives it.
        let even = events.len() / shards;
        if even >= WORTH_ROOM {
            for section in &mut sections {
                section.interactions.reserve_exact(even + even / 2);
                section.item_events.reserve_exact(even + even / 2);
            }
        }
        let mut content = Xxh3::with_seed(hasher.key());
        let mut named = Vec::new();
        let mut scratch = Vec::new();
        for (index, mut event) in events.into_iter().enumerate() {
            let time = event_time(&event);
            // It says where the event comes from, and nothing of what happened.
            let row = std::mem::take(&mut event.import_row);
            let day = day_of_visit(&event, time, context);
            let visit = visit(&event, day, context, &mut scratch);
            let paid = match apply_version {
                LEDGERS_SINCE.. => Paid::of(&event, day, context, &mut scratch),
                _ => None,
            };
            let id = event.event_id.take();
            scratch.clear();
            event.encode_raw(&mut scratch);
            let said = hasher.content(&scratch);
            content.update(&said.to_le_bytes());
            let mut records = split(event, time, visit, context);
            if let Some(paid) = paid {
                records.set_paid(paid);
            }
            if !row.is_empty() {
                content.update(&row);
                records.set_row(row, &hasher);
            }
            if let Some(id) = &id {
                let hash = xxh3_128(id.as_bytes());
                content.update(&hash.to_le_bytes());
                named.push((hash, index, said));
                match apply_version {
                    ..2 => records.set_hash(event_hash(id)),
                    2.. => records.set_keys(|side| hasher.key_of(id, said, side).to_bytes()),
                }
            }
            let Records { interaction, item_event } = records;
            if let Some(interaction) = interaction {
                let shard = context.layout.shard_of(Subject::User, &interaction.user_id);
                sections[usize::from(shard)].interactions.push(interaction);
            }
            let shard = context.layout.shard_of(Subject::Item, &item_event.item_id);
            sections[usize::from(shard)].item_events.push(item_event);
        }
        check_clashes(named)?;
        Ok(Self { sections, content: content.digest128() })
    }

    /// Stands for all events, in their order.
    #[must_use]
    pub fn content(&self) -> u128 {
        self.content
    }

    /// The sections that hold any record, by shard.
    pub fn into_sections(self) -> impl Iterator<Item = (ShardId, Section)> {
        (0..).zip(self.sections).filter(|(_, section)| {
            !section.interactions.is_empty() || !section.item_events.is_empty()
        })
    }
}

/// The bytes of a section as the log holds them.
#[must_use]
pub fn encode_section(section: &Section) -> Bytes {
    Bytes::from(section.encode_to_vec())
}

/// Both sides of an event.
struct Records {
    interaction: Option<Interaction>,
    item_event: ItemEvent,
}

impl Records {
    /// What stands for the imported row that the event comes from.
    fn set_row(&mut self, row: Vec<u8>, hasher: &IdHasher) {
        if let Some(interaction) = &mut self.interaction {
            interaction.import_mark = Some(hasher.mark(&row));
        }
        self.item_event.import_row = row;
    }

    /// Since version 5: what the user paid, as the item's side says it.
    fn set_paid(&mut self, paid: Paid) {
        let Some(interaction) = &mut self.interaction else { return };
        let item_event = &self.item_event;
        interaction.quantity_micros = Some(paid.quantity_micros);
        interaction.visit = Some(paid.visit);
        interaction.amount_micros = item_event.amount_micros;
        interaction.list_price_micros = item_event.list_price_micros;
        interaction.channel.clone_from(&item_event.channel);
        interaction.location_id.clone_from(&item_event.location_id);
        interaction.promotion = item_event.promotion;
    }

    /// Version 1: what stands for the event's id alone.
    fn set_hash(&mut self, hash: Vec<u8>) {
        if let Some(interaction) = &mut self.interaction {
            interaction.event_hash.clone_from(&hash);
        }
        self.item_event.event_hash = hash;
    }

    /// Since version 2: what stands for the event's id and content.
    fn set_keys(&mut self, key: impl Fn(Side) -> Vec<u8>) {
        if let Some(interaction) = &mut self.interaction {
            interaction.event_key = key(Side::User);
        }
        self.item_event.event_key = key(Side::Item);
    }
}

/// What a purchase or return says on the user's side alone.
struct Paid {
    quantity_micros: u64,
    visit: u32,
}

impl Paid {
    fn of(
        event: &Event,
        day: Option<Date>,
        context: &RecordContext,
        scratch: &mut Vec<u8>,
    ) -> Option<Self> {
        let user = event.user_id.as_deref()?;
        if !matches!(event.r#type(), EventType::Purchase | EventType::Return) {
            return None;
        }
        let units = micros_of_units(event.quantity.unwrap_or_default());
        let visit = user_visit(event, user, day, context, scratch);
        Some(Self { quantity_micros: units.unsigned_abs(), visit })
    }
}

/// Refuses two events of one id with different content: which of them counts would depend on the
/// shards that they meet in. `named` holds the hash of the id, the index and the content of each.
fn check_clashes(mut named: Vec<(u128, usize, u128)>) -> Result<(), InvalidRequest> {
    named.sort_unstable();
    let clash = named.windows(2).find(|pair| pair[0].0 == pair[1].0 && pair[0].2 != pair[1].2);
    let Some(&[(_, first, _), (_, second, _)]) = clash else { return Ok(()) };
    Err(InvalidRequest::field(
        format!("events[{second}].event_id"),
        format!("is that of events[{first}], which says something else; give each event its own"),
    ))
}

fn event_time(event: &Event) -> EventTime {
    let time = event.event_time.and_then(|time| EventTime::from_unix_seconds(time.seconds));
    time.unwrap_or_default()
}

fn split(event: Event, time: EventTime, visit: u64, context: &RecordContext) -> Records {
    let micros = |money: &mercer_proto::google::r#type::Money| {
        money::to_micros(money, &context.currency).unwrap_or_default()
    };
    let value = match event.r#type() {
        EventType::Purchase | EventType::Return => event.quantity.unwrap_or_default(),
        EventType::Rating => event.rating.unwrap_or_default(),
        _ => 0.0,
    };
    let interaction = event.user_id.map(|user_id| Interaction {
        user_id,
        item_id: event.item_id.clone(),
        r#type: event.r#type,
        time: time.0,
        // Windows keep 29 bits of the value.
        value: value as f32,
        attribution: event.attribution_token.as_deref().map(attribution_hash),
        ..Interaction::default()
    });
    let item_event = ItemEvent {
        item_id: event.item_id,
        r#type: event.r#type,
        time: time.0,
        quantity: event.quantity.unwrap_or_default(),
        amount_micros: event.amount.as_ref().map(micros),
        list_price_micros: event.list_price.as_ref().map(micros),
        promotion: event.promotion,
        location_id: event.location_id.unwrap_or_default(),
        visit,
        channel: event.channel.unwrap_or_default(),
        attribution_token: event.attribution_token.unwrap_or_default(),
        ..ItemEvent::default()
    };
    Records { interaction, item_event }
}

/// The local day that a visit is known by, which is where nothing else tells it: finding it costs as much
/// as the rest of a record.
fn day_of_visit(event: &Event, time: EventTime, context: &RecordContext) -> Option<Date> {
    let is_told = event.basket_id.is_some() || event.session_id.is_some();
    if is_told || event.user_id.is_none() {
        return None;
    }
    Some(time.timestamp().to_zoned(context.time_zone.clone()).date())
}

/// What counts once towards an item's popularity: the basket, else the session, else the user's
/// local day, else the sale itself.
fn visit(event: &Event, day: Option<Date>, context: &RecordContext, scratch: &mut Vec<u8>) -> u64 {
    scratch.clear();
    if let Some(basket) = &event.basket_id {
        scratch.extend_from_slice(b"basket\0");
        scratch.extend_from_slice(basket.as_bytes());
    } else if let Some(session) = &event.session_id {
        scratch.extend_from_slice(b"session\0");
        scratch.extend_from_slice(session.as_bytes());
    } else if let (Some(user), Some(day)) = (&event.user_id, day) {
        scratch.extend_from_slice(b"day\0");
        scratch.extend_from_slice(user.as_bytes());
        scratch.extend_from_slice(&day.year().to_be_bytes());
        scratch.extend_from_slice(&day.day_of_year().to_be_bytes());
    } else {
        event.encode_raw(scratch);
    }
    xxh3_64_with_seed(scratch, context.visit_key)
}

/// Stands for a visit of a user: the basket, else the session, else the local day. Compared only within
/// a user and a day, for which half of a hash is enough.
fn user_visit(
    event: &Event,
    user: &str,
    day: Option<Date>,
    context: &RecordContext,
    scratch: &mut Vec<u8>,
) -> u32 {
    scratch.clear();
    scratch.extend_from_slice(user.as_bytes());
    if let Some(basket) = &event.basket_id {
        scratch.extend_from_slice(b"\0basket\0");
        scratch.extend_from_slice(basket.as_bytes());
    } else if let Some(session) = &event.session_id {
        scratch.extend_from_slice(b"\0session\0");
        scratch.extend_from_slice(session.as_bytes());
    } else if let Some(day) = day {
        scratch.extend_from_slice(b"\0day\0");
        scratch.extend_from_slice(&day.year().to_be_bytes());
        scratch.extend_from_slice(&day.day_of_year().to_be_bytes());
    }
    xxh3_64_with_seed(scratch, context.user_visit_key) as u32
}

/// Units as a whole number of millionths, so that sums do not depend on their order; 0 of NaN.
#[must_use]
pub fn micros_of_units(units: f64) -> i64 {
    (units * 1e6).round().max(0.0) as i64
}

/// What stands for an `event_id` or `request_id` in version 1: its xxh3-128, big endian.
#[must_use]
pub fn event_hash(id: &str) -> Vec<u8> {
    xxh3_128(id.as_bytes()).to_be_bytes().to_vec()
}

/// What stands for an attribution token on the user's side: its xxh3-64.
#[must_use]
pub fn attribution_hash(token: &str) -> u64 {
    xxh3_64(token.as_bytes())
}

/// The hash by which clusters prove what they applied: xxh3-128 of the record's encoding, without
/// what stands for the event's id or row, which depends on the version and on the cluster's key, and
/// without what was paid, which depends on the version: an event that was sent again proves the same
/// whichever time it was recorded. The item's side proves amounts.
#[must_use]
pub fn interaction_hash(record: &Interaction) -> u128 {
    let record = Interaction {
        user_id: record.user_id.clone(),
        item_id: record.item_id.clone(),
        r#type: record.r#type,
        time: record.time,
        value: record.value,
        attribution: record.attribution,
        ..Interaction::default()
    };
    xxh3_128(&record.encode_to_vec())
}

/// As [`interaction_hash`]; also without the visit, which depends on the cluster's key.
#[must_use]
pub fn item_event_hash(record: &ItemEvent) -> u128 {
    let record = ItemEvent {
        event_hash: Vec::new(),
        event_key: Vec::new(),
        import_row: Vec::new(),
        visit: 0,
        ..record.clone()
    };
    xxh3_128(&record.encode_to_vec())
}
