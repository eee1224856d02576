//! Stored messages load for ever, field by field.
//!
//! In a golden message each field holds its own name: a text is the name, a number is made of it. So
//! a field that was renamed, renumbered, removed or given another type is found, whichever binary
//! wrote the file. The files of one message hold every field and every choice that it has; a new
//! field needs a further file, and the old ones stay as they are.
//!
//! With `MERCER_WRITE_GOLDEN` set, what no file holds yet is written as one more file.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use mercer_proto::{internal, v1};
use prost::{Message, Name};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet,
    field_descriptor_proto::{Label, Type},
};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// Decodes a message and encodes it again.
type Again = fn(&[u8]) -> Result<Vec<u8>, prost::DecodeError>;

fn root<M: Message + Name + Default>() -> (&'static str, String, Again) {
    (M::NAME, M::full_name(), |bytes| M::decode(bytes).map(|message| message.encode_to_vec()))
}

/// Changes a message of the schema.
type Change = fn(&mut DescriptorProto);

/// What files, the log and metadata hold as a message; what these hold is reached through them.
fn roots() -> Vec<(&'static str, String, Again)> {
    vec![
        root::<internal::Section>(),
        root::<internal::SnapshotHeader>(),
        root::<internal::SnapshotBase>(),
        root::<internal::SlotSection>(),
        root::<internal::StoredItem>(),
        root::<internal::Directory>(),
        root::<internal::ShopDays>(),
        root::<internal::DemandResult>(),
        root::<internal::DemandProfiles>(),
        root::<internal::ElasticityEstimates>(),
        root::<internal::ElasticityPriors>(),
        root::<internal::ElasticityResult>(),
        root::<internal::InventoryResult>(),
        root::<internal::Learned>(),
        root::<internal::VersionManifest>(),
        root::<internal::JobRecord>(),
        root::<internal::ClusterIdentity>(),
        root::<v1::Experiment>(),
        root::<v1::Import>(),
    ]
}

/// Files of which every message is stored.
const STORED: [&str; 3] = ["record.proto", "result.proto", "snapshot.proto"];
/// Variants of a message that are tried, so that every choice comes up.
const VARIANTS: u64 = 1_000;

/// What the protos of this build say, by full name with a dot before it.
struct Schema {
    messages: BTreeMap<String, DescriptorProto>,
    enums: BTreeMap<String, EnumDescriptorProto>,
    /// Messages of [`STORED`].
    stored: BTreeSet<String>,
}

impl Schema {
    fn new() -> Self {
        let set =
            FileDescriptorSet::decode(internal::DESCRIPTOR_SET).expect("the build encoded it");
        let mut schema =
            Self { messages: BTreeMap::new(), enums: BTreeMap::new(), stored: BTreeSet::new() };
        for file in set.file {
            let package = format!(".{}", file.package());
            for one in file.enum_type {
                schema.enums.insert(format!("{package}.{}", one.name()), one);
            }
            let is_stored = STORED
                .iter()
                .any(|name| file.name.as_deref() == Some(&format!("mercer/internal/v1/{name}")));
            for message in file.message_type {
                if is_stored {
                    schema.stored.insert(format!("{package}.{}", message.name()));
                }
                schema.add(&package, message);
            }
        }
        schema
    }

    fn add(&mut self, within: &str, message: DescriptorProto) {
        let name = format!("{within}.{}", message.name());
        for one in &message.enum_type {
            self.enums.insert(format!("{name}.{}", one.name()), one.clone());
        }
        for nested in &message.nested_type {
            self.add(&name, nested.clone());
        }
        self.messages.insert(name, message);
    }

