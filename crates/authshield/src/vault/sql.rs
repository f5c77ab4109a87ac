//! Remembers keys and secrets, and knows every column that is sealed.

use onesql::{Result, Sql, Tx};
use zeroize::Zeroizing;

use super::rotation::KeyState;
use crate::config::SigningAlgorithm;
use crate::kernel::Timestamp;

/// A column of sealed values.
pub(super) struct Sealed {
    /// What its values are sealed for; see [`Sealed::purpose`].
    name: &'static str,
    /// Whether each row has a purpose of its own.
    by_row: bool,
    all: Sql,
    /// The first nine bytes of each value, which say under which key it was sealed, counted: there
    /// may be very many values.
    heads: &'static str,
    replace: &'static str,
}

impl Sealed {
    /// Returns what the value of the row `key` is sealed for.
    pub(super) fn purpose(&self, key: &str) -> String {
        if self.by_row { format!("{}/{key}", self.name) } else { self.name.to_owned() }
    }
}

const fn both(sql: &'static str) -> Sql {
    Sql { sqlite: sql, postgres: sql }
}

pub(super) const SIGNING_KEYS: Sealed = Sealed {
    name: "signing_keys.private_key",
    by_row: true,
    all: both("SELECT kid, private_key FROM signing_keys"),
    heads: "SELECT SUBSTR(private_key, 1, 9), COUNT(*) FROM signing_keys
            WHERE private_key IS NOT NULL GROUP BY SUBSTR(private_key, 1, 9)",
    replace: "UPDATE signing_keys SET private_key = $2 WHERE private_key = $1",
};

pub(super) const SECRETS: Sealed = Sealed {
    name: "secrets.sealed",
    by_row: true,
    all: both("SELECT name, sealed FROM secrets"),
    heads: "SELECT SUBSTR(sealed, 1, 9), COUNT(*) FROM secrets
            WHERE sealed IS NOT NULL GROUP BY SUBSTR(sealed, 1, 9)",
    replace: "UPDATE secrets SET sealed = $2 WHERE sealed = $1",
};

const MAIL: Sealed = Sealed {
    name: super::MAIL_VARIABLES,
    by_row: false,
    all: both("SELECT '', variables FROM mail_messages WHERE variables IS NOT NULL"),
    heads: "SELECT SUBSTR(variables, 1, 9), COUNT(*) FROM mail_messages
            WHERE variables IS NOT NULL GROUP BY SUBSTR(variables, 1, 9)",
    replace: "UPDATE mail_messages SET variables = $2 WHERE variables = $1",
};

const SUPPRESSIONS: Sealed = Sealed {
    name: super::SUPPRESSED_ADDRESS,
    by_row: false,
    all: both("SELECT '', address FROM mail_suppressions"),
    heads: "SELECT SUBSTR(address, 1, 9), COUNT(*) FROM mail_suppressions
            GROUP BY SUBSTR(address, 1, 9)",
    replace: "UPDATE mail_suppressions SET address = $2 WHERE address = $1",
};

const WEBHOOKS: Sealed = Sealed {
    name: super::WEBHOOK_PAYLOAD,
    by_row: false,
    all: both("SELECT '', payload FROM mail_webhooks"),
    heads: "SELECT SUBSTR(payload, 1, 9), COUNT(*) FROM mail_webhooks
            GROUP BY SUBSTR(payload, 1, 9)",
    replace: "UPDATE mail_webhooks SET payload = $2 WHERE payload = $1",
};

/// Each is sealed for its account, whose id both databases write as 32 digits.
pub(super) const TOTP_SECRETS: Sealed = Sealed {
    name: "totp_secrets.secret",
    by_row: true,
    all: Sql {
        sqlite: "SELECT HEX(user_id), secret FROM totp_secrets",
        postgres: "SELECT TRANSLATE(CAST(user_id AS TEXT), 'abcdef-', 'ABCDEF'), secret
                   FROM totp_secrets",
    },
    heads: "SELECT SUBSTR(secret, 1, 9), COUNT(*) FROM totp_secrets
            GROUP BY SUBSTR(secret, 1, 9)",
    replace: "UPDATE totp_secrets SET secret = $2 WHERE secret = $1",
};

/// Every column of sealed values: a new one belongs here.
pub(super) const SEALED: [Sealed; 6] =
    [SIGNING_KEYS, SECRETS, MAIL, SUPPRESSIONS, WEBHOOKS, TOTP_SECRETS];

/// A sealed value and the row it belongs to.
#[derive(sqlx::FromRow)]
pub(super) struct SealedRow {
    pub(super) key: String,
    pub(super) sealed: Vec<u8>,
}

/// Lists the values of a sealed column.
pub(super) async fn sealed_values(tx: &mut Tx, column: &Sealed) -> Result<Vec<SealedRow>> {
    let rows: Vec<(String, Vec<u8>)> = tx.query(column.all).all().await?;
    Ok(rows.into_iter().map(|(key, sealed)| SealedRow { key, sealed }).collect())
}

/// Counts the values of a sealed column by their first bytes.
pub(super) async fn sealed_heads(tx: &mut Tx, column: &Sealed) -> Result<Vec<(Vec<u8>, i64)>> {
    tx.query(column.heads).all().await
}

/// Puts another value in the place of a sealed one, unless it was replaced meanwhile. No two sealed
/// values are the same, so the old one says which row.
pub(super) async fn replace_sealed(
    tx: &mut Tx,
    column: &Sealed,
    row: &SealedRow,
    sealed: &[u8],
) -> Result<()> {
    tx.query(column.replace).bind(row.sealed.clone()).bind(sealed.to_vec()).execute().await?;
    Ok(())
}

