//! A chain in memory, and everything that somebody could do to it.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use super::chain::{Checkpoint, Cut, End, Event, Hash, Link, Personal, Salt};
use super::evidence::{self, EvidenceError};
use super::rules::{Break, Item, Report, Walk};
use crate::kernel::{AuditId, InstallationId, Timestamp, UserId};
use crate::vault::{SealKey, SealKeys};

const HOUSE: u128 = 7;

fn house() -> InstallationId {
    InstallationId::from(Uuid::from_u128(HOUSE))
}

fn key() -> SealKey {
    SealKey::new(&[9; 32])
}

fn instant(second: i64) -> Timestamp {
    Timestamp::from_microsecond(1_800_000_000_000_000 + second * 1_000_000)
}

fn named(second: i64, salt: u128) -> AuditId {
    let millis = instant(second).as_microsecond() / 1000;
    AuditId::from(Uuid::from_u128((u128::try_from(millis).unwrap() << 80) | salt))
}

fn event(second: i64) -> Event {
    Event {
        id: named(second, 1),
        at: instant(second),
        code: "LOGIN_FAILED".into(),
        reason: Some("wrong_password".into()),
        actor_id: None,
        user_id: Some(UserId::from(Uuid::from_u128(3))),
        session_id: None,
        request_id: Some(format!("r{second}")),
        data: json!({ "b": [1, 2], "a": "x" }),
        personal: Personal {
            ip_address: Some("192.0.2.1".into()),
            user_agent: Some("curl".into()),
            email_hash: Some("00ff".into()),
        },
    }
}

fn checkpoint(number: i64, link: &Link, second: i64) -> Item {
    let (kid, signature) = (String::new(), String::new());
    let at = instant(second);
    let (seq, hash) = (link.seq, link.hash);
    let installation = house();
    let epoch = 1;
    let made =
        Checkpoint { installation, number, seq, hash, at, through: at, epoch, kid, signature };
    Item::Checkpoint(made.signed(&key()))
}

/// Twelve events, a second apart, with a checkpoint behind every third.
fn good() -> Vec<Item> {
    let mut items = Vec::new();
    let mut before = Hash::first(house());
    for seq in 1..=12_i64 {
        let event = event(seq);
        let link = Link::new(seq, &before, &event, Salt::from([u8::try_from(seq).unwrap(); 16]));
        before = link.hash;
        items.push(Item::Link(link, Some(Box::new(event))));
        if seq % 3 == 0 {
            items.push(checkpoint(seq / 3, &link, seq));
        }
    }
    items
}

fn walk(items: Vec<Item>) -> Report {
    let keys = key().public();
    let mut walk = Walk::whole(&keys, house(), None);
    for item in items {
        walk.take(item);
    }
    walk.end()
}

fn link_at(items: &mut [Item], wanted: i64) -> (&mut Link, &mut Option<Box<Event>>) {
    items
        .iter_mut()
        .find_map(|item| match item {
            Item::Link(link, event) if link.seq == wanted => Some((link, event)),
            _ => None,
        })
        .expect("there is such a link")
}

#[test]
fn a_chain_that_nobody_touched_holds() {
    let report = walk(good());
    assert!(report.holds(), "{report:?}");
    assert_eq!((report.links, report.checkpoints), (12, 4));
    assert_eq!(report.head.unwrap().seq, 12);
}