    /// The fields of all messages that a message consists of, itself included.
    fn reach(&self, name: &str, into: &mut BTreeSet<(String, i32)>) {
        for field in &self.messages[name].field {
            let is_new = into.insert((name.to_owned(), field.number()));
            if is_new && field.r#type() == Type::Message {
                self.reach(field.type_name(), into);
            }
        }
    }

    /// A message all of whose fields hold their names; of fields of which one can be there only,
    /// `variant` chooses. `above` are the messages that it lies in: none holds itself once more.
    fn example(&self, name: &str, variant: u64, above: &mut Vec<String>) -> Vec<u8> {
        let message = &self.messages[name];
        let (chosen, rest) = self.chosen(name, variant);
        let mut fields: Vec<&FieldDescriptorProto> = message.field.iter().collect();
        fields.sort_by_key(|field| place(message, field));
        let mut bytes = Vec::new();
        above.push(name.to_owned());
        for field in fields.into_iter().filter(|field| is_there(field, &chosen)) {
            if field.r#type() != Type::Message {
                self.put_scalar(field, rest, &mut bytes);
                continue;
            }
            let within = field.type_name();
            let is_within_itself = above.iter().any(|one| one == within);
            let count = match field.label() {
                Label::Repeated if !is_within_itself => self.choices(within),
                _ => 1,
            };
            for number in 0..count {
                let value = match is_within_itself {
                    true => Vec::new(),
                    false => self.example(within, number + count * rest, above),
                };
                put_key(field.number(), 2, &mut bytes);
                put_varint(value.len() as u64, &mut bytes);
                bytes.extend(value);
            }
        }
        above.pop();
        bytes
    }

    /// How many variants of a message are needed to meet each of its choices.
    fn choices(&self, name: &str) -> u64 {
        let message = &self.messages[name];
        let mut most = 1;
        for (oneof, _) in (0..).zip(&message.oneof_decl) {
            let fields = message.field.iter().filter(|field| oneof_of(field) == Some(oneof));
            most = most.max(fields.count() as u64);
        }
        most
    }

    /// The field that is there of each choice, and what of `variant` is left for what lies within.
    fn chosen(&self, name: &str, variant: u64) -> (BTreeMap<i32, i32>, u64) {
        let mut fields: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
        for field in &self.messages[name].field {
            if let Some(oneof) = oneof_of(field) {
                fields.entry(oneof).or_default().push(field.number());
            }
        }
        let mut chosen = BTreeMap::new();
        for (oneof, numbers) in fields {
            let at = usize::try_from(variant).expect("small") % numbers.len();
            chosen.insert(oneof, numbers[at]);
        }
        (chosen, variant / self.choices(name))
    }

    fn put_scalar(&self, field: &FieldDescriptorProto, variant: u64, bytes: &mut Vec<u8>) {
        let number = match field.r#type() {
            Type::Enum => {
                let values = &self.enums[field.type_name()].value;
                let at = 1 + usize::try_from(variant).expect("small") % (values.len() - 1);
                u64::try_from(values[at].number()).expect("not negative")
            }
            _ => number_of(field.name()),
        };
        let (wire, value) = scalar(field, number);
        let is_packed = field.label() == Label::Repeated && wire != 2;
        put_key(field.number(), if is_packed { 2 } else { wire }, bytes);
        if is_packed || wire == 2 {
            put_varint(value.len() as u64, bytes);
        }
        bytes.extend(value);
    }

    /// Notes what a golden message holds, all of which must hold its name still.
    fn check(
        &self,
        name: &str,
        mut bytes: &[u8],
        held: &mut BTreeSet<(String, i32)>,
    ) -> Result<(), String> {
        while !bytes.is_empty() {
            let key = take_varint(&mut bytes);
            let number = i32::try_from(key >> 3).expect("a field's number");
            let fields = &self.messages[name].field;
            let field = fields.iter().find(|field| field.number() == number);
            let field = field.ok_or_else(|| {
                format!("{name} has no field {number} any more, and stored messages have it")
            })?;
            held.insert((name.to_owned(), number));
            let value = match key & 7 {
                0 => {
                    let before = bytes;
                    take_varint(&mut bytes);
                    &before[..before.len() - bytes.len()]
                }
                1 => take(&mut bytes, 8),
                5 => take(&mut bytes, 4),
                2 => {
                    let length = take_varint(&mut bytes);
                    take(&mut bytes, usize::try_from(length).expect("within the file"))
                }
                other => return Err(format!("{name}: field {number} has wire type {other}")),
            };
            let told = || {
                format!(
                    "{name}.{} is not what stored messages have as field {number}",
                    field.name()
                )
            };
            match field.r#type() {
                Type::Message => self.check(field.type_name(), value, held)?,
                Type::Enum => {
                    let found = take_varint(&mut &*value);
                    let values = &self.enums[field.type_name()].value;
                    if !values.iter().any(|one| u64::try_from(one.number()) == Ok(found)) {
                        return Err(told());
                    }
                }
                _ => {
                    if value != scalar(field, number_of(field.name())).1 {
                        return Err(told());
                    }
                }
            }
        }
        Ok(())
    }
}

