//! The chain, as the database keeps it. Nothing here changes a row but what erases a person, and nothing
//! removes one but what cuts a whole old part off.

use onesql::{Json, Result, Sql, Timestamp, Tx};
use serde_json::{Value, json};
use sqlx::FromRow;
use uuid::Uuid;

use super::chain::{Checkpoint, Cut, Event, Hash, Link, NotHex, Personal, Salt};
use crate::kernel::{AuditId, InstallationId, SessionId, UserId};
use crate::vault::hex;

/// An event, and its link if it has one.
#[derive(FromRow)]
struct Row {
    seq: Option<i64>,
    event_id: AuditId,
    commitment: Option<Vec<u8>>,
    salt: Option<Vec<u8>>,
    hash: Option<Vec<u8>>,
    at: Option<Timestamp>,
    code: Option<String>,
    reason: Option<String>,
    actor_id: Option<UserId>,
    user_id: Option<UserId>,
    session_id: Option<SessionId>,
    request_id: Option<String>,
    ip_address: Option<String>,
    user_agent: Option<String>,
    email_hash: Option<Vec<u8>>,
    data: Option<Json<Value>>,
}

impl Row {
    fn event(self) -> Option<Event> {
        Some(Event {
            id: self.event_id,
            at: self.at?,
            code: self.code?,
            reason: self.reason,
            actor_id: self.actor_id,
            user_id: self.user_id,
            session_id: self.session_id,
            request_id: self.request_id,
            data: self.data?.0,
            personal: Personal {
                ip_address: self.ip_address,
                user_agent: self.user_agent,
                email_hash: self.email_hash.as_deref().map(hex),
            },
        })
    }

    fn link(&self) -> Option<Link> {
        let hash = |bytes: &Option<Vec<u8>>| Hash::try_from(bytes.clone()?).ok();
        Some(Link {
            seq: self.seq?,
            event_id: self.event_id,
            commitment: hash(&self.commitment).unwrap_or(NO_HASH),
            salt: self.salt.clone().map(|salt| Salt::try_from(salt).unwrap_or(NO_SALT)),
            hash: hash(&self.hash).unwrap_or(NO_HASH),
        })
    }
}

/// What somebody put in the place of bytes that have another length is no hash of anything.
const NO_HASH: Hash = Hash::NONE;
const NO_SALT: Salt = Salt::NONE;

macro_rules! of_event {
    () => {
        "e.at, e.code, e.reason, e.actor_id, e.user_id, e.session_id, e.request_id, e.ip_address,
         e.user_agent, e.email_hash, e.data"
    };
}

/// Lists events that have no link, from `from` on, in the order of their names.
pub(super) async fn unsealed(tx: &mut Tx, from: Uuid, at_most: i64) -> Result<Vec<Event>> {
    const UNSEALED: &str = concat!(
        "SELECT l.seq, e.id AS event_id, l.commitment, l.salt, l.hash, ",
        of_event!(),
        " FROM audit_events AS e
          LEFT JOIN audit_links AS l ON l.event_id = e.id AND l.event_id >= $1
          WHERE e.id >= $1 AND l.event_id IS NULL
          ORDER BY e.id LIMIT $2"
    );
    let rows: Vec<Row> = tx.query(UNSEALED).bind(from).bind(at_most).all().await?;
    Ok(rows.into_iter().filter_map(Row::event).collect())
}

