//! Known devices, as the database knows them.

use std::net::IpAddr;

use onesql::{Result, Sql, Timestamp, Tx};
use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;

use crate::kernel::UserId;
use crate::sessions::{Opening, open_session};

/// A device in a network, from which a session opens.
pub(super) struct Device {
    /// A keyed hash of all that it is told apart by.
    pub(super) key: Vec<u8>,
    pub(super) network: String,
    /// When it is forgotten.
    pub(super) expires_at: Timestamp,
}

/// What is known once a sign-in was noted.
#[derive(Debug, Clone, Copy, FromRow)]
pub(super) struct Noted {
    /// How many sign-ins there were from there, with this one.
    pub(super) sign_ins: i64,
    /// How many other devices of the account are known; not counted where there were sign-ins before.
    pub(super) others: i64,
    /// Those of them seen first since a while.
    pub(super) recent: i64,
}

/// Opens a session, and notes the sign-in; neither, if it may not open. Of two at once one is the first.
///
/// SQLite runs both on one way to its thread and back, and the second goes by whether the first changed a row;
/// PostgreSQL does both in one statement. It counts what was known before it waited for the account.
pub(super) async fn open(
    tx: &mut Tx,
    opening: Opening<'_>,
    device: Device,
    recent: Timestamp,
) -> Result<Option<Noted>> {
    macro_rules! note {
        ($opened:literal) => {
            concat!(
                "INSERT INTO known_devices (device, user_id, label, network, sign_ins,
                                            first_seen_at, last_seen_at, expires_at)
                 SELECT $13, $2, $7, $14, 1, $12, $12, $15 ",
                $opened,
                " ON CONFLICT (device) DO UPDATE
                  SET sign_ins = CASE WHEN known_devices.expires_at > $12
                                      THEN known_devices.sign_ins + 1 ELSE 1 END,
                      first_seen_at = CASE WHEN known_devices.expires_at > $12
                                           THEN known_devices.first_seen_at ELSE $12 END,
                      last_seen_at = $12, expires_at = $15
                  RETURNING sign_ins,
                      CASE WHEN sign_ins > 1 THEN 0 ELSE
                          (SELECT COUNT(*) FROM known_devices AS o
                           WHERE o.user_id = $2 AND o.expires_at > $12 AND o.device <> $13)
                          END AS others,
                      CASE WHEN sign_ins > 1 THEN 0 ELSE
                          (SELECT COUNT(*) FROM known_devices AS o
                           WHERE o.user_id = $2 AND o.expires_at > $12 AND o.device <> $13
                             AND o.first_seen_at > $16) END AS recent"
            )
        };
    }
    const OPEN: Sql = Sql {
        sqlite: concat!(open_session!("IS", ""), "; ", note!("WHERE changes() = 1")),
        postgres: concat!(
            "WITH opened AS (",
            open_session!("IS NOT DISTINCT FROM", "FOR SHARE"),
            " RETURNING id) ",
            note!("FROM opened")
        ),
    };
    opening
        .bind(tx.query(OPEN))
        .bind(device.key)
        .bind(device.network)
        .bind(device.expires_at)
        .bind(recent)
        .optional()
        .await
}

/// Opens a session from a device that is known, and notes the sign-in, when `tx` is committed: that fails with
/// [`Unmet`](onesql::Error::Unmet) if the session may not open, or if the device is not known any more.
pub(super) async fn open_from_known(
    tx: &mut Tx,
    opening: Opening<'_>,
    device: Device,
) -> Result<()> {
    macro_rules! note {
        ($opened:literal) => {
            concat!(
                "; UPDATE known_devices
                 SET sign_ins = sign_ins + 1, last_seen_at = $12, expires_at = $14
                 WHERE device = $13 AND expires_at > $12",
                $opened
            )
        };
    }
    const OPEN: Sql = Sql {
        sqlite: concat!(open_session!("IS", ""), note!(" AND changes() = 1")),
        postgres: concat!(open_session!("IS NOT DISTINCT FROM", "FOR SHARE"), note!("")),
    };
    opening.bind(tx.beside(OPEN)).bind(device.key).bind(device.expires_at).later_or_undo().await
}

/// What a device of that kind in that network is kept under as the column `device`, if the account `u` was used from there
/// before.
macro_rules! known_device {
    ($label:literal, $network:literal, $now:literal) => {
        concat!(
            "(SELECT d.device FROM known_devices AS d
              WHERE d.user_id = u.id AND d.label = ",
            $label,
            " AND d.network = ",
            $network,
            " AND d.expires_at > ",
            $now,
            " LIMIT 1) AS device"
        )
    };
}
pub(crate) use known_device;

/// A network in which somebody signed in with some device.
#[derive(Debug, FromRow)]
pub struct Network {
    #[sqlx(rename = "network")]
    block: String,
    /// When last.
    pub last_seen_at: Timestamp,
    /// Whether the client's kind of device is known there, and it is the client's.
    pub is_here: bool,
}

impl Network {
    /// Returns its address, the first of an IPv6 /64.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.block.split('/').next()?.parse().ok()
    }
}

/// How many networks are compared with.
const COMPARED: i64 = 100;

/// Lists the networks of somebody that are not forgotten, the last used first; of a device that is known and not
/// forgotten, only that it is `here`.
pub(super) async fn networks(
    tx: &mut Tx,
    user: UserId,
    here: Vec<u8>,
    now: Timestamp,
) -> Result<Vec<Network>> {
    tx.query(
        "SELECT network, last_seen_at, TRUE AS is_here FROM known_devices
         WHERE device = $3 AND expires_at > $2
         UNION ALL
         SELECT network, last_seen_at, FALSE AS is_here FROM
             (SELECT network, last_seen_at FROM known_devices
              WHERE user_id = $1 AND expires_at > $2
                AND NOT EXISTS (SELECT 1 FROM known_devices WHERE device = $3 AND expires_at > $2)
              ORDER BY last_seen_at DESC, device LIMIT $4) AS elsewhere",
    )
    .bind(user)
    .bind(now)
    .bind(here)
    .bind(COMPARED)
    .all()
    .await
}

/// Forgets the devices of somebody that were seen first at `since` or later.
pub async fn forget_since(tx: &mut Tx, user: UserId, since: Timestamp) -> Result<u64> {
    tx.query("DELETE FROM known_devices WHERE user_id = $1 AND first_seen_at >= $2")
        .bind(user)
        .bind(since)
        .execute()
        .await
}

/// A device from which somebody signed in.
#[derive(Debug, Serialize, FromRow, ToSchema)]
pub struct ExportedDevice {
    label: String,
    network: String,
    sign_ins: i64,
    #[schema(value_type = String, format = DateTime)]
    first_seen_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    last_seen_at: Timestamp,
}

/// Lists the devices of an account, the last used first.
pub async fn of(tx: &mut Tx, user: UserId, at_most: i64) -> Result<Vec<ExportedDevice>> {
    tx.query(
        "SELECT label, network, sign_ins, first_seen_at, last_seen_at FROM known_devices
         WHERE user_id = $1 ORDER BY last_seen_at DESC, device LIMIT $2",
    )
    .bind(user)
    .bind(at_most)
    .all()
    .await
}
