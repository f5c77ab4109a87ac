use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sqlx::Connection;
use sqlx::postgres::PgConnectOptions;

use crate::postgres::{Kind, PgTx, Server};
use crate::sqlite::{File, Member, Reader};
use crate::statement::within;
use crate::tx::{On, Tx};
use crate::watch::{Mode, Onlookers, Part, Watch, Work};
use crate::{Error, Result};

/// How many connections read the file at once for each core: one computes while others wait for the
/// disk. More would only keep more of the same pages in memory, each for itself.
const READERS_PER_CORE: usize = 4;

/// Where the database is, and how to use it.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which database.
    pub(crate) place: Place,
    /// How many connections: to the server, or to read from the file, of which a core can keep no more
    /// than a few busy.
    pub connections: u32,
    /// How long one statement, or the wait for a connection, may take.
    pub at_most: Duration,
}

#[derive(Debug, Clone)]
pub(crate) enum Place {
    Sqlite(PathBuf),
    Postgres(Box<PgConnectOptions>),
}

impl Options {
    /// Returns what to use for an embedded file; it is created when it does not exist.
    #[must_use]
    pub fn sqlite(path: impl Into<PathBuf>) -> Self {
        Self { place: Place::Sqlite(path.into()), ..Self::base() }
    }

    /// Returns what to use for `postgres://…`, or for `sqlite://` and a path.
    pub fn parse(url: &str) -> Result<Self> {
        if let Some(path) = url.strip_prefix("sqlite://") {
            return Ok(Self::sqlite(path));
        }
        let postgres: PgConnectOptions = url.parse()?;
        // We sit on one side of a long-lived connection: a peer that vanished is noticed by
        // the timeout of each statement.
        Ok(Self {
            place: Place::Postgres(Box::new(
                postgres.application_name("authshield").statement_cache_capacity(256),
            )),
            ..Self::base()
        })
    }

    /// Returns the same, for tables of a schema of that name; a file has no schemas.
    #[must_use]
    pub fn in_schema(&self, name: &str) -> Self {
        let mut options = self.clone();
        if let Place::Postgres(server) = &mut options.place {
            **server = server.as_ref().clone().options([("search_path", name)]);
        }
        options
    }

    fn base() -> Self {
        Self {
            place: Place::Sqlite(PathBuf::new()),
            connections: 8,
            at_most: Duration::from_millis(1800),
        }
    }
}

/// A handle on the database; clones share it.
#[derive(Clone)]
pub struct Store {
    pub(crate) on: Arc<Database>,
    pub(crate) at_most: Duration,
    onlookers: Onlookers,
}

pub(crate) enum Database {
    /// An embedded file.
    Sqlite(Box<File>),
    /// A server.
    Postgres(Arc<Server>),
}

impl Store {
    /// Opens the database.
    pub async fn open(options: &Options) -> Result<Self> {
        let on = match &options.place {
            Place::Sqlite(path) => {
                let cores = std::thread::available_parallelism().map_or(1, usize::from);
                let wanted = usize::try_from(options.connections).unwrap_or(usize::MAX);
                let readers = wanted.clamp(1, cores * READERS_PER_CORE);
                Database::Sqlite(Box::new(File::open(path, readers).await?))
            }
            Place::Postgres(server) => Database::Postgres(Arc::new(Server::new(
                (**server).clone(),
                options.connections,
                options.at_most,
            ))),
        };
        Ok(Self { on: Arc::new(on), at_most: options.at_most, onlookers: Onlookers::default() })
    }

