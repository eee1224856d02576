//! The public API only grows: what a client was built with keeps its meaning.
//!
//! `golden/mercer.v1.bin` is the API as it was last recorded. What it holds must still be there, with
//! the same numbers and types; a field or value that is removed leaves its number and its name
//! reserved. `MERCER_WRITE_GOLDEN=1 cargo test -p mercer-proto --test breaking` records what was added.

use std::{collections::BTreeMap, env, fs, ops::RangeInclusive, path::Path};

use prost::Message as _;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet,
    MethodDescriptorProto,
};

const PACKAGE: &str = "mercer.v1";

/// Everything that clients depend on, by full name: what it is, and what may not change of it.
#[derive(Debug, Default, PartialEq)]
struct Api {
    /// `Message.field`, `Enum.VALUE`, `Service.Method`, and messages and enums themselves.
    elements: BTreeMap<String, String>,
    /// `Message.field` and `Enum.VALUE` that are not to be used again.
    reserved_names: Vec<String>,
    /// Numbers of a message or enum that are not to be used again.
    reserved_numbers: Vec<(String, RangeInclusive<i32>)>,
}

impl Api {
    fn of(encoded: &[u8]) -> Self {
        let set = FileDescriptorSet::decode(encoded).expect("a descriptor set");
        let mut api = Self::default();
        for file in set.file.iter().filter(|file| file.package() == PACKAGE) {
            for message in &file.message_type {
                api.add_message(PACKAGE, message);
            }
            for one in &file.enum_type {
                api.add_enum(PACKAGE, one);
            }
            for service in &file.service {
                for method in &service.method {
                    let name = format!("{PACKAGE}.{}.{}", service.name(), method.name());
                    api.elements.insert(name, said_of_method(method));
                }
            }
        }
        api
    }

    fn add_message(&mut self, parent: &str, message: &DescriptorProto) {
        let name = format!("{parent}.{}", message.name());
        for field in &message.field {
            let oneof = field.oneof_index.filter(|_| !field.proto3_optional());
            let oneof = oneof.map(|index| message.oneof_decl[index as usize].name());
            let said = said_of_field(field, oneof);
            self.elements.insert(format!("{name}.{}", field.name()), said);
        }
        let names = message.reserved_name.iter().map(|field| format!("{name}.{field}"));
        self.reserved_names.extend(names);
        for range in &message.reserved_range {
            // Its end is the first number that is free.
            self.reserved_numbers.push((name.clone(), range.start()..=range.end() - 1));
        }
        for nested in &message.nested_type {
            self.add_message(&name, nested);
        }
        for nested in &message.enum_type {
            self.add_enum(&name, nested);
        }
        self.elements.insert(name, "message".to_owned());
    }

    fn add_enum(&mut self, parent: &str, one: &EnumDescriptorProto) {
        let name = format!("{parent}.{}", one.name());
        for value in &one.value {
            self.elements
                .insert(format!("{name}.{}", value.name()), format!("value {}", value.number()));
        }
        let names = one.reserved_name.iter().map(|value| format!("{name}.{value}"));
        self.reserved_names.extend(names);
        for range in &one.reserved_range {
            // Of enums the end is reserved too.
            self.reserved_numbers.push((name.clone(), range.start()..=range.end()));
        }
        self.elements.insert(name, "enum".to_owned());
    }

    /// What a client of `self` would meet in `newer`.
    fn broken_by(&self, newer: &Self) -> Vec<String> {
        let mut broken = Vec::new();
        for (name, before) in &self.elements {
            match newer.elements.get(name) {
                Some(now) if now == before => {}
                Some(now) => broken.push(format!("{name} was `{before}` and is `{now}`")),
                None if newer.has_reserved(name, before) => {}
                None => broken.push(format!("{name} (`{before}`) is gone and not reserved")),
            }
        }
        broken
    }