/// What an auditor works out with other tools.
#[test]
fn the_chain_is_what_its_description_says() {
    let event = Event { data: json!({}), ..event(1) };
    let words = r#"{"email_hash":"00ff","ip_address":"192.0.2.1","user_agent":"curl"}"#;
    let mut bytes = b"authshield audit personal v1\0".to_vec();
    bytes.extend([5; 16]);
    bytes.extend(words.as_bytes());
    let sha256 = |bytes: &[u8]| {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
        Hash::try_from(digest.as_ref().to_vec()).unwrap()
    };
    let commitment = sha256(&bytes);
    let link = Link::new(1, &Hash::first(house()), &event, Salt::from([5; 16]));
    assert_eq!(link.commitment, commitment);

    let words = format!(
        r#"{{"actor_id":null,"at":"{}","code":"LOGIN_FAILED","data":{{}},"id":"{}","personal":"{commitment}","reason":"wrong_password","request_id":"r1","session_id":null,"user_id":"00000000-0000-0000-0000-000000000003"}}"#,
        event.at, event.id,
    );
    let first = [&b"authshield audit chain v1\0"[..], &HOUSE.to_be_bytes()].concat();
    let mut bytes = b"authshield audit link v1\0".to_vec();
    bytes.extend(sha256(&first).as_bytes());
    bytes.extend(1_i64.to_be_bytes());
    bytes.extend(sha256(words.as_bytes()).as_bytes());
    assert_eq!(link.hash, sha256(&bytes));
}

