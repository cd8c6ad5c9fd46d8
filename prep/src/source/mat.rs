//! Reads the one thing that is needed from a MATLAB 5 file: an array of structs whose fields are
//! numbers and texts. The layout is that of "MAT-File Format", The MathWorks, level 5.

use std::io::Read;

use flate2::read::ZlibDecoder;

/// Most bytes of a file, and most that all of its compressed elements together may become: the
/// development kit's takes under a megabyte.
const LONGEST: u64 = 8 << 20;
/// Most fields of a struct; the kit's has eight.
const MOST_FIELDS: usize = 256;

const UTF8: u32 = 16;
const MATRIX: u32 = 14;
const COMPRESSED: u32 = 15;
const CLASS_STRUCT: u8 = 2;
const CLASS_CHAR: u8 = 4;

/// A value of a field.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Number(f64),
    Text(String),
    /// An empty or larger array, or one of an unused kind.
    Other,
}

/// One struct of an array: its fields in the file's order.
pub(super) type Struct = Vec<(String, Value)>;

/// The structs of the first array of structs in the file.
pub(super) fn structs(file: &[u8]) -> Result<Vec<Struct>, String> {
    let header = file.get(..128).ok_or("it is too short")?;
    if &header[126..128] != b"IM" {
        return Err("it is no little-endian MATLAB 5 file".to_owned());
    }
    if file.len() as u64 > LONGEST {
        return Err(format!("it has more than {} MB", LONGEST >> 20));
    }
    let (mut rest, mut budget) = (&file[128..], LONGEST);
    while !rest.is_empty() {
        let element = next(&mut rest)?;
        let found = match element.kind {
            COMPRESSED => {
                let mut inflated = Vec::new();
                let read = ZlibDecoder::new(element.data)
                    .take(budget)
                    .read_to_end(&mut inflated)
                    .map_err(|error| error.to_string())?;
                budget -= read as u64;
                if budget == 0 {
                    return Err("its compressed parts are too large".to_owned());
                }
                let inner = next(&mut &inflated[..])?;
                if inner.kind == MATRIX {
                    struct_array(inner.data)?
                } else {
                    None
                }
            }
            MATRIX => struct_array(element.data)?,
            _ => None,
        };
        if let Some(structs) = found {
            return Ok(structs);
        }
    }
    Err("it holds no array of structs".to_owned())
}

struct Element<'a> {
    kind: u32,
    data: &'a [u8],
}

/// Takes the next element off `rest`, with the padding after it.
fn next<'a>(rest: &mut &'a [u8]) -> Result<Element<'a>, String> {
    const SHORT: &str = "it ends inside of an element";
    let word = |at: usize| -> Option<u32> {
        Some(u32::from_le_bytes(rest.get(at..at + 4)?.try_into().ok()?))
    };
    let first = word(0).ok_or(SHORT)?;
    // A small element keeps its length in the upper half of the first word, and its data in the
    // second word.
    let (kind, start, len, end) = if first >> 16 != 0 {
        (first & 0xFFFF, 4, (first >> 16) as usize, 8)
    } else {
        let len = word(4).ok_or(SHORT)? as usize;
        // Compressed elements are not padded.
        let padded = if first == COMPRESSED {
            len
        } else {
            len.next_multiple_of(8)
        };
        (first, 8, len, 8 + padded)
    };
    let data = rest.get(start..start + len).ok_or(SHORT)?;
    *rest = rest.get(end..).unwrap_or_default();
    Ok(Element { kind, data })
}

/// The structs of a matrix of class struct.
fn struct_array(mut data: &[u8]) -> Result<Option<Vec<Struct>>, String> {
    let (class, count) = matrix_head(&mut data)?;
    if class != CLASS_STRUCT {
        return Ok(None);
    }
    let width = next(&mut data)?.data.get(..4).map_or(0, |bytes| {
        u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize
    });
    if !(1..=64).contains(&width) {
        return Err("its field names are too long".to_owned());
    }
    let names: Vec<String> = next(&mut data)?
        .data
        .chunks(width)
        .map(|name| {
            let end = name.iter().position(|&b| b == 0).unwrap_or(name.len());
            String::from_utf8_lossy(&name[..end]).into_owned()
        })
        .collect();
    // A struct without fields takes no bytes, so their number could be anything.
    if !(1..=MOST_FIELDS).contains(&names.len()) {
        return Err(format!("its structs have {} fields", names.len()));
    }
    let mut structs = Vec::new();
    for _ in 0..count {
        let fields = names.iter().map(|name| {
            let element = next(&mut data)?;
            let value = if element.kind == MATRIX && !element.data.is_empty() {
                value(element.data)?
            } else {
                Value::Other
            };
            Ok((name.clone(), value))
        });
        structs.push(fields.collect::<Result<_, String>>()?);
    }
    Ok(Some(structs))
}

