use std::sync::Arc;

use crate::beside::UNMET;

/// The result of talking to the store.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the store did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The driver or the database said no.
    #[error("the database refused")]
    Sql(#[source] Arc<sqlx::Error>),

    /// No answer came in time; whether the statement took effect is unknown.
    #[error("the database did not answer within {0:?}")]
    Timeout(std::time::Duration),

    /// Something in the transaction failed or was cut off, so none of it can last.
    #[error("an earlier statement of this transaction did not succeed, so none of it can last")]
    Spoiled,

    /// A statement changed no row that had to ([`Statement::later_or_undo`]), so none of the transaction lasts.
    ///
    /// [`Statement::later_or_undo`]: crate::Statement::later_or_undo
    #[error("what the transaction rests on is not so any more, so none of it lasts")]
    Unmet,

    /// Rows could not be copied as they are.
    #[error("{0}")]
    Copy(String),

    /// The schema could not be brought up to date.
    #[error("{0}")]
    Migration(String),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(Arc::new(error))
    }
}

impl Error {
    /// Returns whether a row could not be written because one with the same key exists.
    #[must_use]
    pub fn is_unique_violation(&self) -> bool {
        matches!(self, Self::Sql(error)
            if matches!(error.as_ref(), sqlx::Error::Database(database) if database.is_unique_violation()))
    }

    /// Returns whether somebody else has the lock of the file (`SQLITE_BUSY`).
    #[must_use]
    pub(crate) fn is_busy(&self) -> bool {
        matches!(self, Self::Sql(error) if matches!(error.as_ref(), sqlx::Error::Database(database)
            if database.code().is_some_and(|code| code.parse().is_ok_and(|code: i32| code & 0xff == 5))))
    }

    /// Returns whether the connection ended under way: the server closed it, or the network did.
    #[must_use]
    pub(crate) fn is_lost_connection(&self) -> bool {
        matches!(self, Self::Sql(error) if match error.as_ref() {
            sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => true,
            // The server ends this connection: 57P01 to 57P05.
            sqlx::Error::Database(database) => {
                database.code().is_some_and(|code| code.starts_with("57P"))
            }
            _ => false,
        })
    }

    /// Returns [`Error::Unmet`] if something was `demanded` and this is how the database says that it is not so: on
    /// PostgreSQL a sentence that is no number, on SQLite a number that is too large.
    pub(crate) fn or_unmet(self, demanded: bool) -> Self {
        let says_so = matches!(&self, Self::Sql(error) if matches!(error.as_ref(), sqlx::Error::Database(database)
            if database.message().contains(UNMET) || database.message() == "integer overflow"));
        if demanded && says_so { Self::Unmet } else { self }
    }

    /// Returns what kind of trouble it is, without a word that a value could be in: the database's code
    /// for it, or `timeout` or `other`.
    pub(crate) fn kind(&self) -> std::borrow::Cow<'_, str> {
        match self {
            Self::Timeout(_) => "timeout".into(),
            Self::Sql(error) => match error.as_ref() {
                sqlx::Error::Database(database) => database.code().unwrap_or("other".into()),
                _ => "other".into(),
            },
            _ => "other".into(),
        }
    }

    /// Returns whether a lock was not to be had in time, or a statement took too long: nothing was done.
    #[must_use]
    pub fn is_patience_exceeded(&self) -> bool {
        matches!(self, Self::Sql(error) if matches!(error.as_ref(), sqlx::Error::Database(database)
            if database.code().is_some_and(|code| ["55P03", "57014"].contains(&code.as_ref()))))
    }

    /// Returns whether the database could not be reached or used, as opposed to a statement that is
    /// wrong: waiting and trying again may help.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Timeout(_) => true,
            Self::Spoiled | Self::Unmet | Self::Migration(_) | Self::Copy(_) => false,
            Self::Sql(error) => match error.as_ref() {
                sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::WorkerCrashed
                | sqlx::Error::Protocol(_) => true,
                sqlx::Error::Database(database) => database.code().is_some_and(|code| {
                    // PostgreSQL: connection (08), resources (53), operator intervention (57),
                    // system (58), read-only (25006), lock not available, serialization, deadlock.
                    // SQLite: busy, locked, read-only, I/O, full, cannot open.
                    let code = code.as_ref();
                    ["08", "53", "57", "58"]
                        .iter()
                        .any(|class| code.len() == 5 && code.starts_with(class))
                        || ["25006", "55P03", "40001", "40P01", "28000", "28P01", "3D000"]
                            .contains(&code)
                        || code.len() < 5
                            && code
                                .parse::<i32>()
                                .is_ok_and(|code| [5, 6, 8, 10, 13, 14].contains(&(code & 0xff)))
                }),
                _ => false,
            },
        }
    }
}
