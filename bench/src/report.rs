//! The page of the book that has the table.

use std::path::Path;

use anyhow::{Context, Result};

/// Writes the page, with words about how the table came to be.
pub(crate) fn write(root: &Path, table: &str, runs: usize) -> Result<()> {
    let path = root.join("docs/src/reference/performance.md");
    std::fs::create_dir_all(path.parent().context("a file is in a folder")?)?;
    std::fs::write(&path, page(table, runs))?;
    eprintln!("bench: wrote {}", path.display());
    Ok(())
}

fn page(table: &str, runs: usize) -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let machine = format!("{cores} shared {} cores", std::env::consts::ARCH.replace('_', "-"));
    let sessions = match std::fs::read_to_string("/proc/sys/kernel/sched_autogroup_enabled") {
        Ok(enabled) => format!(" (`kernel.sched_autogroup_enabled={}`)", enabled.trim()),
        Err(_) => String::new(),
    };
    format!(
        "# Performance

<!-- Written by `cargo xtask bench --write`. -->

What the service does, beside what the machine could do if nothing were in the way: both are measured
in one run, one right after the other, because the same program does twice as much or half as much
on another machine, or an hour later. So the ratios are what to look at, and the absolute numbers are
what to scale.

```sh
cargo xtask bench
```

measures everything anew; `--quick` takes some minutes, `--only NAME` measures one thing, and `--write`
writes this page.

{table}
Each line is the middle of {runs} runs, with the least and the greatest in brackets; sign-ins beside bare hashes,
and with a code beside a password alone, take five short turns in each run. Measured on
{machine}, which the service, the database and the generator share{sessions}; with the defaults of every
setting, except that rate limits are off where they are not what is measured, and that passwords are
hashed at next to no cost where hashing is not.

- **bare Argon2id**: the same function at the same cost on every core, in memory that is kept, and
  nothing else.
- **bare JSON route**: a route of the same HTTP library that answers with a constant of the same size;
  same generator, same connections. In a flood it is a program of its own beside the service, and asked as often as `me`.
- **bare durable rotations**: a transaction that marks one row as used and inserts its successor, and
  is on disk when it returns, as many at once as there are connections; on SQLite they share flushes.
- **bare flushes**: a page written to a file of the same disk fifty times a second, and `fdatasync`; each
  refresh waits for one or two of them. They and the bare route are also beside sign-ins without `me` and refreshes.
- **idle**, of p99: the same light load without the flood, 200 `me` and 100 refreshes per second, and 200 of the bare
  route. Of memory: 15 seconds after nobody asked for anything any more.
- **by chance**: of a thousand answers each, in turn on one connection, the two-sided test of Mann and
  Whitney; a stranger who asks so often has learnt nothing if it is not small.
- **CPU**: the time that the service had on the cores, in user and in system mode as Linux counts it, until
  it came to rest, divided by what it answered. What its clients spend is not in it; with security events, what
  the database server spends is.
- **with a password alone**: by people without a second factor, at the same service, in turn with the others.
  A sign-in with a code counts when it is over: the password, the answer that a code is due, the code. Each
  code works once, so there are as many accounts with an app as there could be such sign-ins.
- **of a core**: in a second that the service had on a core, counted as **CPU**. On connections, what the generator and
  a database server spend on the same cores for a second request counts, too.
- **a rate limit**: the difference between `GET /auth/mails/{{id}}`, which looks at a row, with rate limits
  on, with a budget that is never used up, and off; one service after the other, there and back, over one
  connection. It has all that a limit brings: who the client is, the count, the fields of the answer.
- **a bare write of a row**: one row is counted up, and is on disk when it returns, in one statement on PostgreSQL
  and in a transaction on SQLite, where there are no round trips. **Round trips** are counted by a wire between
  the service and the server: how often the service spoke after it had an answer, without what it says in as long
  a time when nobody asks anything, and without asking PostgreSQL whether a connection that came back to the pool
  is still there, for which nobody waits. The target is less than 1.1 and not 1, since the service is not always
  equally busy by itself.
- **security events**: they cannot be switched off, so there is no sign-in without them to compare with. What
  one costs is measured in the same run at a request that does little but write one: another mail is asked for to an
  address that nobody has. Off that comes what a request costs that writes one other row, a challenge for a
  passkey: a request and a transaction are what a sign-in has anyway. What is left is the event with its link in
  the chain of the audit trail and its line in the log, and more than that: two looks for the address stand
  against the one row. Sign-ins wait for cores; so of what they cost, the share of events is what they would gain
  without. **Events that can be written**: such
  requests on as many connections; what sign-ins write is the share of the database's writer that their events
  take at most.
- **the program itself**: as `cargo xtask release` builds it; so is everything that is measured.
"
    )
}

#[cfg(test)]
mod tests {
    use super::page;

    #[test]
    fn the_page_has_the_table() {
        assert!(page("| a |\n", 3).contains("\n\n| a |\n\nEach line is the middle of 3 runs"));
    }
}
