//! The gRPC codec of every service: protobuf, but a request of the public API is measured before
//! it is decoded.
//!
//! The transport bounds the bytes of a message, not what they decode to: two bytes on the wire
//! can be an empty `Event` of several hundred in memory.

mod footprint;

use std::{collections::HashMap, marker::PhantomData};

use prost::{Message, Name, bytes::Buf as _};
use tonic::{
    Code, Status,
    codec::{BufferSettings, Codec, DecodeBuf, Decoder},
};
use tonic_prost::{ProstCodec, ProstEncoder};
use tonic_types::{ErrorDetails, StatusExt as _};

use footprint::Request;

/// Bytes that one request of the public API may occupy once decoded: eight times the largest
/// message, where a batch of ordinary records takes two to four times its own size.
pub const DECODED_BYTES: usize = 32 << 20;

/// Encodes `T` and decodes `U`. Refuses a `U` that is a request of the public API and would
/// occupy more than [`DECODED_BYTES`], or is malformed, with `INVALID_ARGUMENT`; allocates
/// nothing for what it refuses.
#[derive(Clone, Copy, Debug)]
pub struct BoundedCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for BoundedCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for BoundedCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Name + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = BoundedDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::raw_encoder(BufferSettings::default())
    }

    fn decoder(&mut self) -> Self::Decoder {
        BoundedDecoder { request: Request::named(&U::full_name()), decodes: PhantomData }
    }
}

/// The decoder of [`BoundedCodec`].
#[derive(Debug)]
pub struct BoundedDecoder<U> {
    /// `None` for answers and for messages between Mercer's own processes.
    request: Option<Request>,
    decodes: PhantomData<U>,
}

impl<U: Message + Default> Decoder for BoundedDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, source: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        let message = source.copy_to_bytes(source.remaining());
        if let Some(request) = &self.request {
            request.measure(&message, DECODED_BYTES).map_err(|error| invalid(error.to_string()))?;
        }
        U::decode(message).map(Some).map_err(|error| match self.request {
            Some(_) => invalid(error.to_string()),
            None => Status::internal(error.to_string()),
        })
    }
}

fn invalid(message: String) -> Status {
    let details = ErrorDetails::with_error_info("INVALID_REQUEST", "mercer.v1", HashMap::new());
    Status::with_error_details(Code::InvalidArgument, message, details)
}
