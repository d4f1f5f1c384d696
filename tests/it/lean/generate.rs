//! Makes up the bytes of a `CheckRequest`: any order, fields that nobody knows, messages in parts, both header forms, bytes that are no text;
//! and then spoils some of them.

use crate::support::dice::Dice;

const TEXTS: [&[u8]; 12] = [
    b"",
    b"GET",
    b"POST",
    b"/v1/bookings/42?expand=customer",
    b"api.test:443",
    b"https",
    b"authorization",
    b"x-api-key",
    b"Bearer odt_0123456789abcdef",
    "x-\u{fc}".as_bytes(),
    b"\xff\xfe",
    &[b'a'; 200],
];
const ADDRESSES: [&[u8]; 7] = [b"192.0.2.1", b"2001:db8::1", b"198.51.100.7", b"", b"/run/envoy.sock", b"192.0.2.256", b"\xff"];
/// None of Envoy's messages has them.
const UNKNOWN: [u64; 4] = [31, 32, 500, (1 << 29) - 1];

pub(super) fn message(seed: u64) -> Vec<u8> {
    let mut made = Made { dice: Dice::new(seed), text: true };
    made.text = made.dice.chance(60);
    let mut message = made.check_request();
    if made.dice.chance(40) {
        for _ in 0..=made.dice.below(2) {
            made.spoil(&mut message);
        }
    }
    message
}

struct Made {
    dice: Dice,
    /// Only such strings as are UTF-8.
    text: bool,
}

impl Made {
    fn check_request(&mut self) -> Vec<u8> {
        let mut fields = self.context();
        let sources = self.source();
        fields.extend(self.each(1, sources));
        let requests = self.requests();
        fields.extend(self.each(4, requests));
        if self.dice.chance(20) {
            let other = self.source();
            fields.extend(self.each(2, other));
        }
        let attributes = self.parts(fields);
        let requests = self.each(1, attributes);
        self.parts(requests).concat()
    }

    fn context(&mut self) -> Vec<Vec<u8>> {
        let entries = self.some(3, Self::entry);
        self.each(10, entries)
    }

    /// A `Peer`, in parts.
    fn source(&mut self) -> Vec<Vec<u8>> {
        let mut socket = Vec::new();
        for _ in 0..self.dice.below(3) {
            let address = self.one_of(&ADDRESSES);
            socket.push(self.sized(2, &address));
        }
        socket.push(self.number(3, 40001));
        let sockets = self.parts(socket);
        let mut forms = self.each(1, sockets);
        if self.dice.chance(15) {
            let form = 2 + u64::from(self.dice.chance(50));
            forms.push(self.sized(form, b""));
        }
        let addresses = self.parts(forms);
        let mut peer = self.each(1, addresses);
        if self.dice.chance(30) {
            peer.push(self.sized(4, b"spiffe://mesh/ns/default"));
        }
        self.parts(peer)
    }

    /// An `AttributeContext.Request`, in parts.
    fn requests(&mut self) -> Vec<Vec<u8>> {
        let mut fields = Vec::new();
        for number in [1, 2, 2, 4, 4, 5, 6, 7, 10, 12] {
            if self.dice.chance(60) {
                let text = self.one_of(&TEXTS);
                fields.push(self.sized(number, &text));
            }
        }
        if self.dice.chance(50) {
            fields.push(self.number(9, u64::MAX));
        }
        let form = self.dice.below(4);
        if form != 1 {
            let entries = self.some(8, Self::entry);
            fields.extend(self.each(3, entries));
        }
        if form % 2 == 1 {
            let headers = self.some(8, Self::raw_header);
            let headers = self.each(1, headers);
            let maps = self.parts(headers);
            fields.extend(self.each(13, maps));
        }
        let https = self.parts(fields);
        let fields = self.each(2, https);
        self.parts(fields)
    }

    fn entry(&mut self) -> Vec<u8> {
        self.strings(&[1, 2])
    }

    fn raw_header(&mut self) -> Vec<u8> {
        self.strings(&[1, 2, 3])
    }