    /// Whether neither the name nor the number of a field or value can come back.
    fn has_reserved(&self, name: &str, said: &str) -> bool {
        let number = said.split_whitespace().find_map(|word| word.parse::<i32>().ok());
        let (Some(number), Some((parent, _))) = (number, name.rsplit_once('.')) else {
            return false;
        };
        let mut numbers = self.reserved_numbers.iter();
        self.reserved_names.iter().any(|reserved| reserved == name)
            && numbers.any(|(of, numbers)| of == parent && numbers.contains(&number))
    }
}

fn said_of_field(field: &FieldDescriptorProto, oneof: Option<&str>) -> String {
    let mut said = format!("field {} {:?} {:?}", field.number(), field.label(), field.r#type());
    if !field.type_name().is_empty() {
        said += &format!(" {}", field.type_name());
    }
    if field.proto3_optional() {
        said += " optional";
    }
    if let Some(oneof) = oneof {
        said += &format!(" of {oneof}");
    }
    said
}

fn said_of_method(method: &MethodDescriptorProto) -> String {
    let stream = |streams: bool| if streams { "stream " } else { "" };
    format!(
        "method {}{} returns {}{}",
        stream(method.client_streaming()),
        method.input_type(),
        stream(method.server_streaming()),
        method.output_type()
    )
}

#[test]
fn what_clients_were_built_with_keeps_its_meaning() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/mercer.v1.bin");
    let now = Api::of(mercer_proto::v1::DESCRIPTOR_SET);
    let recorded = fs::read(&path).map(|bytes| Api::of(&bytes)).unwrap_or_default();
    let broken = recorded.broken_by(&now);
    assert!(broken.is_empty(), "breaks clients:\n{}", broken.join("\n"));
    if env::var_os("MERCER_WRITE_GOLDEN").is_some() {
        let mut set = FileDescriptorSet::decode(mercer_proto::v1::DESCRIPTOR_SET).expect("a set");
        set.file.retain(|file| file.package() == PACKAGE);
        set.file.iter_mut().for_each(|file| file.source_code_info = None);
        fs::write(&path, set.encode_to_vec()).expect("can be written");
        return;
    }
    let added: Vec<&String> =
        now.elements.keys().filter(|name| !recorded.elements.contains_key(*name)).collect();
    assert!(added.is_empty(), "not recorded yet (MERCER_WRITE_GOLDEN=1 records it): {added:?}");
}

#[test]
fn what_breaks_clients_is_found() {
    let field = |name: &str, number: i32, kind: i32| FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        r#type: Some(kind),
        ..Default::default()
    };
    let api = |message: DescriptorProto| {
        let mut api = Api::default();
        api.add_message("a", &message);
        api
    };
    let message = DescriptorProto { name: Some("M".into()), ..Default::default() };
    let with =
        |fields: Vec<FieldDescriptorProto>| DescriptorProto { field: fields, ..message.clone() };
    let before = api(with(vec![field("x", 1, 5), field("y", 2, 9)]));
    let broken = |after: DescriptorProto| before.broken_by(&api(after)).len();
    let same = vec![field("x", 1, 5), field("y", 2, 9)];
    assert_eq!(broken(with(same.clone())), 0);
    // Growth is none; another number, another type and another name are.
    assert_eq!(broken(with([same.clone(), vec![field("z", 3, 5)]].concat())), 0);
    assert_eq!(broken(with(vec![field("x", 3, 5), field("y", 2, 9)])), 1);
    assert_eq!(broken(with(vec![field("x", 1, 9), field("y", 2, 9)])), 1);
    assert_eq!(broken(with(vec![field("other", 1, 5), field("y", 2, 9)])), 1);
    // A field may go when neither its number nor its name can come back.
    let mut reserved = with(vec![field("x", 1, 5)]);
    assert_eq!(broken(reserved.clone()), 1);
    reserved.reserved_name = vec!["y".into()];
    assert_eq!(broken(reserved.clone()), 1);
    reserved.reserved_range =
        vec![prost_types::descriptor_proto::ReservedRange { start: Some(2), end: Some(3) }];
    assert_eq!(broken(reserved), 0);
    // The whole message.
    assert_eq!(before.broken_by(&Api::default()).len(), 3);
}
