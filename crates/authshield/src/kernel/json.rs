//! JSON that is told apart by what it says, and not by how it is written.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Returns the same with the members of every object in the order of their names.
#[must_use]
pub fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let map: BTreeMap<_, _> = map.into_iter().collect();
            let map = map.into_iter().map(|(key, value)| (key, sorted(value)));
            Value::Object(map.collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}