/// The choice that a field belongs to; what is merely optional belongs to none.
fn oneof_of(field: &FieldDescriptorProto) -> Option<i32> {
    field.oneof_index.filter(|_| !field.proto3_optional())
}

/// Where a field is encoded: what belongs to a choice stands where the first of it would.
fn place(message: &DescriptorProto, field: &FieldDescriptorProto) -> i32 {
    let oneof = oneof_of(field);
    let of_choice =
        message.field.iter().filter(|other| oneof.is_some() && oneof_of(other) == oneof);
    of_choice.map(FieldDescriptorProto::number).min().unwrap_or(field.number())
}

fn is_there(field: &FieldDescriptorProto, chosen: &BTreeMap<i32, i32>) -> bool {
    oneof_of(field).is_none_or(|oneof| chosen[&oneof] == field.number())
}

/// What a field of this name holds.
fn number_of(name: &str) -> u64 {
    xxh3_64(name.as_bytes()) % 1_000_000 + 1
}

/// Wire type and bytes of a field that holds a number, or its name where it is a text.
fn scalar(field: &FieldDescriptorProto, number: u64) -> (u64, Vec<u8>) {
    let small = u32::try_from(number).expect("below a million");
    let mut bytes = Vec::new();
    let wire = match field.r#type() {
        Type::Bool => {
            bytes.push(1);
            0
        }
        Type::Int32 | Type::Int64 | Type::Uint32 | Type::Uint64 | Type::Enum => {
            put_varint(number, &mut bytes);
            0
        }
        Type::Sint32 | Type::Sint64 => {
            put_varint(2 * number, &mut bytes);
            0
        }
        Type::Fixed64 | Type::Sfixed64 => {
            bytes.extend(number.to_le_bytes());
            1
        }
        Type::Double => {
            bytes.extend(f64::from(small).to_le_bytes());
            1
        }
        Type::Fixed32 | Type::Sfixed32 => {
            bytes.extend(small.to_le_bytes());
            5
        }
        Type::Float => {
            bytes.extend((small as f32).to_le_bytes());
            5
        }
        Type::String => {
            bytes.extend(field.name().as_bytes());
            2
        }
        Type::Bytes => {
            bytes.extend(xxh3_128(field.name().as_bytes()).to_le_bytes());
            2
        }
        Type::Message | Type::Group => unreachable!("no scalar"),
    };
    (wire, bytes)
}

fn put_key(number: i32, wire: u64, bytes: &mut Vec<u8>) {
    put_varint(u64::try_from(number).expect("above 0") << 3 | wire, bytes);
}

fn put_varint(number: u64, bytes: &mut Vec<u8>) {
    prost::encoding::encode_varint(number, bytes);
}

fn take_varint(bytes: &mut &[u8]) -> u64 {
    prost::encoding::decode_varint(bytes).expect("a number")
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(length);
    *bytes = rest;
    taken
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/messages")
}

fn is_writing() -> bool {
    std::env::var_os("MERCER_WRITE_GOLDEN").is_some()
}

/// The files of a message: `NAME-1.bin`, `NAME-2.bin` ... Each holds messages, each after its length.
fn files(name: &str) -> Vec<PathBuf> {
    let path = |number: u32| folder().join(format!("{name}-{number}.bin"));
    (1..).map(path).take_while(|path| path.exists()).collect()
}

/// The messages in a file.
fn messages(path: &Path) -> Vec<Vec<u8>> {
    let stored = fs::read(path).expect("readable");
    let mut left = stored.as_slice();
    let mut messages = Vec::new();
    while !left.is_empty() {
        let length = take_varint(&mut left);
        messages.push(take(&mut left, usize::try_from(length).expect("within the file")).to_vec());
    }
    messages
}

