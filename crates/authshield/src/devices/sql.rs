//! Known devices, as the database knows them.

use std::net::IpAddr;

use onesql::{Result, Timestamp, Tx};
use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;

use crate::kernel::UserId;

/// A device in a network, seen now.
pub(super) struct Device {
    /// A keyed hash of all that it is told apart by.
    pub(super) key: Vec<u8>,
    pub(super) user: UserId,
    pub(super) label: String,
    pub(super) network: String,
    pub(super) now: Timestamp,
    /// When it is forgotten.
    pub(super) expires_at: Timestamp,
}

/// Notes a sign-in, and returns how many there were from there, with this one. Of two at once one is the
/// first.
pub(super) async fn see(tx: &mut Tx, device: Device) -> Result<i64> {
    let (sign_ins,): (i64,) = tx
        .query(
            "INSERT INTO known_devices (device, user_id, label, network, sign_ins, first_seen_at,
                                        last_seen_at, expires_at)
             VALUES ($1, $2, $3, $4, 1, $5, $5, $6)
             ON CONFLICT (device) DO UPDATE
             SET sign_ins = CASE WHEN known_devices.expires_at > $5
                                 THEN known_devices.sign_ins + 1 ELSE 1 END,
                 first_seen_at = CASE WHEN known_devices.expires_at > $5
                                      THEN known_devices.first_seen_at ELSE $5 END,
                 last_seen_at = $5, expires_at = $6
             RETURNING sign_ins",
        )
        .bind(device.key)
        .bind(device.user)
        .bind(device.label)
        .bind(device.network)
        .bind(device.now)
        .bind(device.expires_at)
        .one()
        .await?;
    Ok(sign_ins)
}

/// Whether a device is known and not forgotten.
pub(super) async fn is_known(tx: &mut Tx, device: Vec<u8>, now: Timestamp) -> Result<bool> {
    let found: Option<(i64,)> = tx
        .query("SELECT sign_ins FROM known_devices WHERE device = $1 AND expires_at > $2")
        .bind(device)
        .bind(now)
        .optional()
        .await?;
    Ok(found.is_some())
}

/// A network in which somebody signed in with some device.
#[derive(Debug, FromRow)]
pub struct Network {
    network: String,
    /// When last.
    pub last_seen_at: Timestamp,
}

impl Network {
    /// Returns its address, the first of an IPv6 /64.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.network.split('/').next()?.parse().ok()
    }
}

/// How many networks are compared with.
const COMPARED: i64 = 100;

/// Lists the networks of somebody that are not forgotten, the last used first.
pub async fn networks(tx: &mut Tx, user: UserId, now: Timestamp) -> Result<Vec<Network>> {
    tx.query(
        "SELECT network, last_seen_at FROM known_devices WHERE user_id = $1 AND expires_at > $2
         ORDER BY last_seen_at DESC, device LIMIT $3",
    )
    .bind(user)
    .bind(now)
    .bind(COMPARED)
    .all()
    .await
}

/// How many devices of somebody are known.
#[derive(Debug, Clone, Copy, FromRow)]
pub(super) struct Known {
    pub(super) all: i64,
    /// Those seen first since a while.
    pub(super) recent: i64,
}

/// Counts the devices of somebody that are not forgotten.
pub(super) async fn known(
    tx: &mut Tx,
    user: UserId,
    now: Timestamp,
    recent: Timestamp,
) -> Result<Known> {
    tx.query(
        "SELECT COUNT(*) AS \"all\",
                COUNT(CASE WHEN first_seen_at > $3 THEN 1 END) AS recent
         FROM known_devices WHERE user_id = $1 AND expires_at > $2",
    )
    .bind(user)
    .bind(now)
    .bind(recent)
    .one()
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