    fn strings(&mut self, numbers: &[u64]) -> Vec<u8> {
        let mut fields = Vec::new();
        for number in numbers {
            for _ in 0..[0, 1, 1, 1, 1, 1, 1, 2][self.dice.below(8)] {
                let text = self.one_of(&TEXTS);
                fields.push(self.sized(*number, &text));
            }
        }
        self.mixed(&mut fields);
        fields.concat()
    }

    fn one_of(&mut self, texts: &[&[u8]]) -> Vec<u8> {
        let text = *self.dice.pick(texts);
        if self.text && std::str::from_utf8(text).is_err() { b"text".to_vec() } else { text.to_vec() }
    }

    fn some<T>(&mut self, most: usize, mut one: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.dice.below(most + 1)).map(|_| one(self)).collect()
    }

    /// A message's fields as the parts in which it comes, mostly one. Without a field it may come or not.
    fn parts(&mut self, mut fields: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        self.mixed(&mut fields);
        let mut parts = vec![Vec::new()];
        for field in fields {
            if self.dice.chance(8) {
                parts.push(Vec::new());
            }
            parts.last_mut().expect("there is one").extend(field);
        }
        // Not between two fields: neither part is a message.
        if self.dice.below(200) == 0 {
            let last = parts.last_mut().expect("there is one");
            let rest = last.split_off(self.dice.below(last.len()));
            parts.push(rest);
        }
        parts
    }

    fn mixed(&mut self, fields: &mut Vec<Vec<u8>>) {
        if self.dice.chance(15) {
            fields.push(self.unknown(0));
        }
        if self.dice.chance(50) {
            for at in (1..fields.len()).rev() {
                fields.swap(at, self.dice.below(at + 1));
            }
        }
    }

    fn each(&mut self, number: u64, values: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        values.into_iter().map(|value| self.sized(number, &value)).collect()
    }

    fn sized(&mut self, number: u64, value: &[u8]) -> Vec<u8> {
        let mut field = self.varint(number << 3 | 2);
        field.extend(self.varint(value.len() as u64));
        field.extend(value);
        field
    }

    fn number(&mut self, number: u64, value: u64) -> Vec<u8> {
        let mut field = self.varint(number << 3);
        field.extend(self.varint(value));
        field
    }

    fn unknown(&mut self, depth: usize) -> Vec<u8> {
        let number = *self.dice.pick(&UNKNOWN);
        match self.dice.below(if depth < 3 { 6 } else { 4 }) {
            0 => self.number(number, 1 << 40),
            1 => [self.varint(number << 3 | 1), vec![0xee; 8]].concat(),
            2 => [self.varint(number << 3 | 5), vec![0xee; 4]].concat(),
            3 => self.sized(number, b"\xff unknown"),
            4 => {
                let inner = self.some(2, |made| made.unknown(depth + 1)).concat();
                [self.varint(number << 3 | 3), inner, self.varint(number << 3 | 4)].concat()
            }
            // about as deep as is looked at
            _ => {
                let deep = if self.dice.chance(20) { 90 + self.dice.below(14) } else { 2 };
                let (begin, end) = (self.varint(number << 3 | 3), self.varint(number << 3 | 4));
                [begin.repeat(deep), self.sized(500, b"deep"), end.repeat(deep)].concat()
            }
        }
    }

    /// Now and then longer than it need be.
    fn varint(&mut self, mut value: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        while value >= 0x80 {
            bytes.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        bytes.push(value.to_le_bytes()[0]);
        if self.dice.below(200) == 0 {
            *bytes.last_mut().expect("there is one") |= 0x80;
            let longer = self.dice.below(12_usize.saturating_sub(bytes.len()));
            bytes.extend(vec![0x80; longer]);
            bytes.push(u8::from(self.dice.chance(20)));
        }
        bytes
    }

    fn spoil(&mut self, message: &mut Vec<u8>) {
        let at = self.dice.below(message.len());
        let end = message.len().min(at + 1 + self.dice.below(8));
        match self.dice.below(7) {
            0 => message.truncate(at),
            1 => message.insert(at, self.dice.byte()),
            2 => drop(message.drain(at..end)),
            3 => message.extend_from_within(at..),
            4 if at < end => message[at] = self.dice.byte(),
            5 if at < end => message[at] ^= 1 << self.dice.below(8),
            _ => {
                let extra = self.unknown(0);
                message.splice(at..at, extra);
            }
        }
    }
}
