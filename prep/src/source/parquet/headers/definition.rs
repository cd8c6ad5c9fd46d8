//! The structures of the headers, as Parquet's definition `parquet.thrift` and version 60.1 of the crate know them.
//!
//! Every field that the crate reads must be here: it reads such a field by the type that it expects, and does not
//! look at the type that the field is written with. So compare this list with the structures in the crate's sources
//! (`thrift_struct!`, `thrift_union!`, and functions that call `read_field_begin`) when its version changes.
//!
//! Fields of encryption are not here, as the crate is built without it and passes over them. Neither are the page
//! indexes and the Bloom filters, which are not read.

use super::kind::Kind::{Binary, Byte, Children, Double, List, Number, Schema, Struct, Truth};
use super::kind::{Kind, Structure};

/// The footer.
pub(super) static FILE_META_DATA: Structure = Structure {
    name: "FileMetaData",
    fields: &[
        (1, Number),                           // version
        (2, Schema(&Struct(&SCHEMA_ELEMENT))), // schema
        (3, Number),                           // num_rows
        (4, List(&Struct(&ROW_GROUP))),        // row_groups
        (5, List(&Struct(&KEY_VALUE))),        // key_value_metadata
        (6, Binary),                           // created_by
        (7, List(&Struct(&COLUMN_ORDER))),     // column_orders
    ],
};

/// What stands before a page.
pub(super) static PAGE_HEADER: Structure = Structure {
    name: "PageHeader",
    fields: &[
        (1, Number),                          // type
        (2, Number),                          // uncompressed_page_size
        (3, Number),                          // compressed_page_size
        (4, Number),                          // crc
        (5, Struct(&DATA_PAGE_HEADER)),       // data_page_header
        (6, EMPTY),                           // index_page_header
        (7, Struct(&DICTIONARY_PAGE_HEADER)), // dictionary_page_header
        (8, Struct(&DATA_PAGE_HEADER_V2)),    // data_page_header_v2
    ],
};

static DATA_PAGE_HEADER: Structure = Structure {
    name: "DataPageHeader",
    fields: &[
        (1, Number),              // num_values
        (2, Number),              // encoding
        (3, Number),              // definition_level_encoding
        (4, Number),              // repetition_level_encoding
        (5, Struct(&STATISTICS)), // statistics
    ],
};

static DICTIONARY_PAGE_HEADER: Structure = Structure {
    name: "DictionaryPageHeader",
    fields: &[
        (1, Number), // num_values
        (2, Number), // encoding
        (3, Truth),  // is_sorted
    ],
};

static DATA_PAGE_HEADER_V2: Structure = Structure {
    name: "DataPageHeaderV2",
    fields: &[
        (1, Number),              // num_values
        (2, Number),              // num_nulls
        (3, Number),              // num_rows
        (4, Number),              // encoding
        (5, Number),              // definition_levels_byte_length
        (6, Number),              // repetition_levels_byte_length
        (7, Truth),               // is_compressed
        (8, Struct(&STATISTICS)), // statistics
    ],
};

static SCHEMA_ELEMENT: Structure = Structure {
    name: "SchemaElement",
    fields: &[
        (1, Number),                 // type
        (2, Number),                 // type_length
        (3, Number),                 // repetition_type
        (4, Binary),                 // name
        (5, Children),               // num_children
        (6, Number),                 // converted_type
        (7, Number),                 // scale
        (8, Number),                 // precision
        (9, Number),                 // field_id
        (10, Struct(&LOGICAL_TYPE)), // logicalType
    ],
};

/// A union: one of its fields is there.
static LOGICAL_TYPE: Structure = Structure {
    name: "LogicalType",
    fields: &[
        (1, EMPTY),               // STRING
        (2, EMPTY),               // MAP
        (3, EMPTY),               // LIST
        (4, EMPTY),               // ENUM
        (5, Struct(&DECIMAL)),    // DECIMAL
        (6, EMPTY),               // DATE
        (7, Struct(&TIME)),       // TIME
        (8, Struct(&TIME)),       // TIMESTAMP
        (10, Struct(&INT)),       // INTEGER
        (11, EMPTY),              // UNKNOWN
        (12, EMPTY),              // JSON
        (13, EMPTY),              // BSON
        (14, EMPTY),              // UUID
        (15, EMPTY),              // FLOAT16
        (16, Struct(&VARIANT)),   // VARIANT
        (17, Struct(&GEOMETRY)),  // GEOMETRY
        (18, Struct(&GEOGRAPHY)), // GEOGRAPHY
        (19, EMPTY),              // FILE
    ],
};

static DECIMAL: Structure = Structure {
    name: "DecimalType",
    fields: &[
        (1, Number), // scale
        (2, Number), // precision
    ],
};

/// `TimestampType` has the same fields.
static TIME: Structure = Structure {
    name: "TimeType",
    fields: &[
        (1, Truth),              // isAdjustedToUTC
        (2, Struct(&TIME_UNIT)), // unit
    ],
};

