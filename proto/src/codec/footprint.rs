//! What a request will occupy once decoded, told from its wire form and the API's descriptors.

use std::{collections::HashMap, sync::LazyLock};

use prost::{
    DecodeError, Message as _,
    encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field},
};
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorSet,
    field_descriptor_proto::{Label, Type},
};

/// Bytes of a `String`, `Vec` or `BTreeMap` without its content.
const CONTAINER: usize = 24;
/// Bytes of the largest number, and of a pointer or a discriminant with its padding.
const WORD: usize = 8;
/// Levels that prost descends before it refuses a message.
const NESTING: usize = 100;

static SCHEMA: LazyLock<Schema> = LazyLock::new(Schema::load);

/// A request type of the public API.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request(usize);

/// Why a request is not decoded.
#[derive(Debug)]
pub(super) enum Refusal {
    Malformed(DecodeError),
    /// It would occupy more than this many bytes.
    TooLarge(usize),
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Malformed(error) => write!(f, "{error}"),
            Self::TooLarge(bound) => {
                write!(f, "the request decodes to more than {bound} bytes: send fewer records")
            }
        }
    }
}

impl From<DecodeError> for Refusal {
    fn from(error: DecodeError) -> Self {
        Self::Malformed(error)
    }
}

impl Request {
    /// The type `name` (such as `mercer.v1.IngestRequest`), if a public method takes it.
    pub(super) fn named(name: &str) -> Option<Self> {
        SCHEMA.requests.get(name).copied().map(Self)
    }

    /// Walks `message` once, without allocating, and returns the bytes that it will occupy:
    /// rounded up, but without the slack of growing containers and of the allocator.
    pub(super) fn measure(self, message: &[u8], bound: usize) -> Result<usize, Refusal> {
        let mut walk = Walk { shapes: &SCHEMA.shapes, occupied: 0, bound };
        walk.charge(SCHEMA.shapes[self.0].size)?;
        walk.message(self.0, message, NESTING)?;
        Ok(walk.occupied)
    }
}

struct Walk<'a> {
    shapes: &'a [Shape],
    occupied: usize,
    bound: usize,
}

impl Walk<'_> {
    fn message(&mut self, shape: usize, mut rest: &[u8], nesting: usize) -> Result<(), Refusal> {
        // prost refuses the message here, before it allocates.
        let Some(nesting) = nesting.checked_sub(1) else { return Ok(()) };
        let shapes = self.shapes;
        while !rest.is_empty() {
            let (number, wire_type) = decode_key(&mut rest)?;
            let field = shapes[shape].fields.get(number as usize).and_then(Option::as_ref);
            let before = rest;
            skip_field(wire_type, number, &mut rest, DecodeContext::default())?;
            let Some(field) = field else { continue };
            self.charge(field.element)?;
            if wire_type == WireType::LengthDelimited {
                let mut payload = &before[..before.len() - rest.len()];
                decode_varint(&mut payload)?;
                self.charge(payload.len().saturating_mul(field.per_byte))?;
                if let Some(child) = field.message {
                    self.message(child, payload, nesting)?;
                }
            }
        }
        Ok(())
    }

    fn charge(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.occupied = self.occupied.saturating_add(bytes);
        if self.occupied > self.bound { Err(Refusal::TooLarge(self.bound)) } else { Ok(()) }
    }
}

/// The messages of the public API.
struct Schema {
    shapes: Vec<Shape>,
    /// What its methods take, by full name.
    requests: HashMap<String, usize>,
}

struct Shape {
    /// Bytes of the struct, at least.
    size: usize,
    /// Fields by number.
    fields: Vec<Option<Field>>,
}

/// What a field costs beyond its place in the struct.
struct Field {
    /// Each time it occurs.
    element: usize,
    /// Each byte of its payload.
    per_byte: usize,
    /// The shape of its payload.
    message: Option<usize>,
}

impl Schema {
    fn load() -> Self {
        let set = FileDescriptorSet::decode(crate::v1::DESCRIPTOR_SET)
            .expect("the build wrote this descriptor set");
        let mut types = Types::default();
        for file in &set.file {
            types.add(&format!(".{}", file.package()), &file.message_type);
        }
        let shapes = (0..types.messages.len()).map(|index| types.shape(index)).collect();
        let methods = set.file.iter().flat_map(|file| &file.service).flat_map(|one| &one.method);
        let requests = methods
            .filter_map(|method| {
                let name = method.input_type();
                Some((name.trim_start_matches('.').to_owned(), *types.indices.get(name)?))
            })
            .collect();
        Self { shapes, requests }
    }
}

#[derive(Default)]
struct Types<'a> {
    messages: Vec<&'a DescriptorProto>,
    /// Indices by full name with a leading dot, as descriptors refer to them.
    indices: HashMap<String, usize>,
}

impl<'a> Types<'a> {
    fn add(&mut self, scope: &str, messages: &'a [DescriptorProto]) {
        for message in messages {
            let name = format!("{scope}.{}", message.name());
            self.add(&name, &message.nested_type);
            self.indices.insert(name, self.messages.len());
            self.messages.push(message);
        }
    }

    fn shape(&self, index: usize) -> Shape {
        let mut fields = Vec::new();
        for descriptor in &self.messages[index].field {
            let number = usize::try_from(descriptor.number()).expect("field numbers are positive");
            fields.resize_with(fields.len().max(number + 1), || None);
            fields[number] = Some(self.field(descriptor));
        }
        Shape { size: self.size(index, &mut Vec::new()), fields }
    }

    fn field(&self, field: &FieldDescriptorProto) -> Field {
        let repeated = field.label() == Label::Repeated;
        let element = |bytes| if repeated { bytes } else { 0 };
        match field.r#type() {
            // Charged even where it lies within its parent: prost boxes what is recursive.
            Type::Message => {
                let message = self.indices.get(field.type_name()).copied();
                let size = message.map_or(0, |index| self.size(index, &mut Vec::new()));
                Field { element: size, per_byte: 0, message }
            }
            Type::String | Type::Bytes => {
                Field { element: element(CONTAINER), per_byte: 1, message: None }
            }
            // Packed, every byte can be a number.
            _ => Field { element: element(WORD), per_byte: WORD, message: None },
        }
    }

    /// Bytes of a message's struct; the variants of a `oneof` are added up.
    fn size(&self, index: usize, within: &mut Vec<usize>) -> usize {
        if within.contains(&index) {
            return WORD;
        }
        within.push(index);
        let fields = self.messages[index].field.iter();
        let size = fields.map(|field| self.place(field, within)).sum();
        within.pop();
        size
    }

    /// Bytes of a field's place in its message's struct.
    fn place(&self, field: &FieldDescriptorProto, within: &mut Vec<usize>) -> usize {
        if field.label() == Label::Repeated {
            return CONTAINER;
        }
        match field.r#type() {
            Type::Message => {
                let message = self.indices.get(field.type_name());
                WORD + message.map_or(0, |&index| self.size(index, within))
            }
            Type::String | Type::Bytes => CONTAINER,
            _ if field.proto3_optional() => 2 * WORD,
            _ => WORD,
        }
    }
}

#[cfg(test)]
mod tests;
