//! Goes along the chain and says where it is broken. It believes nothing but the public key.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::chain::{Checkpoint, Cut, End, Event, Hash, Link};
use crate::kernel::{AuditId, InstallationId, Timestamp, UserId};
use crate::vault::SealKeys;

/// How late an event may come to what is sealed: its transaction took long, or the clock of its machine is
/// behind. One that comes later was not written by the service.
pub const LATE_AT_MOST: Duration = Duration::from_hours(1);

/// How many links there are behind the last checkpoint, at most: after a thousand one is signed, and five
/// hundred are made at once.
const UNSIGNED_AT_MOST: i64 = 1500;

/// How far the time that an event says may lie before the time at which it was written: a request waits,
/// and some commands work for long. What checks see while the database is away is written afterwards.
const OLD_AT_MOST: Duration = Duration::from_hours(1);

/// The code of the event that says that a person was erased.
pub(super) const ERASED: &str = "PERSON_ERASED";

/// The code of the event that says that a backup was restored.
pub(super) const RESTORED: &str = "BACKUP_RESTORED";

/// How many breaks are told; the rest is counted.
const TOLD: usize = 100;

/// A way in which the chain does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "break", rename_all = "snake_case")]
pub enum Break {
    /// An event is not what was sealed; or it stands in another place.
    Changed {
        /// The link.
        seq: i64,
        /// The event.
        event: AuditId,
    },
    /// What is personal of an event is not what was sealed.
    PersonalChanged {
        /// The link.
        seq: i64,
        /// The event.
        event: AuditId,
    },
    /// What is personal of an event is gone, and nobody wrote down that it was erased.
    PersonalGone {
        /// The link.
        seq: i64,
        /// The event.
        event: AuditId,
    },
    /// An event was sealed and is gone.
    Deleted {
        /// The link.
        seq: i64,
        /// The event.
        event: AuditId,
    },
    /// Links are gone, or stand in another order.
    LinksMissing {
        /// The one that was to come.
        expected: i64,
        /// The one that came.
        found: i64,
    },
    /// An event says that it is older than what was sealed before it.
    Backdated {
        /// The link.
        seq: i64,
        /// The event.
        event: AuditId,
    },
    /// An event stands among the others, and is older than what could still come: somebody put it there.
    Inserted {
        /// The event.
        event: AuditId,
    },
    /// Checkpoints are gone.
    CheckpointsMissing {
        /// The one that was to come.
        expected: i64,
        /// The one that came.
        found: i64,
    },
    /// There are links that no checkpoint covers, more than there can be.
    Unsigned {
        /// The last link that is covered.
        behind: i64,
        /// How many there are behind it.
        links: i64,
    },
    /// A checkpoint says something else than the chain.
    CheckpointDiffers {
        /// The checkpoint.
        number: i64,
        /// The link that it is about.
        seq: i64,
    },
    /// What is signed was not signed by the key that it names.
    Forged {
        /// What.
        what: &'static str,
        /// Its number; of a cut the number of the link.
        number: i64,
    },
    /// What is signed names a key that the verifier was not given.
    UnknownKey {
        /// What.
        what: &'static str,
        /// Its number; of a cut the number of the link.
        number: i64,
        /// The key.
        kid: String,
    },
    /// It belongs to another installation.
    OtherInstallation {
        /// What.
        what: &'static str,
        /// Whose it is.
        found: InstallationId,
    },
    /// The chain ends before something that is signed and says more.
    Truncated {
        /// Where it ends.
        ends: i64,
        /// How far it went.
        went: i64,
    },
    /// A checkpoint that was noted outside is not in the chain.
    AnchorGone {
        /// The checkpoint.
        number: i64,
        /// The link that it is about.
        seq: i64,
    },
    /// The file ends before its end.
    CutOff,
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { seq, event } => {
                write!(f, "event {event} is not what was sealed as link {seq}")
            }
            Self::PersonalChanged { seq, event } => write!(
                f,
                "the address, the user agent or the address hash of event {event} is not what was \
                 sealed as link {seq}"
            ),
            Self::PersonalGone { seq, event } => write!(
                f,
                "what is personal of event {event} (link {seq}) is gone, and no {ERASED} tells of it"
            ),
            Self::Deleted { seq, event } => {
                write!(f, "event {event} was sealed as link {seq} and is gone")
            }
            Self::LinksMissing { expected, found } => {
                write!(f, "link {found} follows where link {expected} should")
            }
            Self::Backdated { seq, event } => write!(
                f,
                "event {event} (link {seq}) says that it is older than what was sealed before it"
            ),
            Self::Inserted { event } => write!(
                f,
                "event {event} was never sealed, and is older than what was: it was inserted"
            ),
            Self::CheckpointsMissing { expected, found } => {
                write!(f, "checkpoint {found} follows where checkpoint {expected} should")
            }
            Self::Unsigned { behind, links } => write!(
                f,
                "no checkpoint covers the {links} links behind link {behind}: checkpoints are gone"
            ),
            Self::CheckpointDiffers { number, seq } => {
                write!(f, "checkpoint {number} says another link {seq} than there is")
            }
            Self::Forged { what, number } => {
                write!(f, "{what} {number} was not signed by the key that it names")
            }
            Self::UnknownKey { what, number, kid } => {
                write!(f, "{what} {number} was signed by a key that is not known here: {kid}")
            }
            Self::OtherInstallation { what, found } => {
                write!(f, "a {what} is of another installation: {found}")
            }
            Self::Truncated { ends, went } => {
                write!(f, "the chain ends with link {ends}, and went to link {went}")
            }
            Self::AnchorGone { number, seq } => write!(
                f,
                "checkpoint {number} (link {seq}) was noted outside and is not in the chain"
            ),
            Self::CutOff => f.write_str("the file ends before its end"),
        }
    }
}

