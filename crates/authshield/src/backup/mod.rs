//! Backups: all rows in one encrypted file that both databases read.
//!
//! ```text
//! create     one transaction that sees one state ─ every table, row by row ─ envelope ─ FILE
//! verify     read FILE to its end: frames, sums, signature; then really restore it, into a database
//!            that is thrown away, and add that up; open what is sealed in it
//! restore    read FILE to its end before anything is written; into an empty database, in one
//!            transaction; then nothing that was issued before is worth anything any more
//! ```
//!
//! A backup is of its moment: it brings back sessions that were ended since, links that were used,
//! mail that was sent. So a restore raises the token epoch, ends every session, withdraws every link
//! and expires mail that waits. What cannot be undone are passwords that were changed in between:
//! the operator is told of the gap.

mod envelope;
mod key;
mod record;
mod sql;

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use aws_lc_rs::signature::{ED25519, KeyPair, UnparsedPublicKey};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use onesql::{Cell, Store, Timestamp, Tx};

use crate::installation;
use crate::kernel::InstallationId;
use crate::schema;
use crate::seals;
use crate::vault::{RewrapError, Vault, VaultError};
use crate::world::World;

use envelope::Head;
use record::{Columns, Record, Signed, Sum};

pub use key::Opener;
pub use record::{Begin, Manifest, TableSum};
pub use sql::Undone;

/// Tables whose rows the schema makes by itself.
const NOT_COPIED: [&str; 2] = ["instances", "schema_notes"];
/// How many rows are held while they are restored.
const ROWS_AT_ONCE: usize = 200;
/// The longest line that is read, in bytes.
const LINE_AT_MOST: u64 = 64 << 20;

/// Why there is no backup, or none that can be used.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file is something else.
    #[error("the file is no backup of AuthShield")]
    NotABackup,
    /// It is from a version that we do not know.
    #[error("the backup has format {0}, which this version cannot read: use a newer one")]
    Format(u32),
    /// It is encrypted with a passphrase.
    #[error("this backup is opened by a passphrase: name its file with --passphrase-file")]
    NeedsPassphrase,
    /// It is encrypted with the master key.
    #[error("this backup is opened by the master key, not by a passphrase")]
    NeedsMasterKey,
    /// The passphrase is too easy to guess.
    #[error("a passphrase needs at least 16 characters; `openssl rand -base64 24` makes one")]
    WeakPassphrase,
    /// It was cut off, changed, or sealed under another key.
    #[error("the backup cannot be read to its end")]
    File(#[from] io::Error),
    /// It is whole, and does not say what it should.
    #[error("the backup does not add up: {0}")]
    Strange(String),
    /// What was restored for trial is not what was saved.
    #[error("restored for trial, the table {table} is not what was saved: {why}")]
    Different {
        /// Which table.
        table: String,
        /// How it differs.
        why: String,
    },
    /// The master key is another one.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// Something sealed in it does not open, or the trial database failed.
    #[error("what is sealed in the backup does not open")]
    Sealed(#[from] RewrapError),
    /// There is a file in the way.
    #[error("{0} exists; it was left alone")]
    Exists(String),
    /// There is no installation to save.
    #[error("the database has no installation in it: there is nothing to save")]
    Nothing,
    /// The target has something in it.
    #[error(
        "the database is not empty ({0}); restore into a new one, and move this one away if it is of \
         no use any more"
    )]
    NotEmpty(String),
    /// Another installation was typed.
    #[error(
        "this is a backup of installation {found}, made {made_at}; to restore it, type that id: \
         --installation-id {found}"
    )]
    OtherInstallation {
        /// Whose backup it is.
        found: InstallationId,
        /// When it was made.
        made_at: Timestamp,
    },
    /// The configuration expects another installation.
    #[error(
        "this is a backup of installation {found}, and AUTHSHIELD_INSTALLATION_ID expects {expected}"
    )]
    Unexpected {
        /// Whose backup it is.
        found: InstallationId,
        /// What is expected.
        expected: InstallationId,
    },
    /// It was made by a newer version.
    #[error(
        "the backup has migration {0}, which this version does not know: use the version that made it \
         ({1}) or a newer one"
    )]
    TooNew(i64, String),
    /// The database failed.
    #[error("the database failed")]
    Store(#[from] onesql::Error),
}

