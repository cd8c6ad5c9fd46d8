//! What the fields of Parquet's structures hold, and how Thrift's compact protocol writes it.

/// Types of values, as the protocol numbers them.
pub(super) const STOP: u8 = 0;
pub(super) const TRUE: u8 = 1;
pub(super) const FALSE: u8 = 2;
pub(super) const BYTE: u8 = 3;
pub(super) const I16: u8 = 4;
pub(super) const I32: u8 = 5;
pub(super) const I64: u8 = 6;
pub(super) const DOUBLE: u8 = 7;
pub(super) const BINARY: u8 = 8;
pub(super) const LIST: u8 = 9;
pub(super) const SET: u8 = 10;
pub(super) const MAP: u8 = 11;
pub(super) const STRUCT: u8 = 12;
pub(super) const UUID: u8 = 13;

/// What a field holds.
pub(super) enum Kind {
    /// Whatever it is written as: Parquet does not know the field.
    Any,
    Truth,
    Byte,
    /// A number of 16, 32 or 64 bits, or one of a list of names. All are written alike.
    Number,
    /// How many fields a group of the schema has: a [`Kind::Number`].
    Children,
    Double,
    /// Bytes or text.
    Binary,
    List(&'static Self),
    /// A list of the schema's elements, each group before its fields.
    Schema(&'static Self),
    Struct(&'static Structure),
}

/// A structure by its name in Parquet's definition.
pub(super) struct Structure {
    pub(super) name: &'static str,
    /// The numbers of its fields, and what they hold.
    pub(super) fields: &'static [(i16, Kind)],
}

/// A structure that Parquet does not know.
static UNKNOWN: Structure = Structure {
    name: "",
    fields: &[],
};

impl Kind {
    /// Whether a value of this kind is written with the type.
    pub(super) const fn fits(&self, written: u8) -> bool {
        match self {
            Self::Any => true,
            Self::Truth => matches!(written, TRUE | FALSE),
            Self::Byte => written == BYTE,
            Self::Number | Self::Children => matches!(written, I16 | I32 | I64),
            Self::Double => written == DOUBLE,
            Self::Binary => written == BINARY,
            Self::List(_) | Self::Schema(_) => written == LIST,
            Self::Struct(_) => written == STRUCT,
        }
    }

    /// What the elements of a list are.
    pub(super) const fn element(&self) -> &Self {
        match self {
            Self::List(element) | Self::Schema(element) => element,
            _ => &Self::Any,
        }
    }

    /// What the fields of a structure are.
    pub(super) const fn structure(&self) -> &Structure {
        match self {
            Self::Struct(structure) => structure,
            _ => &UNKNOWN,
        }
    }
}

impl Structure {
    /// What a field holds.
    pub(super) fn field(&self, number: i16) -> &Kind {
        let found = self.fields.iter().find(|(known, _)| *known == number);
        found.map_or(&Kind::Any, |(_, kind)| kind)
    }
}