impl Break {
    /// Returns whether nothing can be sealed behind it: what would be signed is not a chain of this
    /// installation. An event that was changed is pinned by its link and can be gone on from.
    #[must_use]
    pub fn is_of_the_chain(&self) -> bool {
        match self {
            Self::Changed { .. }
            | Self::PersonalChanged { .. }
            | Self::PersonalGone { .. }
            | Self::Deleted { .. }
            | Self::Backdated { .. }
            | Self::Inserted { .. }
            | Self::AnchorGone { .. } => false,
            Self::LinksMissing { .. }
            | Self::CheckpointsMissing { .. }
            | Self::Unsigned { .. }
            | Self::CheckpointDiffers { .. }
            | Self::Forged { .. }
            | Self::UnknownKey { .. }
            | Self::OtherInstallation { .. }
            | Self::Truncated { .. }
            | Self::CutOff => true,
        }
    }
}

/// What there is in a chain, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A link, and the event if it is there.
    Link(Link, Option<Box<Event>>),
    /// A checkpoint, behind the last link that it covers.
    Checkpoint(Checkpoint),
}

/// What was found along the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whose chain it is.
    pub installation: InstallationId,
    /// The last link that was cut off, because it is kept no longer.
    pub cut: Option<i64>,
    /// How many links were seen.
    pub links: u64,
    /// How many checkpoints.
    pub checkpoints: u64,
    /// Of how many events what is personal was erased.
    pub erased: u64,
    /// How many events wait to be sealed.
    pub unsealed: u64,
    /// When the chain was begun, if that is in it: what happened before was sealed then.
    pub begun: Option<Timestamp>,
    /// The last checkpoint.
    pub head: Option<Checkpoint>,
    /// Checkpoints that were noted outside, and went when a backup was restored.
    pub lost_by_restore: Vec<i64>,
    /// Where the chain does not hold; the first hundred.
    pub breaks: Vec<Break>,
    /// In how many places it does not hold.
    pub broken: u64,
}