/// Lists the names of events that have no link behind `seq`, from `from` on and before `until`.
pub(super) async fn without_link(
    tx: &mut Tx,
    seq: i64,
    from: Uuid,
    until: Uuid,
    at_most: i64,
) -> Result<Vec<AuditId>> {
    const WITHOUT: &str = "SELECT e.id FROM audit_events AS e
         WHERE e.id >= $1 AND e.id < $2 AND NOT EXISTS
             (SELECT 1 FROM audit_links AS l WHERE l.event_id = e.id AND l.seq > $3)
         ORDER BY e.id LIMIT $4";
    let rows: Vec<(AuditId,)> =
        tx.query(WITHOUT).bind(from).bind(until).bind(seq).bind(at_most).all().await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Lists the links behind `seq`, each with its event if that is there.
pub(super) async fn links(
    tx: &mut Tx,
    seq: i64,
    at_most: i64,
) -> Result<Vec<(Link, Option<Box<Event>>)>> {
    const LINKS: &str = concat!(
        "SELECT l.seq, l.event_id, l.commitment, l.salt, l.hash, ",
        of_event!(),
        " FROM audit_links AS l LEFT JOIN audit_events AS e ON e.id = l.event_id
          WHERE l.seq > $1 ORDER BY l.seq LIMIT $2"
    );
    let rows: Vec<Row> = tx.query(LINKS).bind(seq).bind(at_most).all().await?;
    let pair = |row: Row| Some((row.link()?, row.event().map(Box::new)));
    Ok(rows.into_iter().filter_map(pair).collect())
}

/// Writes links; another sealer that wrote one of them meanwhile makes it fail.
pub(super) async fn insert_links(tx: &mut Tx, links: &[Link]) -> Result<u64> {
    const INSERT: Sql = Sql {
        sqlite: "INSERT INTO audit_links (seq, event_id, commitment, salt, hash)
                 SELECT json_extract(value, '$.seq'), unhex(json_extract(value, '$.event'), '-'),
                        unhex(json_extract(value, '$.commitment')),
                        unhex(json_extract(value, '$.salt')), unhex(json_extract(value, '$.hash'))
                 FROM json_each($1)",
        postgres: "INSERT INTO audit_links (seq, event_id, commitment, salt, hash)
                   SELECT CAST(link ->> 'seq' AS BIGINT), CAST(link ->> 'event' AS UUID),
                          decode(link ->> 'commitment', 'hex'), decode(link ->> 'salt', 'hex'),
                          decode(link ->> 'hash', 'hex')
                   FROM jsonb_array_elements($1) AS link",
    };
    let rows = links.iter().map(|link| {
        json!({
            "seq": link.seq, "event": link.event_id, "commitment": link.commitment,
            "salt": link.salt, "hash": link.hash,
        })
    });
    tx.query(INSERT).bind(Json(rows.collect::<Value>())).execute().await
}

#[derive(FromRow)]
struct CheckpointRow {
    number: i64,
    seq: i64,
    hash: Vec<u8>,
    at: Timestamp,
    through: Timestamp,
    epoch: i64,
    kid: String,
    signature: String,
}

impl CheckpointRow {
    fn of(self, installation: InstallationId) -> Checkpoint {
        Checkpoint {
            installation,
            number: self.number,
            seq: self.seq,
            hash: known(self.hash.try_into()),
            at: self.at,
            through: self.through,
            epoch: self.epoch,
            kid: self.kid,
            signature: self.signature,
        }
    }
}

fn known(hash: std::result::Result<Hash, NotHex>) -> Hash {
    hash.unwrap_or(NO_HASH)
}

/// Finds the last link.
pub(super) async fn last_link(tx: &mut Tx) -> Result<Option<(i64, Hash)>> {
    let row: Option<(i64, Vec<u8>)> =
        tx.query("SELECT seq, hash FROM audit_links ORDER BY seq DESC LIMIT 1").optional().await?;
    Ok(row.map(|(seq, hash)| (seq, known(hash.try_into()))))
}

/// Finds the hash of a link.
pub(super) async fn hash_of(tx: &mut Tx, seq: i64) -> Result<Option<Hash>> {
    let row: Option<(Vec<u8>,)> =
        tx.query("SELECT hash FROM audit_links WHERE seq = $1").bind(seq).optional().await?;
    Ok(row.map(|(hash,)| known(hash.try_into())))
}

macro_rules! checkpoints {
    ($which:literal) => {
        concat!(
            "SELECT number, seq, hash, at, through, epoch, kid, signature FROM audit_checkpoints ",
            $which
        )
    };
}

/// Finds the last checkpoint.
pub(super) async fn last_checkpoint(
    tx: &mut Tx,
    installation: InstallationId,
) -> Result<Option<Checkpoint>> {
    let row: Option<CheckpointRow> =
        tx.query(checkpoints!("ORDER BY number DESC LIMIT 1")).optional().await?;
    Ok(row.map(|row| row.of(installation)))
}

/// Finds the last checkpoint that covers no link behind `seq`.
pub(super) async fn checkpoint_up_to(
    tx: &mut Tx,
    installation: InstallationId,
    seq: i64,
) -> Result<Option<Checkpoint>> {
    let row: Option<CheckpointRow> = tx
        .query(checkpoints!("WHERE seq <= $1 ORDER BY seq DESC, number DESC LIMIT 1"))
        .bind(seq)
        .optional()
        .await?;
    Ok(row.map(|row| row.of(installation)))
}

/// Finds the last checkpoint that was made before `before`.
pub(super) async fn checkpoint_before(
    tx: &mut Tx,
    installation: InstallationId,
    before: Timestamp,
) -> Result<Option<Checkpoint>> {
    let row: Option<CheckpointRow> = tx
        .query(checkpoints!("WHERE at <= $1 ORDER BY number DESC LIMIT 1"))
        .bind(before)
        .optional()
        .await?;
    Ok(row.map(|row| row.of(installation)))
}

/// Lists the checkpoints of the links up to `seq`, behind the one with the number `behind`.
pub(super) async fn checkpoints(
    tx: &mut Tx,
    installation: InstallationId,
    behind: i64,
    seq: i64,
    at_most: i64,
) -> Result<Vec<Checkpoint>> {
    let rows: Vec<CheckpointRow> = tx
        .query(checkpoints!("WHERE number > $1 AND seq <= $2 ORDER BY number LIMIT $3"))
        .bind(behind)
        .bind(seq)
        .bind(at_most)
        .all()
        .await?;
    Ok(rows.into_iter().map(|row| row.of(installation)).collect())
}

/// Writes a checkpoint.
pub(super) async fn insert_checkpoint(tx: &mut Tx, checkpoint: &Checkpoint) -> Result<()> {
    tx.query(
        "INSERT INTO audit_checkpoints (number, seq, hash, at, through, epoch, kid, signature)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(checkpoint.number)
    .bind(checkpoint.seq)
    .bind(checkpoint.hash.as_bytes().to_vec())
    .bind(checkpoint.at)
    .bind(checkpoint.through)
    .bind(checkpoint.epoch)
    .bind(checkpoint.kid.clone())
    .bind(checkpoint.signature.clone())
    .execute()
    .await?;
    Ok(())
}

/// Finds where the chain was cut off last.
pub(super) async fn last_cut(tx: &mut Tx, installation: InstallationId) -> Result<Option<Cut>> {
    type Row = (i64, Vec<u8>, i64, Timestamp, String, String);
    let row: Option<Row> = tx
        .query(
            "SELECT seq, hash, number, at, kid, signature FROM audit_cuts
             ORDER BY seq DESC LIMIT 1",
        )
        .optional()
        .await?;
    Ok(row.map(|(seq, hash, number, at, kid, signature)| {
        let hash = known(hash.try_into());
        Cut { installation, number, seq, hash, at, kid, signature }
    }))
}

/// Writes where the chain is cut off.
pub(super) async fn insert_cut(tx: &mut Tx, cut: &Cut) -> Result<()> {
    tx.query(
        "INSERT INTO audit_cuts (seq, hash, number, at, kid, signature)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(cut.seq)
    .bind(cut.hash.as_bytes().to_vec())
    .bind(cut.number)
    .bind(cut.at)
    .bind(cut.kid.clone())
    .bind(cut.signature.clone())
    .execute()
    .await?;
    Ok(())
}

/// Finds the first link.
pub(super) async fn first_link(tx: &mut Tx) -> Result<Option<i64>> {
    let row: Option<(i64,)> =
        tx.query("SELECT seq FROM audit_links ORDER BY seq LIMIT 1").optional().await?;
    Ok(row.map(|(seq,)| seq))
}

/// Removes the links up to `seq` with their events, and returns how many events that were.
pub(super) async fn remove_up_to(tx: &mut Tx, seq: i64) -> Result<u64> {
    let events = tx
        .query(
            "DELETE FROM audit_events WHERE id IN
                 (SELECT event_id FROM audit_links WHERE seq <= $1)",
        )
        .bind(seq)
        .execute()
        .await?;
    tx.query("DELETE FROM audit_links WHERE seq <= $1").bind(seq).execute().await?;
    Ok(events)
}

/// Removes the checkpoints before the one with the number `number`.
pub(super) async fn remove_checkpoints(tx: &mut Tx, number: i64) -> Result<u64> {
    tx.query("DELETE FROM audit_checkpoints WHERE number < $1").bind(number).execute().await
}

/// Lists who was erased, of the events from `from` on that have no link yet.
pub(super) async fn erased_unsealed(tx: &mut Tx, from: Uuid) -> Result<Vec<UserId>> {
    let rows: Vec<(UserId,)> = tx
        .query(
            "SELECT e.user_id FROM audit_events AS e
             WHERE e.id >= $1 AND e.code = 'PERSON_ERASED' AND e.user_id IS NOT NULL AND NOT EXISTS
                 (SELECT 1 FROM audit_links AS l WHERE l.event_id = e.id)",
        )
        .bind(from)
        .all()
        .await?;
    Ok(rows.into_iter().map(|(person,)| person).collect())
}

/// Erases what is personal of a person, of what is sealed, and returns of how many events. Where an
/// administrator did something to the person, the address is the administrator's.
pub(super) async fn erase(tx: &mut Tx, person: UserId) -> Result<u64> {
    const SALTS: &str = "UPDATE audit_links SET salt = NULL
         WHERE salt IS NOT NULL AND event_id IN
             (SELECT id FROM audit_events
              WHERE actor_id = $1 OR (user_id = $1 AND actor_id IS NULL))";
    const EVENTS: &str = "UPDATE audit_events
         SET ip_address = NULL, user_agent = NULL, email_hash = NULL
         WHERE (actor_id = $1 OR (user_id = $1 AND actor_id IS NULL))
           AND (ip_address IS NOT NULL OR user_agent IS NOT NULL OR email_hash IS NOT NULL)
           AND EXISTS (SELECT 1 FROM audit_links
                       WHERE event_id = audit_events.id AND salt IS NULL)";
    let links = tx.query(SALTS).bind(person).execute().await?;
    tx.query(EVENTS).bind(person).execute().await?;
    Ok(links)
}
