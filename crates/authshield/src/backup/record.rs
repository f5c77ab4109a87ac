//! What stands in a backup: one JSON document to a line.
//!
//! ```text
//! {"begin": …}                         whose, when, which schema
//! {"table": {"name", "columns"}}       then one line per row, in the order of the key
//! ["2026-…", {"b": "<base64>"}, null]  text, bytes, nothing, numbers
//! {"end": {"name", "rows", "sha256"}}
//! {"manifest": {"words", "public_key", "signature"}}
//! ```

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use onesql::{Cell, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::BackupError;
use crate::kernel::{AuditId, InstallationId, sorted};
use crate::seals::Checkpoint;
use crate::vault::hex;

/// One line that is not a row.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Record {
    Begin(Begin),
    Table(Columns),
    End(TableSum),
    Manifest(Signed),
}

/// What is known when a backup begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begin {
    /// Which installation.
    pub installation_id: InstallationId,
    /// The instant whose state it holds.
    pub made_at: Timestamp,
    /// The program that made it.
    pub version: String,
    /// From which database.
    pub database: String,
    /// The migrations that it has.
    pub migrations: Vec<i64>,
    /// The id of the master key under which its secrets are sealed; it tells nothing about the key.
    pub master_key_id: String,
    /// The last line of the audit trail.
    pub audit_head: Option<AuditId>,
    /// Where the chain of the audit trail stood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit_checkpoint: Option<Box<Checkpoint>>,
}

/// How a table begins.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Columns {
    pub(super) name: String,
    pub(super) columns: Vec<String>,
}

/// How much there is of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSum {
    /// Its name.
    pub name: String,
    /// How many rows.
    pub rows: u64,
    /// Over all values, in the order of the key.
    pub sha256: String,
}

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// How it began.
    #[serde(flatten)]
    pub begin: Begin,
    /// Its tables, parents first.
    pub tables: Vec<TableSum>,
}

/// A manifest, signed (Ed25519).
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Signed {
    /// The manifest as JSON: what is signed.
    pub(super) words: String,
    pub(super) public_key: String,
    pub(super) signature: String,
}

/// Returns a row as its line.
pub(super) fn write_row(row: &[Cell]) -> String {
    let cells = row.iter().map(|cell| match cell {
        Cell::Null => Value::Null,
        Cell::Whole(number) => json!(number),
        Cell::Text(text) => json!(text),
        Cell::Bytes(bytes) => json!({ "b": BASE64.encode(bytes) }),
    });
    Value::Array(cells.collect()).to_string()
}

/// Reads a row's line.
pub(super) fn read_row(line: &str) -> Result<Vec<Cell>, BackupError> {
    let strange = || BackupError::Strange("a row cannot be read".into());
    let cells: Vec<Value> = serde_json::from_str(line).map_err(|_| strange())?;
    cells
        .into_iter()
        .map(|cell| {
            Ok(match cell {
                Value::Null => Cell::Null,
                Value::Number(number) => Cell::Whole(number.as_i64().ok_or_else(strange)?),
                Value::String(text) => Cell::Text(text),
                Value::Object(map) => {
                    let text = map.get("b").and_then(Value::as_str).ok_or_else(strange)?;
                    Cell::Bytes(BASE64.decode(text).map_err(|_| strange())?)
                }
                Value::Bool(_) | Value::Array(_) => return Err(strange()),
            })
        })
        .collect()
}

/// Adds up a table, the same on both databases.
pub(super) struct Sum {
    context: Context,
    rows: u64,
}

impl Sum {
    pub(super) fn new() -> Self {
        Self { context: Context::new(&SHA256), rows: 0 }
    }

    pub(super) fn add(&mut self, row: &[Cell]) {
        self.rows += 1;
        for cell in row {
            match cell {
                Cell::Null => self.part(0, &[]),
                Cell::Whole(number) => self.part(1, &number.to_be_bytes()),
                Cell::Text(text) => self.part(2, canonical(text).as_bytes()),
                Cell::Bytes(bytes) => self.part(3, bytes),
            }
        }
    }

    fn part(&mut self, kind: u8, bytes: &[u8]) {
        self.context.update(&[kind]);
        self.context.update(&(bytes.len() as u64).to_be_bytes());
        self.context.update(bytes);
    }

    pub(super) fn end(self, name: &str) -> TableSum {
        TableSum {
            name: name.to_owned(),
            rows: self.rows,
            sha256: hex(self.context.finish().as_ref()),
        }
    }
}

/// PostgreSQL writes JSON in its own way, so it counts by what it says.
fn canonical(text: &str) -> std::borrow::Cow<'_, str> {
    if text.starts_with(['{', '['])
        && let Ok(value) = serde_json::from_str::<Value>(text)
    {
        return sorted(value).to_string().into();
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cell() -> impl Strategy<Value = Cell> {
        prop_oneof![
            Just(Cell::Null),
            any::<i64>().prop_map(Cell::Whole),
            any::<String>().prop_map(Cell::Text),
            any::<Vec<u8>>().prop_map(Cell::Bytes),
        ]
    }

    fn sum(rows: &[Vec<Cell>]) -> String {
        let mut sum = Sum::new();
        for row in rows {
            sum.add(row);
        }
        sum.end("t").sha256
    }

    proptest! {
        #[test]
        fn a_row_survives_being_written(row in prop::collection::vec(cell(), 0..8)) {
            let line = write_row(&row);
            prop_assert!(!line.contains('\n'));
            prop_assert_eq!(read_row(&line).unwrap(), row);
        }

        #[test]
        fn noise_is_no_row_and_no_panic(noise: String) {
            let _ = read_row(&noise);
            let _ = serde_json::from_str::<Record>(&noise);
        }
    }

    #[test]
    fn json_counts_by_what_it_says_and_all_else_by_its_letters() {
        let text = |text: &str| vec![vec![Cell::Text(text.into())]];
        assert_eq!(sum(&text(r#"{"b":[1, 2],"a":"x"}"#)), sum(&text(r#"{"a": "x", "b": [1,2]}"#)));
        assert_ne!(sum(&text(r#"{"a":1}"#)), sum(&text(r#"{"a":2}"#)));
        assert_ne!(sum(&text("a b")), sum(&text("a  b")));
        assert_ne!(sum(&text("1")), sum(&[vec![Cell::Whole(1)]]));
        let (a, b) = (Cell::Text("a".into()), Cell::Text("b".into()));
        let ab = Cell::Text("ab".into());
        assert_ne!(sum(&[vec![a.clone(), b]]), sum(&[vec![ab, a]]));
    }
}