/// Saves everything in `store` into a new file, and returns what it holds.
pub async fn create(
    store: &Store,
    vault: &Vault,
    opener: &Opener,
    path: &Path,
    world: &dyn World,
) -> Result<Manifest, BackupError> {
    if path.exists() {
        return Err(BackupError::Exists(path.display().to_string()));
    }
    let migrations = store.applied_migrations().await?;
    // Whoever finds half a file must not take it for a whole one.
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = std::path::PathBuf::from(partial);
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial);
    let file = file.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => BackupError::Exists(partial.display().to_string()),
        _ => BackupError::File(error),
    })?;
    let saved = async {
        let mut tx = store.read().await?;
        let Some(installation) = installation::in_database(&mut tx).await? else {
            return Err(BackupError::Nothing);
        };
        let begin = Begin {
            installation_id: installation.id,
            made_at: world.now(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            database: store.kind().to_owned(),
            migrations,
            master_key_id: vault.master_key_id(),
            audit_head: sql::audit_head(&mut tx).await?,
            audit_checkpoint: seals::head(&mut tx, installation.id).await?.map(Box::new),
        };
        let (head, keys) = opener.new_file(world)?;
        let mut out = envelope::Writer::begin(BufWriter::new(file), &head, &keys.cipher)?;
        say(&mut out, &Record::Begin(begin.clone()))?;
        let tables = save_tables(&mut tx, &mut out).await?;
        let manifest = Manifest { begin, tables };
        let words = serde_json::to_string(&manifest).expect("a manifest is plain data");
        let signed = Signed {
            public_key: BASE64.encode(keys.signer.public_key()),
            signature: BASE64.encode(keys.signer.sign(words.as_bytes())),
            words,
        };
        say(&mut out, &Record::Manifest(signed))?;
        let file = out.end()?.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        std::fs::rename(&partial, path)?;
        Ok(manifest)
    };
    let saved = saved.await;
    if saved.is_err() {
        // What is half a backup is none.
        let _ = std::fs::remove_file(&partial);
    }
    saved
}

fn say(out: &mut impl Write, record: &Record) -> io::Result<()> {
    serde_json::to_writer(&mut *out, record)?;
    out.write_all(b"\n")
}

async fn save_tables(tx: &mut Tx, out: &mut impl Write) -> Result<Vec<TableSum>, BackupError> {
    let mut sums = Vec::new();
    for table in tx.tables().await? {
        if NOT_COPIED.contains(&table.name.as_str()) {
            continue;
        }
        let columns = table.columns.iter().map(|column| column.name.clone()).collect();
        say(out, &Record::Table(Columns { name: table.name.clone(), columns }))?;
        let mut sum = Sum::new();
        tx.each_row(&table, |row| {
            sum.add(&row);
            out.write_all(record::write_row(&row).as_bytes())?;
            Ok::<_, BackupError>(out.write_all(b"\n")?)
        })
        .await?;
        let sum = sum.end(&table.name);
        say(out, &Record::End(sum.clone()))?;
        sums.push(sum);
    }
    Ok(sums)
}

/// A backup that is read from its begin to its end.
struct Reading {
    lines: BufReader<envelope::Reader<BufReader<File>>>,
    public_key: Vec<u8>,
}

/// What a line says.
enum Line {
    Row(Vec<Cell>),
    Record(Record),
}

