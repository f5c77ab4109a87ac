//! Turning one row of the database into its successor, durably, and nothing else.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use onesql::{Sql, Store};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::base::{Base, Kind, random_id, runtime};
use crate::load::Window;

/// A table with a row for each of those who rotate.
pub(crate) struct Rotation {
    runtime: Runtime,
    store: Store,
    tokens: Vec<Uuid>,
    _base: Base,
}

impl Rotation {
    /// Makes the table in a database of its own, for `count` at a time.
    pub(crate) fn prepare(kind: &Kind, folder: &std::path::Path, count: u32) -> Result<Self> {
        let base = Base::create(kind, folder)?;
        let runtime = runtime()?;
        let (store, tokens) = runtime.block_on(async {
            let store = base.open(count).await?;
            let mut tx = store.write().await?;
            tx.query(Sql {
                sqlite: "CREATE TABLE tokens (token BLOB PRIMARY KEY, session BLOB NOT NULL,
                                              used INTEGER NOT NULL) STRICT",
                postgres: "CREATE TABLE tokens (token UUID PRIMARY KEY, session UUID NOT NULL,
                                                used BIGINT NOT NULL)",
            })
            .execute()
            .await?;
            let mut tokens = Vec::new();
            for _ in 0..count {
                let token = random_id();
                insert(&mut tx, token, token).await?;
                tokens.push(token);
            }
            tx.commit().await?;
            Ok::<_, anyhow::Error>((store, tokens))
        })?;
        Ok(Self { runtime, store, tokens, _base: base })
    }

    /// Returns how many rotations per second `count` at a time get done.
    pub(crate) fn rate(&mut self, count: usize, window: Window) -> Result<f64> {
        let from = Instant::now() + window.warm_up;
        let until = from + window.span;
        self.runtime.block_on(async {
            let mut running = JoinSet::new();
            for (place, token) in self.tokens.iter().copied().enumerate().take(count) {
                let store = self.store.clone();
                running.spawn(async move {
                    let (mut token, mut done) = (token, 0_u32);
                    loop {
                        token = rotate(&store, token).await?;
                        let now = Instant::now();
                        if now >= until {
                            return Ok::<_, anyhow::Error>((place, token, done));
                        }
                        done += u32::from(now >= from);
                    }
                });
            }
            let mut sum = 0;
            while let Some(rotated) = running.join_next().await {
                let (place, token, done) = rotated.context("a rotation panicked")??;
                self.tokens[place] = token;
                sum += done;
            }
            Ok(f64::from(sum) / Duration::as_secs_f64(&window.span))
        })
    }
}

async fn rotate(store: &Store, token: Uuid) -> Result<Uuid> {
    let mut tx = store.write().await?;
    let (session,): (Uuid,) = tx
        .query("UPDATE tokens SET used = 1 WHERE token = $1 AND used = 0 RETURNING session")
        .bind(token)
        .one()
        .await?;
    let successor = random_id();
    insert(&mut tx, successor, session).await?;
    tx.commit().await?;
    Ok(successor)
}

async fn insert(tx: &mut onesql::Tx, token: Uuid, session: Uuid) -> Result<u64> {
    let statement = "INSERT INTO tokens (token, session, used) VALUES ($1, $2, 0)";
    Ok(tx.query(statement).bind(token).bind(session).execute().await?)
}