/// Finds a secret of the server.
pub(super) async fn find_secret(tx: &mut Tx, name: &str) -> Result<Option<Vec<u8>>> {
    let row: Option<(Vec<u8>,)> = tx
        .query("SELECT sealed FROM secrets WHERE name = $1")
        .bind(name.to_owned())
        .optional()
        .await?;
    Ok(row.map(|(sealed,)| sealed))
}

/// Writes a secret of the server, if there is none.
pub(super) async fn insert_secret(
    tx: &mut Tx,
    name: &str,
    sealed: &[u8],
    now: Timestamp,
) -> Result<()> {
    tx.query(
        "INSERT INTO secrets (name, sealed, created_at) VALUES ($1, $2, $3)
         ON CONFLICT DO NOTHING",
    )
    .bind(name.to_owned())
    .bind(sealed.to_vec())
    .bind(now)
    .execute()
    .await?;
    Ok(())
}

/// A signing key as it is stored.
pub(super) struct KeyRow {
    pub(super) state: KeyState,
    pub(super) sealed: Zeroizing<Vec<u8>>,
}

#[derive(sqlx::FromRow)]
struct RawKeyRow {
    kid: String,
    generation: i64,
    algorithm: String,
    private_key: Vec<u8>,
    created_at: Timestamp,
    active_from: Timestamp,
    expires_at: Option<Timestamp>,
}

/// Lists the signing keys that are not past their end, the oldest first; an algorithm that we do not
/// know, as a newer version may have written it, is skipped.
pub(super) async fn keys(tx: &mut Tx, now: Timestamp) -> Result<Vec<KeyRow>> {
    let rows: Vec<RawKeyRow> = tx
        .query(
            "SELECT kid, generation, algorithm, private_key, created_at, active_from, expires_at
             FROM signing_keys
             WHERE expires_at IS NULL OR expires_at > $1
             ORDER BY generation",
        )
        .bind(now)
        .all()
        .await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            let state = KeyState {
                kid: row.kid,
                generation: row.generation,
                algorithm: algorithm(&row.algorithm)?,
                created_at: row.created_at,
                active_from: row.active_from,
                expires_at: row.expires_at,
            };
            Some(KeyRow { state, sealed: Zeroizing::new(row.private_key) })
        })
        .collect())
}

/// Writes a signing key; returns false if another node wrote one of its generation before.
pub(super) async fn insert_key(tx: &mut Tx, state: &KeyState, sealed: &[u8]) -> Result<bool> {
    let rows = tx
        .query(
            "INSERT INTO signing_keys
                 (kid, generation, algorithm, private_key, created_at, active_from, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT DO NOTHING",
        )
        .bind(state.kid.clone())
        .bind(state.generation)
        .bind(algorithm_name(state.algorithm))
        .bind(sealed.to_vec())
        .bind(state.created_at)
        .bind(state.active_from)
        .bind(state.expires_at)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// Lets the key of `generation` sign from `from` on, if it was to do so later.
pub(super) async fn promote(tx: &mut Tx, generation: i64, from: Timestamp) -> Result<bool> {
    let rows = tx
        .query(
            "UPDATE signing_keys SET active_from = $2 WHERE generation = $1 AND active_from > $2",
        )
        .bind(generation)
        .bind(from)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// Ends the keys before `generation` at `at`, those that do not end earlier.
pub(super) async fn retire_before(tx: &mut Tx, generation: i64, at: Timestamp) -> Result<()> {
    tx.query(
        "UPDATE signing_keys SET expires_at = $2
         WHERE generation < $1 AND (expires_at IS NULL OR expires_at > $2)",
    )
    .bind(generation)
    .bind(at)
    .execute()
    .await?;
    Ok(())
}

/// Lets the key of `generation` live until `at`, if it was to end earlier.
pub(super) async fn extend(tx: &mut Tx, generation: i64, at: Timestamp) -> Result<()> {
    tx.query("UPDATE signing_keys SET expires_at = $2 WHERE generation = $1 AND expires_at < $2")
        .bind(generation)
        .bind(at)
        .execute()
        .await?;
    Ok(())
}

/// Deletes the keys before `generation`.
pub(super) async fn delete_before(tx: &mut Tx, generation: i64) -> Result<()> {
    tx.query("DELETE FROM signing_keys WHERE generation < $1").bind(generation).execute().await?;
    Ok(())
}

/// Deletes the keys that are past their end.
pub(super) async fn delete_expired(tx: &mut Tx, now: Timestamp) -> Result<u64> {
    tx.query("DELETE FROM signing_keys WHERE expires_at <= $1").bind(now).execute().await
}

/// Returns whether a key is past its end.
pub(super) async fn has_expired(tx: &mut Tx, now: Timestamp) -> Result<bool> {
    let (count,): (i64,) = tx
        .query("SELECT COUNT(*) FROM signing_keys WHERE expires_at <= $1")
        .bind(now)
        .one()
        .await?;
    Ok(count > 0)
}

pub(super) fn algorithm_name(algorithm: SigningAlgorithm) -> &'static str {
    match algorithm {
        SigningAlgorithm::Es256 => "ES256",
        SigningAlgorithm::EdDsa => "EdDSA",
        SigningAlgorithm::Rs256 => "RS256",
    }
}

fn algorithm(name: &str) -> Option<SigningAlgorithm> {
    [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa, SigningAlgorithm::Rs256]
        .into_iter()
        .find(|algorithm| algorithm_name(*algorithm) == name)
}