/// Something that somebody does to an event, and its name.
type Change = (&'static str, fn(&mut Event));

#[test]
fn every_field_of_an_event_is_bound() {
    let someone = || UserId::from(Uuid::from_u128(66));
    let changes: Vec<Change> = vec![
        ("at", |event| event.at = event.at + Duration::from_micros(1)),
        ("code", |event| event.code = "LOGIN_SUCCEEDED".into()),
        ("reason", |event| event.reason = None),
        ("request", |event| event.request_id = Some("other".into())),
        ("data", |event| event.data = json!({ "b": [2, 1], "a": "x" })),
        ("session", |event| event.session_id = Some(Uuid::from_u128(4).into())),
        ("address", |event| event.personal.ip_address = Some("192.0.2.2".into())),
        ("user agent", |event| event.personal.user_agent = None),
        ("email", |event| event.personal.email_hash = Some("00fe".into())),
    ];
    for (what, change) in changes {
        let mut items = good();
        change(link_at(&mut items, 5).1.as_mut().unwrap());
        let report = walk(items);
        let event = named(5, 1);
        let told = [Break::Changed { seq: 5, event }, Break::PersonalChanged { seq: 5, event }];
        assert_eq!(report.broken, 1, "{what}: {report:?}");
        assert!(told.contains(&report.breaks[0]), "{what}: {report:?}");
    }
    for who in [Some(someone()), None] {
        let mut items = good();
        link_at(&mut items, 5).1.as_mut().unwrap().user_id = who;
        assert_eq!(walk(items).broken, 1);
    }
    // What JSON says counts, and not how it is written.
    let mut items = good();
    link_at(&mut items, 5).1.as_mut().unwrap().data = json!({ "a": "x", "b": [1, 2] });
    assert!(walk(items).holds());
}

/// Works the links out anew from `from` on, as somebody does who knows how but has no key.
fn forge(items: &mut [Item], from: i64) {
    let mut before = Hash::first(house());
    for item in items {
        if let Item::Link(link, Some(event)) = item {
            if link.seq >= from {
                let salt = link.salt.unwrap_or(Salt::NONE);
                *link = Link::new(link.seq, &before, event, salt);
            }
            before = link.hash;
        }
    }
}

#[test]
fn who_works_the_chain_out_anew_has_no_key_for_the_checkpoints() {
    let mut items = good();
    link_at(&mut items, 5).1.as_mut().unwrap().code = "LOGIN_SUCCEEDED".into();
    forge(&mut items, 5);
    let report = walk(items.clone());
    let differs = |number: i64| Break::CheckpointDiffers { number, seq: number * 3 };
    assert_eq!(report.breaks, [differs(2), differs(3), differs(4)]);

    // Nor does a key of one's own help.
    let other = SealKey::new(&[10; 32]);
    let hashes: Vec<_> = (1..=12).map(|seq| link_at(&mut items, seq).0.hash).collect();
    for item in &mut items {
        if let Item::Checkpoint(made) = item {
            made.hash = hashes[usize::try_from(made.seq).unwrap() - 1];
            *made = made.clone().signed(&other);
        }
    }
    let report = walk(items.clone());
    assert!(matches!(report.breaks[0], Break::UnknownKey { .. }), "{report:?}");
    for item in &mut items {
        if let Item::Checkpoint(made) = item {
            key().kid().clone_into(&mut made.kid);
        }
    }
    let report = walk(items);
    assert!(matches!(report.breaks[0], Break::Forged { .. }), "{report:?}");
}

#[test]
fn what_is_taken_out_put_in_or_moved_is_found() {
    // An event.
    let mut items = good();
    *link_at(&mut items, 5).1 = None;
    assert_eq!(walk(items).breaks, [Break::Deleted { seq: 5, event: named(5, 1) }]);

    // An event and its link.
    let mut items = good();
    items.retain(|item| !matches!(item, Item::Link(link, _) if link.seq == 5));
    assert_eq!(walk(items).breaks, [Break::LinksMissing { expected: 5, found: 6 }]);

    // The same, and all that follows numbered and worked out anew.
    let mut items = good();
    items.retain(|item| !matches!(item, Item::Link(link, _) if link.seq == 5));
    let mut seq = 0;
    for item in &mut items {
        if let Item::Link(link, _) = item {
            seq += 1;
            link.seq = seq;
        }
    }
    forge(&mut items, 5);
    assert!(!walk(items).holds());

    // Two events in each other's place.
    let mut items = good();
    let one = link_at(&mut items, 5).1.clone();
    let other = std::mem::replace(link_at(&mut items, 6).1, one);
    *link_at(&mut items, 5).1 = other;
    let report = walk(items);
    let changed = |seq| Break::Changed { seq, event: named(seq, 1) };
    assert!(report.breaks.contains(&changed(5)) && report.breaks.contains(&changed(6)));

    // A checkpoint.
    let mut items = good();
    items.retain(|item| !matches!(item, Item::Checkpoint(made) if made.number == 2));
    assert_eq!(walk(items).breaks, [Break::CheckpointsMissing { expected: 2, found: 3 }]);

    // The beginning.
    let mut items = good();
    items.drain(..4);
    assert!(walk(items).breaks.contains(&Break::LinksMissing { expected: 1, found: 4 }));
}

fn noted(items: &[Item], number: i64) -> Checkpoint {
    let is_it = |item: &Item| match item {
        Item::Checkpoint(made) if made.number == number => Some(made.clone()),
        _ => None,
    };
    items.iter().find_map(is_it).expect("there is such a checkpoint")
}

fn walk_with(items: Vec<Item>, anchors: Vec<Checkpoint>) -> Report {
    let keys = key().public();
    let mut walk = Walk::whole(&keys, house(), None);
    walk.look_for(anchors);
    for item in items {
        walk.take(item);
    }
    walk.end()
}

#[test]
fn the_end_that_is_taken_away_is_missed_by_what_was_noted() {
    let all = good();
    let last = noted(&all, 4);
    // Links, but not the checkpoint.
    let mut items = all.clone();
    items.retain(|item| !matches!(item, Item::Link(link, _) if link.seq > 10));
    assert_eq!(walk(items).breaks, [Break::Truncated { ends: 10, went: 12 }]);

    // All of it, up to a checkpoint: by itself that is a whole chain.
    let items: Vec<_> = all[..8].to_vec();
    assert!(walk(items.clone()).holds());
    let report = walk_with(items.clone(), vec![last.clone(), noted(&all, 1)]);
    assert_eq!(report.breaks, [Break::AnchorGone { number: 4, seq: 12 }]);

    // And gone on with.
    let mut items = items;
    let Item::Link(before, _) = items[6] else { panic!("a link") };
    let mut before = before.hash;
    for seq in 7..=12 {
        let event = event(100 + seq);
        let link = Link::new(seq, &before, &event, Salt::from([1; 16]));
        before = link.hash;
        items.push(Item::Link(link, Some(Box::new(event))));
        if seq % 3 == 0 {
            items.push(checkpoint(seq / 3, &link, 100 + seq));
        }
    }
    assert!(walk(items.clone()).holds());
    assert!(!walk_with(items, vec![last.clone()]).holds());

    // What somebody made up is no anchor, and what is there is no trouble.
    let made_up = Checkpoint { number: 9, ..last.clone() };
    assert!(matches!(walk_with(all.clone(), vec![made_up]).breaks[..], [Break::Forged { .. }]));
    assert!(walk_with(all, vec![last]).holds());
}

#[test]
fn a_restore_explains_what_is_gone_and_is_told() {
    let all = good();
    let last = noted(&all, 4);
    let mut items = all[..8].to_vec();
    let Item::Checkpoint(before) = &items[7] else { panic!("a checkpoint") };
    let restored = Checkpoint { number: 3, epoch: 2, ..before.clone() };
    let mut alone = items.clone();
    alone.push(Item::Checkpoint(restored.clone().signed(&key())));
    // An epoch by itself explains nothing: it is a number in the database.
    assert_eq!(
        walk_with(alone, vec![last.clone()]).breaks,
        [Break::AnchorGone { number: 4, seq: 12 }]
    );

    let data = json!({ "token_epoch": 2 });
    let told = Event { code: super::rules::RESTORED.into(), data, ..event(20) };
    let link = Link::new(7, &restored.hash, &told, Salt::from([1; 16]));
    items.push(Item::Link(link, Some(Box::new(told))));
    let restored = Checkpoint { seq: 7, hash: link.hash, ..restored };
    items.push(Item::Checkpoint(restored.signed(&key())));
    let report = walk_with(items, vec![last]);
    assert!(report.holds(), "{report:?}");
    assert_eq!(report.lost_by_restore, [4]);
}

#[test]
fn an_event_that_claims_to_be_older_than_what_was_sealed_is_found() {
    let mut items = good();
    let Some(Item::Link(last, _)) =
        items.iter().rfind(|item| matches!(item, Item::Link(..))).cloned()
    else {
        panic!("a link")
    };
    // Somebody looked until 9000: 61 minutes before is too late, 59 are not.
    items.push(checkpoint(5, &last, 9000));
    let mut before = last.hash;
    for (seq, second) in [(13, 9000 - 59 * 60), (14, 9000 - 61 * 60)] {
        let event = event(second);
        let link = Link::new(seq, &before, &event, Salt::from([1; 16]));
        before = link.hash;
        items.push(Item::Link(link, Some(Box::new(event))));
    }
    // A name of today, and a time of long ago.
    let event = Event { at: instant(0), ..event(9001) };
    let id = event.id;
    items.push(Item::Link(
        Link::new(15, &before, &event, Salt::from([1; 16])),
        Some(Box::new(event)),
    ));
    assert_eq!(
        walk(items).breaks,
        [
            Break::Backdated { seq: 14, event: named(9000 - 61 * 60, 1) },
            Break::Backdated { seq: 15, event: id }
        ]
    );
}

/// A clock that was ahead by two hours, and was put right.
#[test]
fn a_clock_that_is_put_back_leaves_no_break_once_that_is_signed() {
    let mut items = good();
    let Some(Item::Checkpoint(ahead)) = items.last().cloned() else { panic!("a checkpoint") };
    let mut before = ahead.hash;
    for seq in 13..=14_i64 {
        // The names of these are older than all that was sealed.
        let event = event(-7200 + seq);
        let link = Link::new(seq, &before, &event, Salt::from([1; 16]));
        before = link.hash;
        if seq == 14 {
            let Some(Item::Link(last, _)) = items.last().cloned() else { panic!("a link") };
            items.push(checkpoint(5, &last, -7186));
        }
        items.push(Item::Link(link, Some(Box::new(event))));
    }
    assert_eq!(walk(items).breaks, [Break::Backdated { seq: 13, event: named(-7187, 1) }]);
}

#[test]
fn links_that_no_checkpoint_covers_are_told() {
    let mut items = good();
    items.retain(|item| matches!(item, Item::Link(..)));
    let keys = key().public();
    let mut walk = Walk::whole(&keys, house(), None);
    for item in items {
        walk.take(item);
    }
    walk.ended();
    assert_eq!(walk.end().breaks, [Break::Unsigned { behind: 0, links: 12 }]);
}

#[test]
fn who_is_erased_leaves_no_break_if_it_is_written_down() {
    let erase = |items: &mut Vec<Item>| {
        for item in items {
            if let Item::Link(link, Some(event)) = item {
                link.salt = None;
                event.personal = Personal::default();
            }
        }
    };
    let mut items = good();
    erase(&mut items);
    let report = walk(items.clone());
    assert_eq!((report.erased, report.broken), (12, 12));
    assert!(matches!(report.breaks[0], Break::PersonalGone { .. }));

    let Some(Item::Link(last, _)) =
        items.iter().rfind(|item| matches!(item, Item::Link(..))).cloned()
    else {
        panic!("a link")
    };
    let told = Event { code: super::rules::ERASED.into(), ..event(13) };
    items.push(Item::Link(
        Link::new(13, &last.hash, &told, Salt::from([1; 16])),
        Some(Box::new(told)),
    ));
    let report = walk(items.clone());
    assert_eq!((report.erased, report.broken), (12, 0));

    // What was sealed after it is not covered, nor what an administrator did.
    let mut later = items.clone();
    let Some(Item::Link(last, _)) = later.last().cloned() else { panic!("a link") };
    let personal = Personal::default();
    let again = Event { personal, ..event(14) };
    let link = Link { salt: None, ..Link::new(14, &last.hash, &again, Salt::from([1; 16])) };
    later.push(Item::Link(link, Some(Box::new(again))));
    assert_eq!(walk(later).breaks, [Break::PersonalGone { seq: 14, event: named(14, 1) }]);
    let mut other = items.clone();
    link_at(&mut other, 5).1.as_mut().unwrap().actor_id = Some(UserId::from(Uuid::from_u128(66)));
    assert!(walk(other).breaks.contains(&Break::PersonalGone { seq: 5, event: named(5, 1) }));

    // What comes back in the place of what was erased was never sealed.
    link_at(&mut items, 5).1.as_mut().unwrap().personal.ip_address = Some("192.0.2.1".into());
    assert_eq!(walk(items).breaks, [Break::PersonalChanged { seq: 5, event: named(5, 1) }]);
}

#[test]
fn what_is_left_after_a_cut_holds_and_nobody_else_can_cut() {
    let all = good();
    let at = noted(&all, 2);
    let (kid, signature) = (String::new(), String::new());
    let cut =
        Cut { installation: house(), number: 2, seq: 6, hash: at.hash, at: at.at, kid, signature };
    let left: Vec<_> = all[7..].to_vec();
    let go = |cut: &Cut, anchors: Vec<Checkpoint>| {
        let keys = key().public();
        let mut walk = Walk::whole(&keys, house(), Some(cut));
        walk.look_for(anchors);
        for item in left.clone() {
            walk.take(item);
        }
        walk.end()
    };
    let report = go(&cut.clone().signed(&key()), vec![noted(&all, 1), noted(&all, 4)]);
    assert!(report.holds(), "{report:?}");
    assert_eq!((report.cut, report.links), (Some(6), 6));
    let other = SealKey::new(&[10; 32]);
    let forged = Cut { kid: key().kid().to_owned(), ..cut.signed(&other) };
    assert_eq!(go(&forged, Vec::new()).breaks, [Break::Forged { what: "cut", number: 6 }]);
}

#[test]
fn a_chain_of_another_installation_is_not_taken_for_this_one() {
    let keys = key().public();
    let mut walk = Walk::whole(&keys, InstallationId::from(Uuid::from_u128(8)), None);
    for item in good() {
        walk.take(item);
    }
    let report = walk.end();
    assert!(report.breaks.iter().any(|found| matches!(found, Break::OtherInstallation { .. })));
}

/// The file that `audit export` writes of [`good`].
fn file() -> String {
    let mut lines = vec![json!({ "begin": {
        "version": 1, "installation": house(), "at": instant(20),
    } })];
    let mut last = None;
    for item in good() {
        lines.push(match item {
            Item::Link(link, event) => {
                last = Some(link);
                json!({ "sealed": { "link": link, "event": event } })
            }
            Item::Checkpoint(made) => json!({ "checkpoint": made }),
        });
    }
    let Link { seq, hash, .. } = last.unwrap();
    let (kid, signature) = (String::new(), String::new());
    let end = End { installation: house(), number: 4, seq, hash, at: instant(20), kid, signature };
    lines.push(json!({ "end": end.signed(&key()) }));
    lines.iter().map(|line: &Value| line.to_string() + "\n").collect()
}

fn read(text: &str, keys: &SealKeys) -> Result<Report, EvidenceError> {
    evidence::read(text.as_bytes(), keys, Vec::new())
}

#[test]
fn a_file_is_read_without_anything_else_and_missed_when_it_is_cut_off() {
    let (text, keys) = (file(), key().public());
    let report = read(&text, &keys).unwrap();
    assert!(report.holds() && report.links == 12, "{report:?}");
    let lines: Vec<_> = text.lines().collect();
    for length in 1..lines.len() {
        let part = lines[..length].join("\n");
        assert!(!read(&part, &keys).unwrap().holds(), "{length} lines");
        // Nor can the end be put behind less.
        let ended = format!("{part}\n{}", lines[lines.len() - 1]);
        assert!(length == lines.len() - 1 || !read(&ended, &keys).unwrap().holds(), "{length}");
    }
    assert!(matches!(read("", &keys), Err(EvidenceError::Strange(1))));
    // Nor can anything be put behind the end.
    for more in [lines[1], lines[lines.len() - 1], "hello"] {
        assert!(matches!(read(&format!("{text}{more}\n"), &keys), Err(EvidenceError::Strange(_))));
    }
    assert!(!read(&text, &SealKey::new(&[1; 32]).public()).unwrap().holds());
}

#[test]
fn checkpoints_are_found_among_other_lines() {
    let Item::Checkpoint(made) = &good()[3] else { panic!("a checkpoint") };
    let line = serde_json::to_string(made).unwrap();
    let log = json!({ "message": "sealed", "checkpoint": line }).to_string();
    let quoted = serde_json::to_string(&line).unwrap();
    let in_words =
        format!("2026-11-25T00:00:00Z  INFO authshield::audit: sealed checkpoint={quoted} n=1");
    assert_eq!(evidence::anchors(&in_words).unwrap(), std::slice::from_ref(made));
    let other = "{\"message\":\"event\"}\nnot JSON {\n";
    let text = format!("{other}{line}\n2026-11-25 {log}\n");
    assert_eq!(evidence::anchors(&text).unwrap(), [made.clone(), made.clone()]);
    assert!(matches!(evidence::anchors(other), Err(EvidenceError::NoAnchor)));
}

proptest! {
    #[test]
    fn no_byte_of_a_file_can_be_changed(at in any::<prop::sample::Index>(), byte in 0x20_u8..0x7f) {
        let (text, keys) = (file(), key().public());
        let mut bytes = text.clone().into_bytes();
        let at = at.index(bytes.len());
        // A name of another installation makes another genesis; a time of the export is no evidence.
        let head = text.find('\n').unwrap();
        prop_assume!(at > head && !bytes[at].eq_ignore_ascii_case(&byte));
        bytes[at] = byte;
        let changed = String::from_utf8(bytes).unwrap();
        prop_assert!(read(&changed, &keys).map_or(true, |report| !report.holds()), "{at}");
    }

    #[test]
    fn noise_is_no_panic(noise: String) {
        let _ = read(&noise, &key().public());
        let _ = evidence::anchors(&noise);
    }
}
