//! Whether the quotes of a table are where they may be. The CSV reader lets text through behind a closing quote, so that a single
//! quote at the head of a text swallows lines until another one closes it.

/// A quoted field that does not end where it is closed, or never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Text follows what closes it.
    TextBehind { opened: u64, closed: u64 },
    /// Nothing closes it.
    NeverClosed { opened: u64 },
}

/// Where a byte stands.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// At the head of a field.
    Head,
    /// In a field without quotes.
    Bare,
    Quoted,
    /// Behind a quote that closes the field, unless another doubles it.
    Closed,
    /// In white space behind that, which is trimmed.
    Trimmed,
}

/// Goes through the quotes of a table, as RFC 4180 has them, with white space behind a closing one. Lines count from `first`.
pub(super) fn check(bytes: &[u8], delimiter: u8, first: u64) -> Result<(), Fault> {
    let (mut place, mut line, mut opened) = (Place::Head, first, first);
    let mut before = 0;
    for &byte in bytes {
        let ends_line = byte == b'\n' || byte == b'\r';
        place = match (place, byte) {
            (Place::Head, b'"') => {
                opened = line;
                Place::Quoted
            }
            (Place::Quoted, b'"') => Place::Closed,
            (Place::Closed, b'"') => Place::Quoted,
            (Place::Quoted, _) => Place::Quoted,
            (_, byte) if byte == delimiter || ends_line => Place::Head,
            (Place::Closed | Place::Trimmed, b' ' | b'\t') => Place::Trimmed,
            (Place::Closed | Place::Trimmed, _) => return Err(Fault::TextBehind { opened, closed: line }),
            (Place::Head | Place::Bare, _) => Place::Bare,
        };
        line += u64::from(ends_line && !(byte == b'\n' && before == b'\r'));
        before = byte;
    }
    if place == Place::Quoted { Err(Fault::NeverClosed { opened }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_that_are_meant_pass() {
        for table in [
            "a,b\n\"x, y\",\"he said \"\"no\"\"\"\n",
            "a,b\r\n\"two\r\nlines\" ,\"\"\r\n",
            "a;b\n1,5\";say \"no\"\n",
            "a,b\n\"x\"\t,\"y\"",
            "",
        ] {
            let delimiter = if table.contains(';') { b';' } else { b',' };
            assert_eq!(check(table.as_bytes(), delimiter, 1), Ok(()), "{table}");
        }
    }

    #[test]
    fn a_quote_that_is_out_of_place_is_found_where_it_was_opened() {
        let refused = |table: &str| check(table.as_bytes(), b',', 1).unwrap_err();
        assert_eq!(refused("a,b\n1,\"x\n2,\"y\"\n"), Fault::TextBehind { opened: 2, closed: 3 });
        assert_eq!(refused("a,b\r\r1,\"say \\\"no\\\"\"\r"), Fault::TextBehind { opened: 3, closed: 3 });
        assert_eq!(refused("a,b\n1,x\n2,\"y\n"), Fault::NeverClosed { opened: 3 });
        assert_eq!(refused("a,b\r\n1,\"x\" \"y\"\r\n"), Fault::TextBehind { opened: 2, closed: 2 });
    }
}