    /// Returns the name of the database's kind: `sqlite` or `postgres`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match *self.on {
            Database::Sqlite(_) => "sqlite",
            Database::Postgres(_) => "postgres",
        }
    }

    /// Tells `observer` of every piece of work from now on, on the task that does it. Only the first
    /// observer is kept.
    pub fn observe(&self, observer: impl Fn(Work) + Send + Sync + 'static) {
        self.onlookers.admit(Box::new(observer));
    }

    /// Begins a transaction that cannot write, on either database, and sees one state throughout.
    pub async fn read(&self) -> Result<Tx> {
        const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        let watch = self.watch(Mode::Read);
        let begun = watch.over(Part::Wait, watch.span(&[], self.beginning()), async {
            Ok(match &*self.on {
                Database::Sqlite(file) => {
                    On::Reader(Reader::begin(&file.readers, true, self.at_most).await?)
                }
                Database::Postgres(server) => {
                    On::Postgres(PgTx::begin(server, Kind::Transaction(BEGIN)).await?)
                }
            })
        });
        Ok(Tx::new(begun.await?, self.at_most, watch))
    }

    /// Takes a connection for single reads, without the round trips of a transaction.
    pub async fn glance(&self) -> Result<Tx> {
        let watch = self.watch(Mode::Read);
        let begun = watch.over(Part::Wait, watch.span(&[], "CONNECT"), async {
            Ok(match &*self.on {
                Database::Sqlite(file) => {
                    On::Reader(Reader::begin(&file.readers, false, self.at_most).await?)
                }
                Database::Postgres(server) => {
                    On::Postgres(PgTx::begin(server, Kind::Glance).await?)
                }
            })
        });
        Ok(Tx::new(begun.await?, self.at_most, watch))
    }

    /// Begins a transaction that can write; dropped without [`Tx::commit`], it never happened.
    ///
    /// On SQLite there is one writer, so do slow things (hashing, the network) before this call; and
    /// constraints are checked by each statement, not by the commit that many share, so the schema
    /// has none that is deferred.
    pub async fn write(&self) -> Result<Tx> {
        self.writing(Kind::Transaction("BEGIN")).await
    }

    /// Begins a transaction of one statement, which finds out by itself whether it may change anything: whether that
    /// lasts is not decided afterwards. Commit it if it did.
    ///
    /// On PostgreSQL the statement goes to the server alone, on one way instead of three, and lasts when it returns. When
    /// it fails, or its caller goes away meanwhile, it is not known whether it lasts, as after a [`Tx::commit`].
    pub async fn write_once(&self) -> Result<Tx> {
        Ok(self.writing(Kind::Once).await?.once())
    }

    /// Returns what a transaction waits for at first; on PostgreSQL its `BEGIN` goes with what comes first in it.
    fn beginning(&self) -> &'static str {
        match *self.on {
            Database::Sqlite(_) => "BEGIN",
            Database::Postgres(_) => "CONNECT",
        }
    }

    async fn writing(&self, kind: Kind) -> Result<Tx> {
        let watch = self.watch(Mode::Write);
        let begun = watch.over(Part::Wait, watch.span(&[], self.beginning()), async {
            Ok(match &*self.on {
                Database::Sqlite(file) => On::Member(file.writer.join(self.at_most).await?),
                Database::Postgres(server) => On::Postgres(PgTx::begin(server, kind).await?),
            })
        });
        Ok(Tx::new(begun.await?, self.at_most, watch))
    }

    /// Makes a schema of this name; a file has none, and says so.
    pub async fn create_schema(&self, name: &str) -> Result<()> {
        self.schema("CREATE SCHEMA", name, "").await
    }

    /// Removes a schema with all that is in it.
    pub async fn drop_schema(&self, name: &str) -> Result<()> {
        self.schema("DROP SCHEMA", name, " CASCADE").await
    }

    async fn schema(&self, verb: &str, name: &str, how: &str) -> Result<()> {
        let Database::Postgres(server) = &*self.on else {
            return Err(Error::Copy("a file has no schemas".into()));
        };
        if !name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        {
            return Err(Error::Copy(format!("{name} is no name for a schema")));
        }
        let mut connection = server.alone().await?;
        let sql = sqlx::AssertSqlSafe(format!("{verb} {name}{how}"));
        sqlx::query(sql).execute(&mut connection).await?;
        Ok(connection.close().await?)
    }

    /// Asks the database whether it answers.
    pub async fn ping(&self) -> Result<()> {
        let _: (i64,) = self.glance().await?.query("SELECT CAST(1 AS BIGINT)").one().await?;
        Ok(())
    }

    /// Makes sure, at the start, that the database can be used; a failure has its true reason.
    pub async fn reach(&self) -> Result<()> {
        match &*self.on {
            Database::Sqlite(_) => self.ping().await,
            Database::Postgres(server) => within(self.at_most, server.alone().await?.close()).await,
        }
    }

    pub(crate) fn watch(&self, mode: Mode) -> Watch {
        let system = match *self.on {
            Database::Sqlite(_) => "sqlite",
            Database::Postgres(_) => "postgresql",
        };
        self.onlookers.at(mode, system)
    }
}

#[expect(dead_code, reason = "says at compile time that a transaction may cross threads")]
fn transactions_are_send(member: Member, reader: Reader) -> impl Send {
    (member, reader)
}