impl Reading {
    fn open(path: &Path, opener: &Opener) -> Result<Self, BackupError> {
        let mut file = BufReader::new(File::open(path)?);
        let (head, digest): (Head, _) = envelope::read_head(&mut file)?;
        let keys = opener.open(&head)?;
        let lines = BufReader::new(envelope::Reader::new(file, digest, &keys.cipher));
        Ok(Self { lines, public_key: keys.signer.public_key().as_ref().to_vec() })
    }

    fn next(&mut self) -> Result<Option<Line>, BackupError> {
        let mut line = String::new();
        if self.lines.by_ref().take(LINE_AT_MOST).read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim_end_matches('\n');
        if line.starts_with('[') {
            return Ok(Some(Line::Row(record::read_row(line)?)));
        }
        let record = serde_json::from_str(line);
        record
            .map(|record| Some(Line::Record(record)))
            .map_err(|_| strange("a line cannot be read"))
    }

    /// Checks the signature, and that nothing comes behind it.
    fn end(&mut self, signed: &Signed) -> Result<Manifest, BackupError> {
        let key = BASE64.decode(&signed.public_key).unwrap_or_default();
        let signature = BASE64.decode(&signed.signature).unwrap_or_default();
        let key = UnparsedPublicKey::new(&ED25519, key);
        let signs = key.as_ref() == self.public_key.as_slice()
            && key.verify(signed.words.as_bytes(), &signature).is_ok();
        if !signs {
            return Err(strange("the manifest's signature is not right"));
        }
        if self.next()?.is_some() {
            return Err(strange("there is something behind the manifest"));
        }
        serde_json::from_str(&signed.words).map_err(|_| strange("the manifest cannot be read"))
    }
}

fn strange(words: &str) -> BackupError {
    BackupError::Strange(words.to_owned())
}

/// Reads a file to its end and adds it up; nothing is written anywhere.
pub fn inspect(path: &Path, opener: &Opener) -> Result<Manifest, BackupError> {
    let mut reading = Reading::open(path, opener)?;
    let Some(Line::Record(Record::Begin(begin))) = reading.next()? else {
        return Err(strange("it does not say whose it is"));
    };
    let (mut sums, mut table): (Vec<TableSum>, Option<(Columns, Sum)>) = (Vec::new(), None);
    loop {
        match (reading.next()?, &mut table) {
            (Some(Line::Record(Record::Table(columns))), none @ None) => {
                *none = Some((columns, Sum::new()));
            }
            (Some(Line::Row(row)), Some((columns, sum))) if row.len() == columns.columns.len() => {
                sum.add(&row);
            }
            (Some(Line::Record(Record::End(told))), some @ Some(_)) => {
                let (columns, sum) = some.take().expect("it was just seen");
                let found = sum.end(&columns.name);
                if found != told {
                    return Err(strange(&format!("the rows of {} are not all there", told.name)));
                }
                sums.push(found);
            }
            (Some(Line::Record(Record::Manifest(signed))), None) => {
                let manifest = reading.end(&signed)?;
                if manifest.begin != begin || manifest.tables != sums {
                    return Err(strange("the manifest is of another backup"));
                }
                return Ok(manifest);
            }
            _ => return Err(strange("its parts are not in order")),
        }
    }
}

/// Writes the rows of a file that was inspected; what the schema put there first is replaced.
async fn load(tx: &mut Tx, path: &Path, opener: &Opener) -> Result<(), BackupError> {
    let tables = tx.tables().await?;
    for table in tables.iter().rev().filter(|table| !NOT_COPIED.contains(&table.name.as_str())) {
        tx.empty(table).await?;
    }
    let mut reading = Reading::open(path, opener)?;
    let mut current: Option<(&onesql::Table, Vec<String>)> = None;
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    while let Some(line) = reading.next()? {
        match line {
            Line::Row(row) => rows.push(row),
            Line::Record(Record::Table(Columns { name, columns })) => {
                let known = tables.iter().find(|table| table.name == name);
                let known = known.ok_or_else(|| strange(&format!("there is no table {name}")))?;
                current = Some((known, columns));
            }
            Line::Record(_) => {}
        }
        let ends =
            rows.len() >= ROWS_AT_ONCE || !matches!(reading.lines.fill_buf(), Ok([b'[', ..]));
        if ends
            && !rows.is_empty()
            && let Some((table, columns)) = &current
        {
            tx.insert_rows(table, columns, &rows).await?;
            rows.clear();
        }
    }
    Ok(())
}