#[test]
fn every_field_of_every_stored_message_is_what_it_was() {
    let schema = Schema::new();
    let mut reached: BTreeSet<String> = BTreeSet::new();
    for (short, full, again) in roots() {
        let name = format!(".{full}");
        let mut expected = BTreeSet::new();
        schema.reach(&name, &mut expected);
        reached.extend(expected.iter().map(|(message, _)| message.clone()));
        let mut held = BTreeSet::new();
        for path in files(short) {
            for message in messages(&path) {
                if let Err(problem) = schema.check(&name, &message, &mut held) {
                    panic!("{}: {problem}", path.display());
                }
                let encoded = again(&message).expect("decodes");
                assert!(encoded == message, "{}: something is left out", path.display());
            }
        }
        if is_writing() && !expected.is_subset(&held) {
            let path = folder().join(format!("{short}-{}.bin", files(short).len() + 1));
            fs::write(path, missing(&schema, &name, &expected, &mut held)).expect("written");
        }
        let missing: Vec<_> = expected.difference(&held).collect();
        assert!(
            missing.is_empty(),
            "no golden file of {short} holds {missing:?}; run this test with MERCER_WRITE_GOLDEN=1, \
             which adds one"
        );
    }
    let forgotten: Vec<_> = schema.stored.difference(&reached).collect();
    assert!(forgotten.is_empty(), "stored, and below no message of `roots`: {forgotten:?}");
}

/// Messages that hold what no file does.
fn missing(
    schema: &Schema,
    name: &str,
    expected: &BTreeSet<(String, i32)>,
    held: &mut BTreeSet<(String, i32)>,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    for variant in 0..VARIANTS {
        let example = schema.example(name, variant, &mut Vec::new());
        let before = held.len();
        schema.check(name, &example, held).expect("just made");
        if held.len() > before {
            put_varint(example.len() as u64, &mut bytes);
            bytes.extend(example);
        }
        if expected.is_subset(held) {
            break;
        }
    }
    bytes
}

/// A number that came to stand for something else would be found nowhere else.
#[test]
fn every_value_of_every_stored_enumeration_is_what_it_was() {
    let schema = Schema::new();
    let mut fields = BTreeSet::new();
    for (_, full, _) in roots() {
        schema.reach(&format!(".{full}"), &mut fields);
    }
    let mut names = BTreeSet::new();
    for (message, number) in fields {
        let field = schema.messages[&message].field.iter().find(|field| field.number() == number);
        let field = field.expect("just found");
        if field.r#type() == Type::Enum {
            names.insert(field.type_name().to_owned());
        }
    }
    let mut text = String::new();
    for name in names {
        for value in &schema.enums[&name].value {
            writeln!(text, "{} {}", value.number(), value.name()).expect("a text grows");
        }
    }
    let path = folder().join("enumerations.txt");
    if is_writing() {
        fs::write(&path, &text).expect("written");
    }
    let golden = fs::read_to_string(&path).expect("the golden file is there");
    assert_eq!(text, golden, "add values, and never give a number another meaning");
}

#[test]
fn a_field_that_changes_is_found() {
    const MESSAGE: &str = ".mercer.internal.v1.Interaction";
    const ROOT: &str = ".mercer.internal.v1.Section";
    let changes: [(&str, Change); 5] = [
        ("renamed", |message| message.field[3].name = Some("when".into())),
        ("renumbered", |message| message.field[3].number = Some(77)),
        ("of another type", |message| message.field[3].set_type(Type::Fixed32)),
        ("removed", |message| _ = message.field.remove(3)),
        ("taken for another", |message| {
            let (time, value) = (message.field[3].number, message.field[4].number);
            (message.field[3].number, message.field[4].number) = (value, time);
        }),
    ];
    let golden = messages(&files("Section")[0]);
    let found = |schema: &Schema| {
        let mut held = BTreeSet::new();
        golden.iter().map(|message| schema.check(ROOT, message, &mut held)).find(Result::is_err)
    };
    assert_eq!(Schema::new().messages[MESSAGE].field[3].name(), "time");
    assert_eq!(found(&Schema::new()), None);
    for (what, change) in changes {
        let mut schema = Schema::new();
        change(schema.messages.get_mut(MESSAGE).expect("a message"));
        assert!(found(&schema).is_some(), "{what}");
    }
}
