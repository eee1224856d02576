//! What stands for a row of events.

use mercer_proto::v1::Event;
use prost::Message as _;
use xxhash_rust::xxh3::xxh3_128;

/// Bytes of a row's key.
pub(crate) const KEY: usize = 12;

/// Hashes rows with the key that the cluster gave, so that nobody else can tell from a hash what it
/// stands for.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    key: [u8; 16],
}

impl Rows {
    /// Takes the key of a cluster; `None` when it has not 16 bytes.
    pub(crate) fn new(key: &[u8]) -> Option<Self> {
        key.try_into().ok().map(|key| Self { key })
    }

    /// What stands for the row of an event: its key (12 bytes) and its content (4). The key is of
    /// `row_id` if the file has one, else of what the row is about: type, item, time, user, basket,
    /// session and location. The content is all that it says.
    pub(crate) fn stamp(&self, event: &Event, row_id: Option<&str>) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(256);
        bytes.extend(self.key);
        match row_id {
            Some(id) => {
                bytes.extend(b"row\0");
                bytes.extend(id.as_bytes());
            }
            None => {
                bytes.extend(event.r#type.to_be_bytes());
                let time = event.event_time.unwrap_or_default();
                bytes.extend(time.seconds.to_be_bytes());
                bytes.extend(time.nanos.to_be_bytes());
                let named = [
                    Some(&event.item_id),
                    event.user_id.as_ref(),
                    event.basket_id.as_ref(),
                    event.session_id.as_ref(),
                    event.location_id.as_ref(),
                ];
                for name in named {
                    // With its length, so that no two lists of names look alike.
                    let length = name.map_or(u64::MAX, |name| name.len() as u64);
                    bytes.extend(length.to_be_bytes());
                    bytes.extend(name.map_or("", String::as_str).as_bytes());
                }
            }
        }
        let key = xxh3_128(&bytes);
        bytes.truncate(self.key.len());
        event.encode_raw(&mut bytes);
        let content = xxh3_128(&bytes);
        let mut stamp = key.to_be_bytes()[..KEY].to_vec();
        stamp.extend(&content.to_be_bytes()[..4]);
        stamp
    }
}

#[cfg(test)]
mod tests {
    use prost_types::Timestamp;
    use xxhash_rust::xxh3::Xxh3;

    use super::*;

    fn event() -> Event {
        Event {
            item_id: "tea".into(),
            user_id: Some("anna".into()),
            event_time: Some(Timestamp { seconds: 1_767_600_000, nanos: 0 }),
            quantity: Some(2.0),
            ..Event::default()
        }
    }

    #[test]
    fn stamps_stay_as_registers_hold_them() {
        let rows = Rows::new(&[7; 16]).expect("a key");
        let hash = |parts: &[&[u8]]| {
            let mut hasher = Xxh3::new();
            hasher.update(&[7; 16]);
            parts.iter().for_each(|part| hasher.update(part));
            hasher.digest128().to_be_bytes()
        };
        let event = event();
        let time = event.event_time.expect("a time");
        let (item, user) = ("tea", "anna");
        let none = u64::MAX.to_be_bytes();
        let key = hash(&[
            &0_i32.to_be_bytes(),
            &time.seconds.to_be_bytes(),
            &0_i32.to_be_bytes(),
            &3_u64.to_be_bytes(),
            item.as_bytes(),
            &4_u64.to_be_bytes(),
            user.as_bytes(),
            &none,
            &none,
            &none,
        ]);
        let content = hash(&[&event.encode_to_vec()]);
        assert_eq!(rows.stamp(&event, None), [&key[..KEY], &content[..4]].concat());
        let named = hash(&[b"row\0", b"17"]);
        assert_eq!(rows.stamp(&event, Some("17")), [&named[..KEY], &content[..4]].concat());
    }

    #[test]
    fn what_a_row_is_about_makes_its_key_and_the_rest_its_content() {
        let rows = Rows::new(&[7; 16]).expect("a key");
        let stamp = |change: &dyn Fn(&mut Event), id: Option<&str>| {
            let mut event = event();
            change(&mut event);
            let stamp = rows.stamp(&event, id);
            assert_eq!(stamp.len(), 16);
            (stamp[..KEY].to_vec(), stamp[KEY..].to_vec())
        };
        let (key, content) = stamp(&|_| (), None);
        assert_eq!(stamp(&|_| (), None), (key.clone(), content.clone()));
        let more = stamp(&|event| event.quantity = Some(3.0), None);
        assert_eq!(more.0, key);
        assert_ne!(more.1, content);
        for change in [
            &(|event: &mut Event| event.item_id = "coffee".into()) as &dyn Fn(&mut Event),
            // No two places of names are the same.
            &|event| event.basket_id = event.user_id.take(),
            &|event| event.location_id = Some(String::new()),
            &|event| event.event_time = Some(Timestamp::default()),
        ] {
            assert_ne!(stamp(change, None).0, key);
            assert_eq!(stamp(change, Some("1")).0, stamp(&|_| (), Some("1")).0);
        }
        assert_ne!(stamp(&|_| (), Some("1")).0, stamp(&|_| (), Some("2")).0);
        let other = Rows::new(&[8; 16]).expect("a key");
        assert_ne!(other.stamp(&event(), None)[..KEY], key);
        assert!(Rows::new(&[7; 15]).is_none());
    }
}