/// A union.
static TIME_UNIT: Structure = Structure {
    name: "TimeUnit",
    fields: &[
        (1, EMPTY), // MILLIS
        (2, EMPTY), // MICROS
        (3, EMPTY), // NANOS
    ],
};

static INT: Structure = Structure {
    name: "IntType",
    fields: &[
        (1, Byte),  // bitWidth
        (2, Truth), // isSigned
    ],
};

static VARIANT: Structure = Structure {
    name: "VariantType",
    fields: &[
        (1, Byte), // specification_version
    ],
};

static GEOMETRY: Structure = Structure {
    name: "GeometryType",
    fields: &[
        (1, Binary), // crs
    ],
};

static GEOGRAPHY: Structure = Structure {
    name: "GeographyType",
    fields: &[
        (1, Binary), // crs
        (2, Number), // algorithm
    ],
};

static ROW_GROUP: Structure = Structure {
    name: "RowGroup",
    fields: &[
        (1, List(&Struct(&COLUMN_CHUNK))),   // columns
        (2, Number),                         // total_byte_size
        (3, Number),                         // num_rows
        (4, List(&Struct(&SORTING_COLUMN))), // sorting_columns
        (5, Number),                         // file_offset
        (6, Number),                         // total_compressed_size
        (7, Number),                         // ordinal
    ],
};

static SORTING_COLUMN: Structure = Structure {
    name: "SortingColumn",
    fields: &[
        (1, Number), // column_idx
        (2, Truth),  // descending
        (3, Truth),  // nulls_first
    ],
};

static COLUMN_CHUNK: Structure = Structure {
    name: "ColumnChunk",
    fields: &[
        (1, Binary),                    // file_path
        (2, Number),                    // file_offset
        (3, Struct(&COLUMN_META_DATA)), // meta_data
        (4, Number),                    // offset_index_offset
        (5, Number),                    // offset_index_length
        (6, Number),                    // column_index_offset
        (7, Number),                    // column_index_length
    ],
};

static COLUMN_META_DATA: Structure = Structure {
    name: "ColumnMetaData",
    fields: &[
        (1, Number),                          // type
        (2, List(&Number)),                   // encodings
        (3, List(&Binary)),                   // path_in_schema
        (4, Number),                          // codec
        (5, Number),                          // num_values
        (6, Number),                          // total_uncompressed_size
        (7, Number),                          // total_compressed_size
        (8, List(&Struct(&KEY_VALUE))),       // key_value_metadata
        (9, Number),                          // data_page_offset
        (10, Number),                         // index_page_offset
        (11, Number),                         // dictionary_page_offset
        (12, Struct(&STATISTICS)),            // statistics
        (13, List(&Struct(&ENCODING_STATS))), // encoding_stats
        (14, Number),                         // bloom_filter_offset
        (15, Number),                         // bloom_filter_length
        (16, Struct(&SIZE_STATISTICS)),       // size_statistics
        (17, Struct(&GEOSPATIAL_STATISTICS)), // geospatial_statistics
    ],
};

static STATISTICS: Structure = Structure {
    name: "Statistics",
    fields: &[
        (1, Binary), // max
        (2, Binary), // min
        (3, Number), // null_count
        (4, Number), // distinct_count
        (5, Binary), // max_value
        (6, Binary), // min_value
        (7, Truth),  // is_max_value_exact
        (8, Truth),  // is_min_value_exact
        (9, Number), // nan_count
    ],
};

static ENCODING_STATS: Structure = Structure {
    name: "PageEncodingStats",
    fields: &[
        (1, Number), // page_type
        (2, Number), // encoding
        (3, Number), // count
    ],
};

static SIZE_STATISTICS: Structure = Structure {
    name: "SizeStatistics",
    fields: &[
        (1, Number),        // unencoded_byte_array_data_bytes
        (2, List(&Number)), // repetition_level_histogram
        (3, List(&Number)), // definition_level_histogram
    ],
};

static GEOSPATIAL_STATISTICS: Structure = Structure {
    name: "GeospatialStatistics",
    fields: &[
        (1, Struct(&BOUNDING_BOX)), // bbox
        (2, List(&Number)),         // geospatial_types
    ],
};

static BOUNDING_BOX: Structure = Structure {
    name: "BoundingBox",
    fields: &[
        (1, Double), // xmin
        (2, Double), // xmax
        (3, Double), // ymin
        (4, Double), // ymax
        (5, Double), // zmin
        (6, Double), // zmax
        (7, Double), // mmin
        (8, Double), // mmax
    ],
};

static KEY_VALUE: Structure = Structure {
    name: "KeyValue",
    fields: &[
        (1, Binary), // key
        (2, Binary), // value
    ],
};

/// A union.
static COLUMN_ORDER: Structure = Structure {
    name: "ColumnOrder",
    fields: &[
        (1, EMPTY), // TYPE_ORDER
        (2, EMPTY), // IEEE_754_TOTAL_ORDER
        (3, EMPTY), // INT96_TIMESTAMP_ORDER
    ],
};

/// A structure without fields.
const EMPTY: Kind = Struct(&Structure {
    name: "",
    fields: &[],
});
