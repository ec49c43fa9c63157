//! Reads back what an ONNX file says, by protobuf's wire format and the field numbers of `onnx.proto`.

/// A field: its number and what it holds.
enum Field<'a> {
    Integer(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let field = match key & 7 {
            0 => Field::Integer(varint(&mut bytes)),
            2 => {
                let length = varint(&mut bytes) as usize;
                let (own, rest) = bytes.split_at(length);
                bytes = rest;
                Field::Bytes(own)
            }
            5 => {
                let (own, rest) = bytes.split_at(4);
                bytes = rest;
                Field::Bytes(own)
            }
            kind => panic!("kind {kind} of field {}", key >> 3),
        };
        fields.push((key >> 3, field));
    }
    fields
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for place in 0.. {
        let (&byte, rest) = bytes.split_first().expect("a varint ends");
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte < 0x80 {
            break;
        }
    }
    value
}

fn messages(bytes: &[u8], number: u64) -> Vec<&[u8]> {
    let wanted = fields(bytes).into_iter().filter(|(field, _)| *field == number);
    wanted
        .map(|(_, field)| match field {
            Field::Bytes(bytes) => bytes,
            Field::Integer(value) => panic!("field {number} is {value}"),
        })
        .collect()
}

fn integers(bytes: &[u8], number: u64) -> Vec<i64> {
    let wanted = fields(bytes).into_iter().filter(|(field, _)| *field == number);
    wanted
        .map(|(_, field)| match field {
            Field::Integer(value) => value as i64,
            Field::Bytes(bytes) => panic!("field {number} holds {} bytes", bytes.len()),
        })
        .collect()
}

fn texts(bytes: &[u8], number: u64) -> Vec<String> {
    messages(bytes, number).into_iter().map(|text| String::from_utf8(text.to_vec()).unwrap()).collect()
}

pub struct Node {
    pub operation: String,
    pub inputs: Vec<String>,
    pub output: String,
}

#[derive(Debug)]
pub struct Constant {
    pub name: String,
    pub element: i64,
    pub shape: Vec<i64>,
    /// How many.
    pub bytes: usize,
}

pub struct Model {
    pub opset: i64,
    pub description: String,
    pub nodes: Vec<Node>,
    pub constants: Vec<Constant>,
    pub inputs: Vec<String>,
    pub outputs: Vec<String>,
}

impl Model {
    pub fn read(bytes: &[u8]) -> Self {
        let graph = messages(bytes, 7)[0];
        let node = |node: &[u8]| Node { operation: texts(node, 4).remove(0), inputs: texts(node, 1), output: texts(node, 2).remove(0) };
        let constant = |tensor: &[u8]| Constant {
            name: texts(tensor, 8).remove(0),
            element: integers(tensor, 2)[0],
            shape: integers(tensor, 1),
            bytes: messages(tensor, 9)[0].len(),
        };
        let names = |number| messages(graph, number).into_iter().map(|value| texts(value, 1).remove(0)).collect();
        Self {
            opset: integers(messages(bytes, 8)[0], 2)[0],
            description: texts(bytes, 6).remove(0),
            nodes: messages(graph, 1).into_iter().map(node).collect(),
            constants: messages(graph, 5).into_iter().map(constant).collect(),
            inputs: names(11),
            outputs: names(12),
        }
    }
}
