/// The text of a statement; for all but a few, one text serves both databases.
#[derive(Debug, Clone, Copy)]
pub struct Sql {
    /// What SQLite is given; nothing, where there is nothing to do since it has one writer ([`Statement::later`]).
    ///
    /// [`Statement::later`]: crate::Statement::later
    pub sqlite: &'static str,
    /// What PostgreSQL is given.
    pub postgres: &'static str,
}

impl From<&'static str> for Sql {
    fn from(both: &'static str) -> Self {
        Self { sqlite: both, postgres: both }
    }
}