impl Report {
    /// Whether the chain holds.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.broken == 0
    }
}

/// Goes along the chain.
pub struct Walk<'k> {
    keys: &'k SealKeys,
    report: Report,
    /// The last link.
    last: (i64, Hash),
    /// Until when everything is sealed that came before the last link, and with which number.
    checkpoint: Option<(i64, Timestamp)>,
    /// The same by the checkpoint that covers no more than the links before the last one.
    through: Option<Timestamp>,
    /// Whether it goes to the end of all of it.
    whole: bool,
    /// The number of the first checkpoint, if it is known.
    first: Option<i64>,
    /// Whose address is gone, and where; and who was erased, by which link at the latest.
    gone: Vec<(i64, AuditId, Option<UserId>)>,
    erased: BTreeMap<UserId, i64>,
    anchors: BTreeMap<i64, Vec<Checkpoint>>,
    /// Of the anchors, what was something else; and the epoch of what stood in its place.
    strange: Vec<(Checkpoint, i64)>,
    /// The epochs that began with a backup.
    restored: BTreeSet<i64>,
    epoch: i64,
}

impl<'k> Walk<'k> {
    fn new(keys: &'k SealKeys, installation: InstallationId, last: (i64, Hash)) -> Self {
        Self {
            keys,
            report: Report {
                installation,
                cut: None,
                links: 0,
                checkpoints: 0,
                erased: 0,
                unsealed: 0,
                begun: None,
                head: None,
                lost_by_restore: Vec::new(),
                breaks: Vec::new(),
                broken: 0,
            },
            last,
            checkpoint: None,
            through: None,
            whole: true,
            first: None,
            gone: Vec::new(),
            erased: BTreeMap::new(),
            anchors: BTreeMap::new(),
            strange: Vec::new(),
            restored: BTreeSet::new(),
            epoch: 0,
        }
    }

    /// Begins at the beginning, or where the chain was cut off.
    #[must_use]
    pub fn whole(keys: &'k SealKeys, installation: InstallationId, cut: Option<&Cut>) -> Self {
        let Some(cut) = cut else {
            let first = (0, Hash::first(installation));
            return Self { first: Some(1), ..Self::new(keys, installation, first) };
        };
        let mut walk = Self::new(keys, installation, (cut.seq, cut.hash));
        walk.report.cut = Some(cut.seq);
        // The checkpoint at which it was cut off is kept.
        walk.first = Some(cut.number);
        walk.signature("cut", cut.seq, (cut.installation, &cut.kid), &cut.words(), &cut.signature);
        walk
    }

    /// Begins behind a checkpoint; what comes before it is not judged.
    #[must_use]
    pub fn behind(keys: &'k SealKeys, checkpoint: &Checkpoint) -> Self {
        let last = (checkpoint.seq, checkpoint.hash);
        let mut walk = Self { whole: false, ..Self::new(keys, checkpoint.installation, last) };
        walk.checkpoint(checkpoint.clone());
        walk
    }

    /// Goes along a part of it only: who was erased may be told behind its end.
    #[must_use]
    pub fn in_part(self) -> Self {
        Self { whole: false, ..self }
    }

    /// Looks for checkpoints that were noted outside on the way.
    pub fn look_for(&mut self, anchors: Vec<Checkpoint>) {
        for anchor in anchors {
            let number = anchor.number;
            let signed = (anchor.installation, anchor.kid.as_str());
            let words = anchor.words();
            if self.signature("noted checkpoint", number, signed, &words, &anchor.signature) {
                self.anchors.entry(number).or_default().push(anchor);
            }
        }
    }

    /// Returns the last link that was seen.
    #[must_use]
    pub fn last(&self) -> i64 {
        self.last.0
    }

