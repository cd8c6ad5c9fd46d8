//! Headers byte by byte.

mod steps;

use super::*;

/// A field that no structure of Parquet has, a truth value: its number, 90, is written out.
const UNKNOWN: [u8; 3] = [1, 180, 1];

fn found(mut bytes: &[u8]) -> Result<u64, ErrorKind> {
    footer(&mut bytes).map_err(|error| error.kind())
}

fn words(mut bytes: &[u8]) -> String {
    footer(&mut bytes).unwrap_err().to_string()
}

/// Fields behind one of an unknown number, so that they are unknown too.
fn unknown(fields: &[u8]) -> Vec<u8> {
    [&UNKNOWN, fields].concat()
}

#[test]
fn a_header_is_as_long_as_its_fields() {
    let fields: [&[u8]; 9] = [
        &[0x11],
        &[0x12],
        &[0x13, 7],
        &[0x15, 0x80, 1],
        &[0x17, 1, 2, 3, 4, 5, 6, 7, 8],
        &[0x18, 2, b'a', b'b'],
        &[0x19, 0x25, 1, 2],
        &[0x1B, 1, 0x58, 9, 1, b'x'],
        // A structure in a field whose number is written out.
        &[0x0C, 0x40, 0x15, 3, 0],
    ];
    let mut header = unknown(&fields[..8].concat());
    header.extend(fields[8]);
    header.push(0);
    let length = header.len() as u64;
    assert_eq!(found(&header), Ok(length));
    header.extend([0xFF; 3]);
    assert_eq!(found(&header), Ok(length), "what follows is not its own");
    for cut in 0..length as usize {
        assert_eq!(found(&header[..cut]), Err(ErrorKind::UnexpectedEof));
    }
}

#[test]
fn truth_values_in_a_list_are_refused_whatever_their_number() {
    for fields in [
        &[0x19, 0xF2, 0xFF, 0xFF, 0xFF, 0xFF, 7, 0][..],
        &[0x1A, 0x11, 1, 0],
        &[0x1B, 1, 0x12, 1, 1, 0],
        &[0x1B, 1, 0x51, 1, 1, 0],
        &[0x19, 0x1C, 0x19, 0x11, 1, 0, 0],
    ] {
        let refused = words(&unknown(fields));
        assert!(refused.contains("truth values"), "{fields:?}: {refused}");
    }
    // Without elements there is nothing to be lost in.
    assert_eq!(found(&unknown(&[0x19, 0, 0])), Ok(6));
}

#[test]
fn what_is_no_header_is_refused() {
    for fields in [
        &[0x1E, 0][..],
        &[[0x16].as_slice(), &[0xFF; 11]].concat(),
        &[0x1C; 100],
        // More elements than bytes, which are of lists within lists.
        &[0x19; 100],
        // A number beyond those that fields have.
        &[0x05, 0xFE, 0xFF, 3, 1, 0x15, 1, 0],
    ] {
        let refused = found(&unknown(fields));
        assert_eq!(refused, Err(ErrorKind::InvalidData), "{fields:?}");
    }
    let many = [0x19, 0xF5, 0xFF, 0xFF, 0xFF, 0xFF, 7, 1, 2, 3];
    assert_eq!(found(&unknown(&many)), Err(ErrorKind::UnexpectedEof));
}

