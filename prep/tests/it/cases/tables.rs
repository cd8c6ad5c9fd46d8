//! CSV and TSV lists, and Parquet files.
