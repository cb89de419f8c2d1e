//! As much of protobuf's encoding as a request of spans takes, with holes that are filled anew for each request.

/// What a hole is filled with. All of them have a fixed length, so that a message stays as long as it was.
#[derive(Debug, Clone, Copy)]
pub(crate) enum What {
    Trace,
    /// The id of the span with this number in its trace.
    Span(u64),
    /// A time, so many nanoseconds after the trace began.
    Time(u64),
    User,
    Session,
    /// A word that few traces have.
    Rare,
}

/// What stands in a text where a hole is to be.
const MARKS: [(&str, What); 3] = [("@@@@@", What::User), ("%%%%%%%%", What::Session), ("#####", What::Rare)];

#[derive(Debug, Clone, Copy)]
pub(crate) struct Hole {
    pub(crate) at: usize,
    /// The number of its trace in the request.
    pub(crate) trace: u64,
    pub(crate) what: What,
}

/// The fields of a message.
#[derive(Debug, Default)]
pub(crate) struct Piece {
    pub(crate) bytes: Vec<u8>,
    pub(crate) holes: Vec<Hole>,
}

impl Piece {
    fn varint(&mut self, mut number: u64) {
        while number > 0x7f {
            self.bytes.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    fn key(&mut self, field: u64, wire: u64) {
        self.varint(field << 3 | wire);
    }

    pub(crate) fn number(&mut self, field: u64, number: u64) {
        self.key(field, 0);
        self.varint(number);
    }

    pub(crate) fn fixed(&mut self, field: u64, number: u64) {
        self.key(field, 1);
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    pub(crate) fn text(&mut self, field: u64, text: &str) {
        self.key(field, 2);
        self.varint(text.len() as u64);
        for (mark, what) in MARKS {
            let found = text.match_indices(mark).map(|(at, _)| Hole { at: self.bytes.len() + at, trace: 0, what });
            self.holes.extend(found);
        }
        self.bytes.extend_from_slice(text.as_bytes());
    }

    pub(crate) fn put(&mut self, field: u64, inner: &Self) {
        self.key(field, 2);
        self.varint(inner.bytes.len() as u64);
        self.append(inner);
    }

    /// Adds the fields of another.
    pub(crate) fn append(&mut self, other: &Self) {
        let begin = self.bytes.len();
        self.holes.extend(other.holes.iter().map(|hole| Hole { at: begin + hole.at, ..*hole }));
        self.bytes.extend_from_slice(&other.bytes);
    }

    pub(crate) fn id(&mut self, field: u64, length: usize, what: What) {
        self.key(field, 2);
        self.varint(length as u64);
        self.hole(length, what);
    }

    pub(crate) fn time(&mut self, field: u64, after: u64) {
        self.key(field, 1);
        self.hole(8, What::Time(after));
    }

    fn hole(&mut self, length: usize, what: What) {
        self.holes.push(Hole { at: self.bytes.len(), trace: 0, what });
        self.bytes.resize(self.bytes.len() + length, 0);
    }
}

/// The attributes of a span or a resource: field 9 or 1 of it.
#[derive(Debug)]
pub(crate) struct Attributes {
    field: u64,
    pub(crate) piece: Piece,
}

impl Attributes {
    pub(crate) fn new(field: u64) -> Self {
        Self { field, piece: Piece::default() }
    }

    fn add(&mut self, key: &str, value: &Piece) {
        let mut pair = Piece::default();
        pair.text(1, key);
        pair.put(2, value);
        self.piece.put(self.field, &pair);
    }

    pub(crate) fn text(&mut self, key: &str, text: &str) {
        let mut value = Piece::default();
        value.text(1, text);
        self.add(key, &value);
    }

    pub(crate) fn int(&mut self, key: &str, number: u64) {
        let mut value = Piece::default();
        value.number(3, number);
        self.add(key, &value);
    }

    pub(crate) fn float(&mut self, key: &str, number: f64) {
        let mut value = Piece::default();
        value.fixed(4, number.to_bits());
        self.add(key, &value);
    }

    /// A list of one text.
    pub(crate) fn list(&mut self, key: &str, text: &str) {
        let (mut item, mut list, mut value) = (Piece::default(), Piece::default(), Piece::default());
        item.text(1, text);
        list.put(1, &item);
        value.put(5, &list);
        self.add(key, &value);
    }
}
