//! ONNX files, read so that one that lies about its lengths is refused.
//!
//! The runtime's decoder waits for ever for the end of a number of ten bytes that has none, and believes every length it
//! reads: one that wraps around sends it back to where it was, again and again, and one of a petabyte is allocated before
//! it is read. Whoever wants a model out of a file asks here first.

use rten_onnx::{
    onnx::ModelProto,
    protobuf::{DecodeMessage, ErrorKind, OwnedValues, ProtobufError, ReadValue, varint::MAX_VARINT_LEN},
};

/// The model in `bytes`, of which the runtime will find the same.
pub(crate) fn parse(bytes: &[u8]) -> Result<ModelProto, String> {
    // Sums of positions and lengths are the decoder's, and where overflows are looked for, they panic.
    let parsed = std::panic::catch_unwind(|| ModelProto::decode(Within { bytes, at: 0 }));
    match parsed {
        Ok(Ok(model)) => Ok(model),
        Ok(Err(fault)) => Err(format!("not a usable ONNX model: {fault}")),
        Err(_) => Err("not a usable ONNX model: a length in it is beyond every file".to_owned()),
    }
}

/// Values out of bytes that are all there, never backwards and never beyond the end.
struct Within<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Within<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], ProtobufError> {
        let taken = self.bytes[self.at..].get(..len).ok_or_else(|| ProtobufError::new(ErrorKind::Eof))?;
        self.at += len;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ProtobufError> {
        let taken = self.take(N)?;
        Ok(std::array::from_fn(|i| taken[i]))
    }
}

impl ReadValue for Within<'_> {
    type Types = OwnedValues;

    fn read_i32(&mut self) -> Result<i32, ProtobufError> {
        self.array().map(i32::from_le_bytes)
    }

    fn read_i64(&mut self) -> Result<i64, ProtobufError> {
        self.array().map(i64::from_le_bytes)
    }

    fn read_varint(&mut self) -> Result<u64, ProtobufError> {
        let mut value = 0;
        for place in 0..MAX_VARINT_LEN {
            let [byte] = self.array()?;
            value |= u64::from(byte & 0x7f) << (place * 7);
            if byte < 0x80 {
                // Of the last byte only one bit fits.
                let fits = place + 1 < MAX_VARINT_LEN || byte < 2;
                return if fits { Ok(value) } else { Err(ProtobufError::new(ErrorKind::InvalidVarint)) };
            }
        }
        Err(ProtobufError::new(ErrorKind::InvalidVarint))
    }

    fn read_bytes(&mut self, len: usize) -> Result<Vec<u8>, ProtobufError> {
        self.take(len).map(<[u8]>::to_vec)
    }

    fn read_string(&mut self, len: usize) -> Result<String, ProtobufError> {
        String::from_utf8(self.read_bytes(len)?).map_err(|_| ProtobufError::new(ErrorKind::InvalidUtf8))
    }

    fn skip(&mut self, len: usize) -> Result<(), ProtobufError> {
        self.take(len).map(drop)
    }

    fn position(&self) -> u64 {
        self.at as u64
    }
}