/// Adds up what is in a database.
async fn add_up(store: &Store) -> Result<Vec<TableSum>, BackupError> {
    let mut tx = store.read().await?;
    save_tables(&mut tx, &mut io::sink()).await
}

/// Brings an empty database to the schema that the backup has.
async fn prepare(store: &Store, begin: &Begin) -> Result<(), BackupError> {
    let known = schema::notes();
    let unknown = |version: &&i64| known.iter().all(|(number, _)| number != *version);
    if let Some(version) = begin.migrations.iter().find(unknown) {
        return Err(BackupError::TooNew(*version, begin.version.clone()));
    }
    let newest = begin.migrations.iter().max().copied().unwrap_or_default();
    Ok(schema::migrate_to(store, newest).await?)
}

/// Really restores a file, into `scratch`, which must be empty and is of no use afterwards: what comes
/// out must be what went in, and what is sealed in it must open.
pub async fn verify(
    path: &Path,
    opener: &Opener,
    scratch: &Store,
    vault: &Vault,
) -> Result<Manifest, BackupError> {
    let manifest = inspect(path, opener)?;
    prepare(scratch, &manifest.begin).await?;
    let mut tx = scratch.write().await?;
    load(&mut tx, path, opener).await?;
    tx.commit().await?;
    let found = add_up(scratch).await?;
    for saved in &manifest.tables {
        let different = |why: String| BackupError::Different { table: saved.name.clone(), why };
        let Some(found) = found.iter().find(|found| found.name == saved.name) else {
            return Err(different("it is missing".into()));
        };
        if found.rows != saved.rows {
            return Err(different(format!("{} rows of {}", found.rows, saved.rows)));
        }
        if found.sha256 != saved.sha256 {
            return Err(different("some values changed".into()));
        }
    }
    vault.open_all(scratch).await?;
    // A newer version must be able to go on with it.
    schema::migrate(scratch).await?;
    Ok(manifest)
}

/// What a restore brought back, and what it made worthless.
#[derive(Debug)]
pub struct Restored {
    /// What the backup holds.
    pub manifest: Manifest,
    /// What was issued before.
    pub undone: Undone,
}

/// Restores a file into an empty database.
pub async fn restore(
    path: &Path,
    opener: &Opener,
    vault: &Vault,
    store: &Store,
    typed: InstallationId,
    expected: Option<InstallationId>,
    world: &dyn World,
) -> Result<Restored, BackupError> {
    let manifest = inspect(path, opener)?;
    // With another master key, what is restored would be of no use.
    vault.derived(&manifest.begin.master_key_id, b"")?;
    let found = manifest.begin.installation_id;
    if typed != found {
        return Err(BackupError::OtherInstallation { found, made_at: manifest.begin.made_at });
    }
    if let Some(expected) = expected.filter(|expected| *expected != found) {
        return Err(BackupError::Unexpected { found, expected });
    }
    if !store.applied_migrations().await?.is_empty() {
        let seen = installation::look(store).await?;
        match seen.installation {
            Some(there) => {
                return Err(BackupError::NotEmpty(format!("it is installation {}", there.id)));
            }
            None if seen.accounts => {
                return Err(BackupError::NotEmpty("it has accounts".into()));
            }
            None => {}
        }
    }
    prepare(store, &manifest.begin).await?;
    let mut tx = store.write().await?;
    load(&mut tx, path, opener).await?;
    let undone = sql::undo_what_was_issued(&mut tx, world.now()).await?;
    tx.commit().await?;
    schema::migrate(store).await?;
    Ok(Restored { manifest, undone })
}