/// Class and number of elements of a matrix; leaves what follows the name.
fn matrix_head(data: &mut &[u8]) -> Result<(u8, usize), String> {
    let class = *next(data)?.data.first().ok_or("a matrix has no flags")?;
    let dimensions = next(data)?.data;
    let count = dimensions.chunks_exact(4).try_fold(1_usize, |count, size| {
        count.checked_mul(u32::from_le_bytes([size[0], size[1], size[2], size[3]]) as usize)
    });
    next(data)?;
    Ok((class, count.ok_or("a matrix is too large")?))
}

fn value(mut data: &[u8]) -> Result<Value, String> {
    let (class, count) = matrix_head(&mut data)?;
    if class == CLASS_CHAR {
        if data.is_empty() {
            return Ok(Value::Text(String::new()));
        }
        let element = next(&mut data)?;
        // MATLAB writes 16-bit units, other programs bytes.
        let text = match element.kind {
            1 | 2 | UTF8 => String::from_utf8_lossy(element.data).into_owned(),
            _ => {
                let units = element
                    .data
                    .chunks_exact(2)
                    .map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
                String::from_utf16_lossy(&units.collect::<Vec<_>>())
            }
        };
        return Ok(Value::Text(text));
    }
    if count != 1 || class < 6 {
        return Ok(Value::Other);
    }
    // A number is stored in the smallest type that holds it.
    let element = next(&mut data)?;
    let bytes: &[u8] = element.data;
    let number = match (element.kind, bytes) {
        (1, &[b, ..]) => f64::from(b as i8),
        (2, &[b, ..]) => f64::from(b),
        (3, &[a, b, ..]) => f64::from(i16::from_le_bytes([a, b])),
        (4, &[a, b, ..]) => f64::from(u16::from_le_bytes([a, b])),
        (5, &[a, b, c, d, ..]) => f64::from(i32::from_le_bytes([a, b, c, d])),
        (6, &[a, b, c, d, ..]) => f64::from(u32::from_le_bytes([a, b, c, d])),
        (7, &[a, b, c, d, ..]) => f64::from(f32::from_le_bytes([a, b, c, d])),
        (9, bytes) if bytes.len() >= 8 => f64::from_le_bytes([
            bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7],
        ]),
        _ => return Ok(Value::Other),
    };
    Ok(Value::Number(number))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(elements: &[u8]) -> Vec<u8> {
        let mut file = vec![b' '; 124];
        file.extend(0x0100_u16.to_le_bytes());
        file.extend(b"IM");
        file.extend(elements);
        file
    }

    fn element(kind: u32, data: &[u8]) -> Vec<u8> {
        let mut bytes = kind.to_le_bytes().to_vec();
        bytes.extend((data.len() as u32).to_le_bytes());
        bytes.extend(data);
        bytes.resize(8 + data.len().next_multiple_of(8), 0);
        bytes
    }

    /// An array of so many structs with these fields, and what follows them.
    fn structs_of(count: u32, width: u32, names: &[u8], rest: &[u8]) -> Vec<u8> {
        let parts = [
            element(6, &[CLASS_STRUCT, 0, 0, 0, 0, 0, 0, 0]),
            element(5, &[count.to_le_bytes(), 1_u32.to_le_bytes()].concat()),
            element(1, b"synsets"),
            element(5, &width.to_le_bytes()),
            element(1, names),
            rest.to_vec(),
        ];
        file(&element(MATRIX, &parts.concat()))
    }

    #[test]
    fn four_thousand_million_structs_without_fields_are_refused() {
        let error = structs(&structs_of(u32::MAX, 32, &[], &[])).unwrap_err();
        assert!(error.contains("0 fields"), "{error}");
        let error = structs(&structs_of(1, 1, &[b'a'; 1000], &[])).unwrap_err();
        assert!(error.contains("1000 fields"), "{error}");
        assert!(structs(&structs_of(u32::MAX, 8, b"WNID\0\0\0\0", &[0; 64])).is_err());
    }

    #[test]
    fn parts_that_expand_without_end_are_refused() {
        let zeros = vec![0; 4 << 20];
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut encoder, &element(9, &zeros)).unwrap();
        let bomb = encoder.finish().unwrap();
        let mut compressed = COMPRESSED.to_le_bytes().to_vec();
        compressed.extend((bomb.len() as u32).to_le_bytes());
        compressed.extend(bomb);
        let error = structs(&file(&compressed.repeat(100))).unwrap_err();
        assert!(error.contains("too large"), "{error}");
    }

    proptest! {
        #[test]
        fn no_bytes_are_believed(
            count in any::<u32>(),
            width in 0_u32..80,
            names in prop::collection::vec(any::<u8>(), 0..200),
            rest in prop::collection::vec(any::<u8>(), 0..400),
            at in any::<prop::sample::Index>(),
            value in any::<u8>(),
        ) {
            let mut bytes = structs_of(count, width, &names, &rest);
            let at = at.index(bytes.len());
            bytes[at] = value;
            if let Ok(found) = structs(&bytes) {
                // Every field takes eight bytes at least.
                let fields: usize = found.iter().map(Vec::len).sum();
                prop_assert!(fields * 8 <= bytes.len());
            }
        }
    }
}