    /// Takes the next item.
    pub fn take(&mut self, item: Item) {
        match item {
            Item::Link(link, event) => self.link(&link, event.as_deref()),
            Item::Checkpoint(checkpoint) => self.checkpoint(checkpoint),
        }
    }

    fn link(&mut self, link: &Link, event: Option<&Event>) {
        self.report.links += 1;
        let expected = self.last.0 + 1;
        let in_order = link.seq == expected;
        if !in_order {
            self.broken(Break::LinksMissing { expected, found: link.seq });
        }
        // A checkpoint at the link before says until when everything was sealed.
        if let Some((_, through)) = self.checkpoint {
            self.through = Some(through);
        }
        match event {
            None => self.broken(Break::Deleted { seq: link.seq, event: link.event_id }),
            Some(event) => self.event(link, event, in_order),
        }
        // What follows is judged by itself.
        self.last = (link.seq, link.hash);
    }

    fn event(&mut self, link: &Link, event: &Event, in_order: bool) {
        let (seq, id) = (link.seq, link.event_id);
        let chained = self.last.1.then(link.seq, &event.digest(&link.commitment));
        if event.id != id || in_order && chained != link.hash {
            self.broken(Break::Changed { seq, event: id });
        }
        match &link.salt {
            Some(salt) if event.personal.commitment(salt) != link.commitment => {
                self.broken(Break::PersonalChanged { seq, event: id });
            }
            Some(_) => {}
            None => {
                self.report.erased += 1;
                if event.personal != super::chain::Personal::default() {
                    self.broken(Break::PersonalChanged { seq, event: id });
                }
                // Where an administrator did something to a person, the address is the administrator's.
                self.gone.push((seq, id, event.actor_id.or(event.user_id)));
            }
        }
        let written = event.written_at();
        let late = self.through.is_some_and(|through| written < through - LATE_AT_MOST);
        let old = event.at < written - OLD_AT_MOST && !event.code.starts_with("CHECK_");
        if late || old {
            self.broken(Break::Backdated { seq, event: id });
        }
        match (event.code.as_str(), event.user_id) {
            (ERASED, Some(person)) => {
                self.erased.insert(person, seq);
            }
            (RESTORED, _) => self.restored.extend(event.data["token_epoch"].as_i64()),
            _ => {}
        }
    }

    fn checkpoint(&mut self, checkpoint: Checkpoint) {
        self.report.checkpoints += 1;
        let Checkpoint { number, seq, hash, through, epoch, .. } = checkpoint;
        let signed = (checkpoint.installation, checkpoint.kid.as_str());
        let good = self.signature(
            "checkpoint",
            number,
            signed,
            &checkpoint.words(),
            &checkpoint.signature,
        );
        if let Some((before, _)) = self.checkpoint
            && number != before + 1
        {
            self.broken(Break::CheckpointsMissing { expected: before + 1, found: number });
        }
        if self.checkpoint.is_none()
            && let Some(expected) = self.first.filter(|first| *first != number)
        {
            self.broken(Break::CheckpointsMissing { expected, found: number });
        }
        if (seq, hash) != self.last {
            if seq > self.last.0 {
                self.broken(Break::Truncated { ends: self.last.0, went: seq });
            } else {
                self.broken(Break::CheckpointDiffers { number, seq });
            }
        }
        for anchor in self.anchors.remove(&number).into_iter().flatten() {
            if (anchor.seq, anchor.hash) != (seq, hash) {
                self.strange.push((anchor, epoch));
            }
        }
        if good {
            self.epoch = self.epoch.max(epoch);
            if number == 1 {
                self.report.begun = Some(checkpoint.at);
            }
            // It may go back: then a clock was put right.
            self.checkpoint = Some((number, through));
            self.report.head = Some(checkpoint);
        }
    }

    /// A checkpoint names another link than there is.
    pub fn differs(&mut self, checkpoint: &Checkpoint) {
        let Checkpoint { number, seq, .. } = *checkpoint;
        self.broken(Break::CheckpointDiffers { number, seq });
    }

