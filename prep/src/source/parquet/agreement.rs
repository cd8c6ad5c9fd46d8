//! Whether the files of a source agree, and the errors if they do not.

use std::collections::BTreeSet;

use super::{Table, wrong};
use crate::error::PrepError;

/// Checks that the files have labels of one kind: in columns of one name, with the same classes.
pub(super) fn check(tables: &[Table<'_>]) -> Result<(), PrepError> {
    let Some(first) = tables.first() else {
        return Ok(());
    };
    let labelled = |table: &&Table<'_>| table.columns.label_name.is_some();
    let column = |table: &Table<'_>| table.columns.label_name.clone().unwrap_or_default();
    if let Some(one) = tables.iter().find(labelled)
        && let Some(other) = tables
            .iter()
            .filter(labelled)
            .find(|table| column(table) != column(one))
    {
        let message = format!(
            "its labels are in the column {:?}, but those of {} in {:?}: ingest the files apart, or give both \
             columns one name if they mean the same",
            column(other),
            one.path.display(),
            column(one)
        );
        return Err(wrong(other.path, message));
    }
    let named = tables.iter().find_map(|table| table.names.as_ref());
    for table in tables {
        let other = table
            .names
            .as_ref()
            .is_some_and(|found| Some(found) != named);
        if other || table.classes() != first.classes() {
            let message = "its class names are not those of the files before it".to_owned();
            return Err(wrong(table.path, message));
        }
    }
    Ok(())
}

/// Names the columns that nothing is read from.
pub(super) fn unused(tables: &[Table<'_>]) -> Option<String> {
    let unused: BTreeSet<&String> = tables.iter().flat_map(|t| &t.columns.unused).collect();
    if unused.is_empty() {
        return None;
    }
    let names: Vec<String> = unused.iter().map(|name| format!("{name:?}")).collect();
    let label = tables.iter().find_map(|t| t.columns.label_name.as_ref());
    let label = label.map_or("none".to_owned(), |name| format!("{name:?}"));
    let names = names.join(", ");
    Some(format!(
        "columns of the Parquet files that are not used: {names}; label is {label}"
    ))
}
