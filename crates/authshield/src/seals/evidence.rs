//! The chain in a file, for who has no database: one JSON document to a line.
//!
//! ```text
//! {"begin": …}        whose, when
//! {"cut": …}          up to where it was cut off, if it was
//! {"sealed": …}       a link with its event, in the order of the chain
//! {"checkpoint": …}   behind the last link that it covers
//! {"end": …}          signed: what is missing before it was taken away
//! ```

use std::io::{self, BufRead, Write};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::chain::{Checkpoint, Cut, End, Event, Hash, Link};
use super::rules::{Item, Report, Walk};
use super::trail::{Reader, erased_lately};
use crate::app::App;
use crate::kernel::{InstallationId, Timestamp};
use crate::vault::SealKeys;

/// The form of the file.
const VERSION: u32 = 1;

/// Why a file cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// It cannot be.
    #[error("the file cannot be read or written")]
    Io(#[from] io::Error),
    /// It is something else.
    #[error("line {0} is not one of an export of the audit trail, or was changed")]
    Strange(u64),
    /// Another version wrote it.
    #[error("the file has the form {0}, which this version does not know")]
    Version(u32),
    /// There is nothing to look for.
    #[error("no checkpoint is noted in that file")]
    NoAnchor,
    /// The store failed.
    #[error("the store failed while the chain was read")]
    Store(#[from] onesql::Error),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Record {
    Begin(Begin),
    Cut(Cut),
    Sealed(Box<Sealed>),
    Checkpoint(Checkpoint),
    End(End),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Begin {
    version: u32,
    installation: InstallationId,
    at: Timestamp,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    link: Link,
    event: Option<Box<Event>>,
}

/// Writes all of the chain, and returns what going along it found.
pub async fn export(app: &App, out: &mut impl Write) -> Result<Report, EvidenceError> {
    let (installation, at) = (app.installation.id, app.world.now());
    let keys = app.secrets.seal.public();
    let mut tx = app.store.read().await?;
    let (mut reader, cut) = Reader::whole(&mut tx, installation).await?;
    let mut walk = Walk::whole(&keys, installation, cut.as_ref());
    let mut last = cut.as_ref().map_or((0, Hash::first(installation)), |cut| (cut.seq, cut.hash));
    say(out, &Record::Begin(Begin { version: VERSION, installation, at }))?;
    if let Some(cut) = cut {
        say(out, &Record::Cut(cut))?;
    }
    loop {
        let items = reader.next(&mut tx).await?;
        if items.is_empty() {
            break;
        }
        for item in items {
            walk.take(item.clone());
            say(
                out,
                &match item {
                    Item::Link(link, event) => {
                        last = (link.seq, link.hash);
                        Record::Sealed(Box::new(Sealed { link, event }))
                    }
                    Item::Checkpoint(checkpoint) => Record::Checkpoint(checkpoint),
                },
            )?;
        }
    }
    let (seq, hash) = last;
    walk.erased(erased_lately(&mut tx, installation).await?);
    let report = walk.end();
    let number = report.head.as_ref().map_or(0, |head| head.number);
    let (kid, signature) = (String::new(), String::new());
    let end = End { installation, number, seq, hash, at, kid, signature }.signed(&app.secrets.seal);
    say(out, &Record::End(end))?;
    out.flush()?;
    Ok(report)
}

fn say(out: &mut impl Write, record: &Record) -> io::Result<()> {
    serde_json::to_writer(&mut *out, record)?;
    out.write_all(b"\n")
}

/// Goes along the chain in a file.
pub fn read(
    file: impl BufRead,
    keys: &SealKeys,
    anchors: Vec<Checkpoint>,
) -> Result<Report, EvidenceError> {
    let mut lines = file.lines().zip(1..).map(|(line, number)| {
        let line = line?;
        let record = serde_json::from_str(&line).map_err(|_| EvidenceError::Strange(number))?;
        Ok::<Record, EvidenceError>(record)
    });
    let Some(Record::Begin(begin)) = lines.next().transpose()? else {
        return Err(EvidenceError::Strange(1));
    };
    if begin.version != VERSION {
        return Err(EvidenceError::Version(begin.version));
    }
    let mut lines = lines.peekable();
    let cut = match lines.next_if(|line| matches!(line, Ok(Record::Cut(_)))) {
        Some(Ok(Record::Cut(cut))) => Some(cut),
        _ => None,
    };
    let mut walk = Walk::whole(keys, begin.installation, cut.as_ref());
    walk.look_for(anchors);
    let mut ended = None;
    for (line, number) in lines.zip(if cut.is_some() { 3.. } else { 2.. }) {
        // Whatever is put behind the end is no part of it.
        if ended.is_some() {
            return Err(EvidenceError::Strange(number));
        }
        match line? {
            Record::Sealed(sealed) => walk.take(Item::Link(sealed.link, sealed.event)),
            Record::Checkpoint(checkpoint) => walk.take(Item::Checkpoint(checkpoint)),
            Record::End(end) => {
                ended = Some(end);
            }
            Record::Begin(_) | Record::Cut(_) => return Err(EvidenceError::Strange(number)),
        }
    }
    Ok(walk.end_of_file(ended.as_ref()))
}

/// Reads checkpoints that were noted outside: each on a line of its own, as it was printed or as it
/// stands in a line of the log; other lines are passed over.
pub fn anchors(text: &str) -> Result<Vec<Checkpoint>, EvidenceError> {
    let noted: Vec<_> = text.lines().filter_map(anchor).collect();
    if noted.is_empty() { Err(EvidenceError::NoAnchor) } else { Ok(noted) }
}

fn anchor(line: &str) -> Option<Checkpoint> {
    // A line of a log that is text.
    if let Some((_, quoted)) = line.split_once("checkpoint=") {
        let mut texts = serde_json::Deserializer::from_str(quoted).into_iter::<String>();
        return serde_json::from_str(&texts.next()?.ok()?).ok();
    }
    let line = &line[line.find('{')?..];
    if let Ok(checkpoint) = serde_json::from_str(line) {
        return Some(checkpoint);
    }
    let line: Value = serde_json::from_str(line).ok()?;
    let noted = [&line["checkpoint"], &line["fields"]["checkpoint"]];
    noted.into_iter().find_map(|noted| serde_json::from_str(noted.as_str()?).ok())
}
