//! Counting in one row of the database, durably, and nothing else.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use onesql::{Sql, Store};
use tokio::runtime::Runtime;

use crate::base::{Base, Kind, runtime};
use crate::stats::Spread;

/// A table with one row.
pub(crate) struct Counter {
    runtime: Runtime,
    store: Store,
    _base: Base,
}

impl Counter {
    /// Makes the table in a database of its own.
    pub(crate) fn prepare(kind: &Kind, folder: &Path) -> Result<Self> {
        let base = Base::create(kind, folder)?;
        let runtime = runtime()?;
        let store = runtime.block_on(async {
            let store = base.open(1).await?;
            let mut tx = store.write().await?;
            tx.query(Sql {
                sqlite: "CREATE TABLE counters (key BLOB PRIMARY KEY, count INTEGER NOT NULL) STRICT",
                postgres: "CREATE TABLE counters (key BYTEA PRIMARY KEY, count BIGINT NOT NULL)",
            })
            .execute()
            .await?;
            tx.commit().await?;
            Ok::<_, anyhow::Error>(store)
        })?;
        Ok(Self { runtime, store, _base: base })
    }

    /// Returns how long one count takes, in the middle, in microseconds.
    pub(crate) fn takes(&self, span: Duration) -> Result<f64> {
        self.runtime.block_on(async {
            let (begun, mut took) = (Instant::now(), Vec::new());
            while begun.elapsed() < span {
                let began = Instant::now();
                count(&self.store).await?;
                took.push(began.elapsed().as_secs_f64() * 1e6);
            }
            Ok(Spread::of(took).median)
        })
    }
}

/// On PostgreSQL a statement that stands alone is a transaction.
async fn count(store: &Store) -> Result<()> {
    let stands_alone = store.kind() == "postgres";
    let mut tx = if stands_alone { store.glance().await? } else { store.write().await? };
    let _: (i64,) = tx
        .query(
            "INSERT INTO counters (key, count) VALUES ($1, 1)
             ON CONFLICT (key) DO UPDATE SET count = counters.count + 1 RETURNING count",
        )
        .bind(vec![0_u8; 16])
        .one()
        .await?;
    if !stands_alone {
        tx.commit().await?;
    }
    Ok(())
}
