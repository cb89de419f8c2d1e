//! ONNX files that lie about their lengths.

use proptest::prelude::*;
use rten_onnx::protobuf::varint::{MAX_VARINT_LEN, encode_varint};

use super::tiny;
use crate::{onnx, session::Session};

fn varint(value: u64) -> Vec<u8> {
    encode_varint(value, &mut [0; MAX_VARINT_LEN]).to_vec()
}

/// A field of this number, said to be `len` bytes long.
fn field(number: u64, len: u64) -> Vec<u8> {
    [varint(number << 3 | 2), varint(len)].concat()
}

const GRAPH: u64 = 7;
const WEIGHT: u64 = 5;
const RAW_DATA: u64 = 9;
const PRODUCER: u64 = 2;
const UNKNOWN: u64 = 99;

fn inside(number: u64, message: &[u8]) -> Vec<u8> {
    [&field(number, message.len() as u64), message].concat()
}

#[test]
fn a_length_that_leads_back_is_refused() {
    for back in 1..40_u64 {
        let field = field(UNKNOWN, back.wrapping_neg());
        for field in [inside(GRAPH, &field), field] {
            for mut bytes in [Vec::new(), tiny::bert(|_| ())] {
                bytes.extend(field.clone());
                let fault = onnx::parse(&bytes).err().unwrap();
                assert!(fault.starts_with("not a usable ONNX model"), "{fault}");
            }
        }
    }
}

#[test]
fn a_number_without_an_end_is_refused() {
    for len in [9, 10, 11, 30] {
        for last in [0x00, 0x01, 0x02, 0xff] {
            let mut bytes = vec![0xff; len];
            bytes.push(last);
            // Where a tag is expected, where a value is, and in a message.
            for number in [inside(GRAPH, &bytes), [vec![1 << 3], bytes.clone()].concat(), bytes] {
                assert!(onnx::parse(&[&number[..], &[0xff; 40]].concat()).is_err(), "{len} {last}");
            }
        }
    }
}

#[test]
fn a_length_beyond_the_end_is_refused_before_it_is_allocated() {
    for len in [1 << 40, 1 << 50, u64::MAX / 2] {
        let weight = inside(GRAPH, &inside(WEIGHT, &field(RAW_DATA, len)));
        for bytes in [field(PRODUCER, len), weight] {
            assert!(onnx::parse(&bytes).is_err());
        }
    }
}

#[test]
fn the_runtime_is_not_asked_for_a_file_that_leads_it_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.onnx");
    let mut bytes = tiny::bert(|_| ());
    bytes.extend(field(UNKNOWN, (bytes.len() as u64).wrapping_neg()));
    std::fs::write(&path, bytes).unwrap();
    let fault = Session::load(&path).err().unwrap();
    assert!(fault.starts_with("not a usable ONNX model"), "{fault}");
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = onnx::parse(&bytes);
    }

    #[test]
    fn a_model_with_bytes_put_in_anywhere_is_read_or_refused(at in any::<prop::sample::Index>(), put in prop::collection::vec(any::<u8>(), 0..24)) {
        let mut bytes = tiny::bert(|_| ());
        let at = at.index(bytes.len());
        bytes.splice(at..at, put);
        let _ = onnx::parse(&bytes);
    }
}