#[test]
fn a_field_that_parquet_knows_has_its_type() {
    // The name of the program that wrote the file as a truth value: the crate reads the 32 bytes of a text behind it,
    // where the protocol has an end.
    let text = [&[0x61, 0x20][..], &[0x2C; 32], &[0]].concat();
    assert_eq!(
        words(&text),
        "a header is damaged: field 6 of FileMetaData is written as type 1, which Parquet does not give it"
    );
    for header in [
        // The version as a byte, the schema as a structure and as a set.
        &[0x13, 2, 0][..],
        &[0x2C, 0, 0],
        &[0x2A, 0x1C, 0, 0],
        // A number that is written out, and one that the next follows from: both are 6.
        &[0x01, 12, 0],
        &[0x05, 10, 1, 0x11, 0],
        // A schema of texts, and one of an element whose name is a number.
        &[0x29, 0x18, 0, 0],
        &[0x29, 0x1C, 0x45, 2, 0, 0],
        // A number of 32 bits whose bits are a byte: IntType in LogicalType in SchemaElement.
        &[0x29, 0x1C, 0xAC, 0xAC, 0x15, 16, 0, 0, 0, 0],
        // A truth value as a number: TimeType.
        &[0x29, 0x1C, 0xAC, 0x7C, 0x15, 2, 0, 0, 0, 0],
        // Row groups: columns, ColumnMetaData, Statistics, SizeStatistics, GeospatialStatistics with BoundingBox.
        &[0x49, 0x1C, 0x18, 0, 0, 0],
        &[0x49, 0x1C, 0x19, 0x1C, 0x38, 0, 0, 0, 0],
        &[0x49, 0x1C, 0x19, 0x1C, 0x3C, 0xC8, 0, 0, 0, 0, 0],
        &[0x49, 0x1C, 0x19, 0x1C, 0x3C, 0xCC, 0x16, 2, 0, 0, 0, 0, 0],
        &[0x49, 0x1C, 0x19, 0x1C, 0x3C, 0x0C, 32, 0x29, 0x18, 0, 0],
        &[0x49, 0x1C, 0x19, 0x1C, 0x3C, 0x0C, 34, 0x1C, 0x16, 2, 0],
        // A sorting column, a pair of texts, an order.
        &[0x49, 0x1C, 0x49, 0x1C, 0x25, 2, 0, 0, 0],
        &[0x59, 0x1C, 0x15, 2, 0, 0],
        &[0x79, 0x1C, 0x11, 0, 0],
    ] {
        let refused = words(header);
        assert!(
            refused.ends_with("which Parquet does not give it"),
            "{header:?}: {refused}"
        );
    }
    for mut header in [
        // The type of a page as a truth value, and a page whose header is a list.
        &[0x11, 0][..],
        &[0x59, 0, 0],
        &[0x6B, 0, 0],
        // The number of values as a text; whether a dictionary is sorted or a page compressed as a number; statistics.
        &[0x5C, 0x18, 0, 0, 0],
        &[0x7C, 0x35, 2, 0, 0],
        &[0x8C, 0x75, 2, 0, 0],
        &[0x5C, 0x5C, 0x15, 2, 0, 0, 0],
        &[0x8C, 0x8C, 0x11, 0, 0, 0],
    ] {
        let refused = page(&mut header).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidData, "{header:?}");
    }
}

#[test]
fn numbers_of_every_width_are_written_alike() {
    for width in [4, 5, 6] {
        assert_eq!(found(&[0x10 | width, 2, 0x20 | width, 2, 0]), Ok(5));
    }
}

/// A footer of a schema of elements with so many fields.
fn schema(fields: &[u64]) -> Vec<u8> {
    let mut header = vec![0x29, 0xFC];
    number(fields.len() as u64, &mut header);
    for &fields in fields {
        if fields > 0 {
            header.push(0x55);
            number(fields << 1, &mut header);
        }
        header.push(0);
    }
    header.push(0);
    header
}

fn number(mut number: u64, bytes: &mut Vec<u8>) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

#[test]
fn a_schema_has_the_fields_that_its_groups_claim() {
    for whole in [&[][..], &[0], &[1, 0], &[2, 1, 0, 0], &[3, 0, 2, 0, 0, 0]] {
        let header = schema(whole);
        assert_eq!(found(&header), Ok(header.len() as u64), "{whole:?}");
    }
    for claims in [&[1][..], &[2, 0], &[2, 1, 0], &[1, 2, 0], &[0x7FFF_FFFF, 0]] {
        let refused = words(&schema(claims));
        assert!(refused.contains("claims more fields"), "{refused}");
    }
    // Two thousand million and more are less than none in 32 bits.
    assert!(words(&schema(&[0x8000_0000, 0])).contains("less than no fields"));
}

#[test]
fn a_schema_is_not_too_deep() {
    let deep = |groups| schema(&[vec![1; groups], vec![0]].concat());
    assert!(found(&deep(256)).is_ok());
    assert!(words(&deep(257)).contains("too deep"));
    // Beside each other there may be as many as there are.
    assert!(found(&schema(&[vec![1000], [1, 0].repeat(1000)].concat())).is_ok());
}