    /// An event that was never sealed; `None` of them may be older than what could still come.
    pub fn inserted(&mut self, event: AuditId) {
        self.broken(Break::Inserted { event });
    }

    /// People who were erased a moment ago: what tells of it is not sealed yet.
    pub fn erased(&mut self, people: Vec<UserId>) {
        self.erased.extend(people.into_iter().map(|person| (person, i64::MAX)));
    }

    /// There is nothing behind the last item.
    pub fn ended(&mut self) {
        let behind = self.report.head.as_ref().map(|head| head.seq);
        let begun = self.report.cut.unwrap_or(0);
        let links = self.last.0 - behind.unwrap_or(begun);
        if links > UNSIGNED_AT_MOST || links > 0 && behind.is_none() {
            self.broken(Break::Unsigned { behind: behind.unwrap_or(begun), links });
        }
    }

    /// How many events wait to be sealed.
    pub fn waiting(&mut self, unsealed: u64) {
        self.report.unsealed = unsealed;
    }

    /// Ends at the end of a file, which says where that is.
    #[must_use]
    pub fn end_of_file(mut self, end: Option<&End>) -> Report {
        self.ended();
        match end {
            None => self.broken(Break::CutOff),
            Some(end) => {
                let signed = (end.installation, end.kid.as_str());
                self.signature("export", end.seq, signed, &end.words(), &end.signature);
                let number = self.report.head.as_ref().map_or(0, |head| head.number);
                if (end.seq, end.hash, end.number) != (self.last.0, self.last.1, number) {
                    self.broken(Break::Truncated { ends: self.last.0, went: end.seq });
                }
            }
        }
        self.end()
    }

    /// Ends.
    #[must_use]
    pub fn end(mut self) -> Report {
        let before_the_cut = |anchor: &Checkpoint| Some(anchor.seq) <= self.report.cut;
        let left: Vec<_> = std::mem::take(&mut self.anchors).into_values().flatten().collect();
        let (_, left): (Vec<_>, Vec<_>) = left.into_iter().partition(before_the_cut);
        for (anchor, epoch) in std::mem::take(&mut self.strange) {
            self.anchor_gone(&anchor, epoch);
        }
        for anchor in left {
            self.anchor_gone(&anchor, self.epoch);
        }
        if self.whole {
            for (seq, event, person) in std::mem::take(&mut self.gone) {
                let erased = person.and_then(|person| self.erased.get(&person));
                if erased.is_none_or(|erased| *erased <= seq) {
                    self.broken(Break::PersonalGone { seq, event });
                }
            }
        }
        self.report
    }

    /// A restore explains it, if the chain tells of one.
    fn anchor_gone(&mut self, anchor: &Checkpoint, epoch: i64) {
        let explains = |restored: &i64| anchor.epoch < *restored && *restored <= epoch;
        if self.restored.iter().any(explains) {
            self.report.lost_by_restore.push(anchor.number);
        } else {
            self.broken(Break::AnchorGone { number: anchor.number, seq: anchor.seq });
        }
    }

    /// Returns whether `words` were signed, by a key that is known, for this installation.
    fn signature(
        &mut self,
        what: &'static str,
        number: i64,
        (installation, kid): (InstallationId, &str),
        words: &str,
        signature: &str,
    ) -> bool {
        let wrong = if installation != self.report.installation {
            Break::OtherInstallation { what, found: installation }
        } else if !self.keys.knows(kid) {
            Break::UnknownKey { what, number, kid: kid.to_owned() }
        } else if !self.keys.confirm(kid, words, signature) {
            Break::Forged { what, number }
        } else {
            return true;
        };
        self.broken(wrong);
        false
    }

    fn broken(&mut self, found: Break) {
        self.report.broken += 1;
        if self.report.breaks.len() < TOLD {
            self.report.breaks.push(found);
        }
    }
}
