//! The few messages of ONNX's protobuf format that a model needs, written field by field.
//!
//! Wire format: a field is its number and kind as a varint, `number << 3 | kind`, then a varint (kind 0), four bytes (5),
//! or a length and as many bytes (2: strings, messages, packed lists). Numbers are those of `onnx.proto`.

/// A message that grows field by field.
#[derive(Debug, Clone, Default)]
pub(super) struct Message(Vec<u8>);

impl Message {
    pub(crate) fn integer(mut self, field: u32, value: i64) -> Self {
        self.key(field, 0);
        self.varint(value as u64);
        self
    }

    pub(crate) fn float(mut self, field: u32, value: f32) -> Self {
        self.key(field, 5);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(crate) fn bytes(mut self, field: u32, bytes: &[u8]) -> Self {
        self.key(field, 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn text(self, field: u32, text: &str) -> Self {
        self.bytes(field, text.as_bytes())
    }

    pub(crate) fn message(self, field: u32, message: Message) -> Self {
        self.bytes(field, &message.0)
    }

    /// A field that occurs once for each message.
    pub(crate) fn messages(self, field: u32, messages: impl IntoIterator<Item = Message>) -> Self {
        messages.into_iter().fold(self, |own, message| own.message(field, message))
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }

    fn key(&mut self, field: u32, kind: u32) {
        self.varint(u64::from(field << 3 | kind));
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

/// Element types of `TensorProto.DataType`.
#[derive(Debug, Clone, Copy)]
pub(super) enum Element {
    Float = 1,
    Int64 = 7,
    Double = 11,
}

/// `AttributeProto`.
#[derive(Debug, Clone)]
pub(super) enum Attribute {
    Integer(&'static str, i64),
    Integers(&'static str, Vec<i64>),
    Float(&'static str, f32),
    Text(&'static str, &'static str),
    Graph(&'static str, Message),
}

impl Attribute {
    fn message(&self) -> Message {
        match self {
            Self::Float(name, value) => Message::default().text(1, name).float(2, *value).integer(20, 1),
            Self::Integer(name, value) => Message::default().text(1, name).integer(3, *value).integer(20, 2),
            Self::Graph(name, value) => Message::default().text(1, name).message(6, value.clone()).integer(20, 5),
            Self::Text(name, value) => Message::default().text(1, name).text(4, value).integer(20, 3),
            Self::Integers(name, values) => {
                values.iter().fold(Message::default().text(1, name), |message, &value| message.integer(8, value)).integer(20, 7)
            }
        }
    }
}

/// `NodeProto`.
pub(super) fn node(operation: &str, inputs: &[&str], output: &str, attributes: &[Attribute]) -> Message {
    let named = inputs.iter().fold(Message::default(), |message, input| message.text(1, input));
    named.text(2, output).text(3, output).text(4, operation).messages(5, attributes.iter().map(Attribute::message))
}

/// `TensorProto`, row-major little-endian.
pub(super) fn tensor(name: &str, element: Element, shape: &[usize], bytes: &[u8]) -> Message {
    let sized = shape.iter().fold(Message::default(), |message, &size| message.integer(1, size as i64));
    sized.integer(2, element as i64).text(8, name).bytes(9, bytes)
}

/// A size of an input or output.
#[derive(Debug, Clone, Copy)]
pub(super) enum Size {
    Fixed(usize),
    /// Differs from call to call.
    Free(&'static str),
}

/// `ValueInfoProto` of a tensor.
pub(super) fn value(name: &str, element: Element, shape: &[Size]) -> Message {
    let dimensions = shape.iter().map(|size| match size {
        Size::Fixed(size) => Message::default().integer(1, *size as i64),
        Size::Free(name) => Message::default().text(2, name),
    });
    let shape = Message::default().messages(1, dimensions);
    let tensor = Message::default().integer(1, element as i64).message(2, shape);
    Message::default().text(1, name).message(2, Message::default().message(1, tensor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_varints_and_lengths() {
        assert_eq!(Message::default().integer(1, 150).finish(), [0x08, 0x96, 0x01]);
        assert_eq!(Message::default().text(2, "testing").finish(), [0x12, 7, b't', b'e', b's', b't', b'i', b'n', b'g']);
        assert_eq!(Message::default().integer(1, -1).finish(), [0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]);
        assert_eq!(Message::default().float(2, 1.0).finish(), [0x15, 0, 0, 0x80, 0x3f]);
    }
}
