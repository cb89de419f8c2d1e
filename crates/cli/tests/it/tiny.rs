//! A tiny cross-encoder, written byte by byte: an ONNX graph that adds up what each word of a pair is worth.

/// Protocol buffers, as much of them as a graph needs.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value > 0x7f {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn int(mut self, field: u64, value: u64) -> Self {
        self.varint(field << 3);
        self.varint(value);
        self
    }

    fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    fn text(self, field: u64, text: &str) -> Self {
        self.bytes(field, text.as_bytes())
    }

    fn message(self, field: u64, inner: Self) -> Self {
        self.bytes(field, &inner.0)
    }
}

const FLOAT: u64 = 1;
const INT64: u64 = 7;

fn node(operator: &str, inputs: [&str; 2], output: &str, attribute: (&str, u64)) -> Message {
    let attribute = Message::default().text(1, attribute.0).int(3, attribute.1).int(20, 2);
    let [first, second] = inputs;
    Message::default().text(1, first).text(1, second).text(2, output).text(3, output).text(4, operator).message(5, attribute)
}

fn tensor(name: &str, dims: &[u64], kind: u64, raw: &[u8]) -> Message {
    let dims = dims.iter().fold(Message::default(), |tensor, dim| tensor.int(1, *dim));
    dims.int(2, kind).text(8, name).bytes(9, raw)
}

fn value(name: &str, kind: u64, dims: [&str; 2]) -> Message {
    let shape = dims.iter().fold(Message::default(), |shape, dim| shape.message(1, Message::default().text(2, dim)));
    let kind = Message::default().int(1, kind).message(2, shape);
    Message::default().text(1, name).message(2, Message::default().message(1, kind))
}

/// A reranker whose score grows with the words that are worth something; `worth` has one number for each token id.
pub(crate) fn reranker(worth: &[f32]) -> Vec<u8> {
    let table: Vec<u8> = worth.iter().flat_map(|worth| worth.to_le_bytes()).collect();
    let graph = Message::default()
        .message(1, node("Gather", ["table", "input_ids"], "each", ("axis", 0)))
        .message(1, node("ReduceSum", ["each", "axes"], "logits", ("keepdims", 0)))
        .text(2, "tiny")
        .message(5, tensor("table", &[worth.len() as u64, 1], FLOAT, &table))
        .message(5, tensor("axes", &[1], INT64, &1_i64.to_le_bytes()))
        .message(11, value("input_ids", INT64, ["batch", "sequence"]))
        .message(12, value("logits", FLOAT, ["batch", "classes"]));
    Message::default().int(1, 8).message(7, graph).message(8, Message::default().text(1, "").int(2, 13)).0
}
